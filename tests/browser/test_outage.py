"""What a person sees when the site's database is away for a moment: a word about it, and nothing typed is lost."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from tests.browser.servers import Demo
from tests.browser.user import User

pytestmark = pytest.mark.browser

AWAY = {"status": 503, "headers": {"Retry-After": "5"}, "content_type": "text/html", "body": "<main id=main>503</main>"}


@pytest.fixture
def visitor(slow_demo: Demo, new_context: Callable[..., BrowserContext]) -> User:
    """Somebody who has just started a demo, in a window that may meet faults."""
    visitor = User(new_context(base_url=slow_demo.url).new_page())
    visitor.sign_up()
    visitor.start_demo()
    return visitor


def test_the_form_stays_with_what_was_typed_and_can_be_sent_again(visitor: User) -> None:
    page, away = visitor.page, re.compile("/contacts/$")
    page.route(away, lambda route: route.fulfill(**AWAY))
    visitor.add_contact(name="Katherine Johnson", email="katherine@example.com")
    banner = page.get_by_text("The site is away for a moment")
    expect(banner).to_be_visible()
    form = page.get_by_role("form", name="Add contact")
    expect(form.get_by_label("Name")).to_have_value("Katherine Johnson")
    page.unroute(away)
    form.get_by_role("button", name="Add contact").click()
    expect(visitor.row("Katherine Johnson")).to_be_visible()
    expect(banner).to_be_hidden()


def test_the_progress_of_an_action_asks_again_until_it_is_back(visitor: User) -> None:
    refused: list[str] = []

    def refuse_three_times(route: Route) -> None:
        if len(refused) == 3:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(**AWAY)

    visitor.page.route(re.compile("/runs/"), refuse_three_times)
    visitor.press("Create next checkpoint")
    visitor.sees("v2")
    assert len(refused) == 3
