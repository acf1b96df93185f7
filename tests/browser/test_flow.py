"""The whole flow in a browser with JavaScript, and what a browser's own buttons make of it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.journey import there_and_back
from tests.browser.servers import Demo
from tests.browser.user import User

pytestmark = pytest.mark.browser


def test_the_link_of_start_demo_leads_there_and_back_again(demo: Demo, visit: Callable[..., User]) -> None:
    visitor = visit(demo)
    visitor.page.goto(demo.sign_in)
    expect(visitor.page).to_have_url(demo.checkpoint)
    there_and_back(visitor)


def test_a_newcomer_starts_from_the_home_page_and_is_asked_before_starting_again(
    demo: Demo, visit: Callable[..., User]
) -> None:
    newcomer = visit(demo)
    page = newcomer.page
    page.goto("/")
    page.get_by_role("link", name="Sign in to start demo").click()
    expect(page).to_have_url(re.compile("/accounts/login/"))
    newcomer.sign_up()
    newcomer.start_demo()
    page.goto("/")
    page.get_by_role("link", name="Continue").click()
    newcomer.sees("v1")
    newcomer.press("Create next checkpoint")
    newcomer.sees("v2")

    page.goto("/")
    newcomer.press("Start demo")
    expect(page.get_by_role("heading", level=1)).to_have_text("Start again?")
    expect(page.get_by_text("its 2 checkpoints")).to_be_visible()
    page.get_by_role("link", name="Keep my project").click()
    newcomer.sees("v2")
    page.goto("/")
    newcomer.press("Start demo")
    newcomer.press("Delete and start again")
    newcomer.sees("v1")
    expect(newcomer.entry("Add role and company")).to_have_count(0)


def test_tabs_answer_to_the_back_button_to_reload_and_to_deep_links(user: User) -> None:
    page = user.page
    checkpoint = page.url
    user.open_tab("meta db")
    expect(page).to_have_url(f"{checkpoint}?tab=meta")
    expect(page.get_by_role("cell", name="v1", exact=True)).to_be_visible()
    user.open_tab("contacts schema")
    expect(page).to_have_url(f"{checkpoint}?tab=schema")
    page.reload()
    expect(page.get_by_role("cell", name="gen_random_uuid()")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(f"{checkpoint}?tab=meta")
    expect(page.get_by_role("cell", name="v1", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Checkpoint v1")
    page.go_back()
    expect(page).to_have_url(checkpoint)
    expect(user.row("Ada")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("cell", name="v1", exact=True)).to_be_visible()
    page.goto(f"{checkpoint}?tab=schema")
    expect(page.get_by_role("cell", name="gen_random_uuid()")).to_be_visible()
    page.goto(f"{checkpoint}?tab=junk")
    expect(user.row("Ada")).to_be_visible()


def test_a_new_page_takes_title_and_focus_and_the_one_that_the_database_has_left_offers_the_jump(user: User) -> None:
    page = user.page
    first = page.url
    user.press("Create next checkpoint")
    user.sees("v2")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page).to_have_title(re.compile("^v2: Add role and company"))
    page.go_back()
    expect(page).to_have_url(first)
    expect(page.get_by_text("The database is at v2: Add role and company, not here.")).to_be_visible()
    expect(page.locator("#contacts")).to_have_count(0)
    user.press("Jump to this checkpoint")
    user.sees("v1")
    expect(user.row("Ada")).to_be_visible()
