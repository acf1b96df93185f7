"""Everything works as forms and links."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.journey import there_and_back
from tests.browser.servers import Demo
from tests.browser.user import User

pytestmark = pytest.mark.browser


def test_the_whole_flow_works_without_javascript(demo: Demo, visit: Callable[..., User]) -> None:
    user = visit(demo, java_script_enabled=False)
    user.sign_up()
    user.start_demo()
    there_and_back(user)


@pytest.mark.thorough
def test_a_slow_action_has_a_progress_page_that_refreshes_itself(slow_demo: Demo, visit: Callable[..., User]) -> None:
    user = visit(slow_demo, java_script_enabled=False)
    user.sign_up()
    user.page.goto("/")
    user.press("Start demo")
    expect(user.page).to_have_url(re.compile("/runs/"))
    expect(user.page.get_by_role("heading", name="Starting the demo")).to_be_visible()
    user.sees("v1")
