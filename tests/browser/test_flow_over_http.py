"""The same flow with a key, against the control plane served over HTTP in Neon's place."""

from collections.abc import Callable

import pytest

from tests.browser.journey import there_and_back
from tests.browser.servers import Demo
from tests.browser.user import User

pytestmark = pytest.mark.browser


def test_with_a_key_the_flow_is_the_same(remote_demo: Demo, visit: Callable[..., User]) -> None:
    visitor = visit(remote_demo)
    visitor.page.goto(remote_demo.sign_in)
    there_and_back(visitor)
