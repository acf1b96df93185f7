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


def test_a_newcomer_signs_up_and_starts_from_the_home_page(demo: Demo, visit: Callable[..., User]) -> None:
    newcomer = visit(demo)
    newcomer.page.goto("/")
    newcomer.page.get_by_role("link", name="Sign in to start demo").click()
    expect(newcomer.page).to_have_url(re.compile("/accounts/login/"))
    newcomer.sign_up()
    newcomer.start_demo()
    newcomer.page.goto("/")
    newcomer.page.get_by_role("link", name="Continue").click()
    newcomer.sees("v1")


def test_start_demo_asks_before_it_replaces_a_project(user: User) -> None:
    user.press("Create next checkpoint")
    user.sees("v2")
    user.page.goto("/")
    user.press("Start demo")
    expect(user.page.get_by_role("heading", level=1)).to_have_text("Start again?")
    expect(user.page.get_by_text("its 2 checkpoints")).to_be_visible()
    user.page.get_by_role("link", name="Keep my project").click()
    user.sees("v2")
    user.page.goto("/")
    user.press("Start demo")
    user.press("Delete and start again")
    user.sees("v1")
    expect(user.entry("Add role and company")).to_have_count(0)


def test_tabs_answer_to_the_back_button_to_reload_and_to_deep_links(user: User) -> None:
    page = user.page
    checkpoint = page.url
    user.open_tab("meta db")
    expect(page).to_have_url(f"{checkpoint}?tab=meta")
    expect(page.get_by_role("cell", name="v1")).to_be_visible()
    user.open_tab("contacts schema")
    expect(page).to_have_url(f"{checkpoint}?tab=schema")
    page.reload()
    expect(page.get_by_role("cell", name="gen_random_uuid()")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(f"{checkpoint}?tab=meta")
    expect(page.get_by_role("cell", name="v1")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Checkpoint v1")
    page.go_back()
    expect(page).to_have_url(checkpoint)
    expect(user.row("Ada")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("cell", name="v1")).to_be_visible()
    page.goto(f"{checkpoint}?tab=schema")
    expect(page.get_by_role("cell", name="gen_random_uuid()")).to_be_visible()
    page.goto(f"{checkpoint}?tab=junk")
    expect(user.row("Ada")).to_be_visible()


def test_going_back_to_a_page_that_the_database_has_left_offers_the_jump(user: User) -> None:
    first = user.page.url
    user.press("Create next checkpoint")
    user.sees("v2")
    user.page.go_back()
    expect(user.page).to_have_url(first)
    expect(user.page.get_by_text("The database is at v2: Add role and company, not here.")).to_be_visible()
    expect(user.page.locator("#contacts")).to_have_count(0)
    user.press("Jump to this checkpoint")
    user.sees("v1")
    expect(user.row("Ada")).to_be_visible()


def test_after_a_jump_the_focus_is_at_the_top_of_the_new_page(user: User) -> None:
    user.press("Create next checkpoint")
    user.sees("v2")
    expect(user.page.get_by_role("heading", level=1)).to_be_focused()
    assert user.page.title().startswith("v2: Add role and company")
