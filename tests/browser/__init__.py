"""The whole product, as a person at a browser meets it."""

import pytest

pytest.register_assert_rewrite("tests.browser.journey", "tests.browser.user")
