"""Every page and state: fits a small screen, in light and dark, and shows no secret."""

import re
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.servers import Demo
from tests.browser.user import User

pytestmark = pytest.mark.browser

SMALL = {"width": 360, "height": 740}
GROUNDS: dict[Literal["light", "dark"], str] = {"light": "rgb(255, 255, 255)", "dark": "rgb(11, 12, 12)"}
SECRET = re.compile(r"postgres(ql)?://|SCRAM-SHA|sesame=")


def states(user: User) -> Iterator[str]:
    """Lead a visitor through every page and state, and name each when it is on the screen."""
    page = user.page
    for address in ("/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/nowhere/"):
        page.goto(address)
        yield address
    user.sign_up()
    page.goto("/")
    yield "home of somebody new"
    user.start_demo()
    yield "v1"
    user.add_contact(name="A name that is longer than most: " + "Wolfeschlegelsteinhausen" * 3, email="nobody")
    expect(page.get_by_label("Email")).to_be_focused()
    yield "errors at the fields"
    user.add_contact(email="a.very.long.address.that.does.not.end.soon@subdomain.of.an.example.com")
    expect(user.row("Wolfeschlegelsteinhausen")).to_be_visible()
    yield "a long contact"
    for version in ("v2", "v3"):
        user.press("Create next checkpoint")
        user.sees(version)
        yield version
    page.get_by_role("link", name="Edit Ada").click()
    expect(page.get_by_role("form", name="Edit Ada")).to_be_visible()
    page.get_by_role("link", name="Delete Alan").click()
    expect(page.get_by_role("button", name="Delete contact")).to_be_visible()
    yield "editing and deleting"
    page.goto(page.url)
    checkpoint = page.url
    for name in ("Edit Ada", "Delete Alan"):
        page.goto(f"{page.get_by_role('link', name=name).get_attribute('href')}")
        yield f"{name}, a page of its own"
        page.goto(checkpoint)
    for tab in ("meta db", "contacts schema"):
        user.open_tab(tab)
        yield tab
    user.jump("Create a contact list")
    user.sees("v1")
    user.press("Create next checkpoint from here")
    user.sees("v2")
    yield "a fork"
    page.goto(checkpoint)
    yield "a checkpoint that the database has left"
    page.goto(f"{checkpoint}?tab=schema")
    yield "the schema of a checkpoint that the database has left"
    for address in ("/", "/accounts/email/", "/accounts/password/change/", "/accounts/logout/"):
        page.goto(address)
        yield address
    page.goto("/")
    user.press("Start demo")
    expect(page.get_by_role("heading", level=1)).to_have_text("Start again?")
    yield "the question before a restart"


def width_over(page: Page) -> int:
    """Return by how much the page is wider than the screen."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_no_page_scrolls_sideways_or_shows_a_secret_in_light_and_dark(demo: Demo, visit: Callable[..., User]) -> None:
    user = visit(demo, viewport=SMALL)
    for state in states(user):
        assert width_over(user.page) <= 0, state
        assert not SECRET.search(user.page.content()), state
        for scheme, ground in GROUNDS.items():
            user.page.emulate_media(color_scheme=scheme)
            assert user.page.evaluate("getComputedStyle(document.body).backgroundColor") == ground, state


def test_the_theme_switch_is_kept_and_goes_back_to_the_system(demo: Demo, visit: Callable[..., User]) -> None:
    page = visit(demo, color_scheme="light").page
    page.goto("/")
    switch = page.get_by_role("button", name="Theme")
    root = page.locator("html")
    expect(switch).to_have_accessible_name("Theme: system. Switch to light")
    switch.click()
    switch.click()
    expect(root).to_have_css("color-scheme", "dark")
    page.goto("/accounts/login/")
    expect(root).to_have_css("color-scheme", "dark")
    switch.click()
    expect(root).to_have_css("color-scheme", "light dark")


def test_a_site_that_does_not_answer_is_said_and_forgotten_when_it_does(
    demo: Demo, new_context: Callable[..., BrowserContext]
) -> None:
    context = new_context(base_url=demo.url)  # not a watched one: here the console does complain
    user = User(context.new_page())
    user.sign_up()
    user.start_demo()
    said = user.page.get_by_role("alert")
    context.set_offline(True)
    user.page.get_by_role("link", name="meta db").click()
    expect(said).to_contain_text("The site does not answer.")
    context.set_offline(False)
    user.open_tab("meta db")
    expect(said).to_have_count(0)


def test_a_late_answer_to_what_was_asked_before_does_not_hide_that_the_site_is_away(
    demo: Demo, new_context: Callable[..., BrowserContext]
) -> None:
    user = User(new_context(base_url=demo.url).new_page())
    user.sign_up()
    late: list[Route] = []
    user.page.route(re.compile("/changes/"), lambda route: late.append(route))
    with user.page.expect_request(re.compile("/changes/")):
        user.start_demo()
    user.page.route(re.compile("tab=meta"), lambda route: route.abort())
    user.page.get_by_role("link", name="meta db").click()
    said = user.page.get_by_role("alert")
    expect(said).to_contain_text("The site does not answer.")
    with user.page.expect_response(re.compile("/changes/")):
        late[-1].continue_()
    user.page.wait_for_function("() => !document.querySelector('.htmx-request')")
    expect(said).to_be_visible()
