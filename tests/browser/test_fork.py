"""Who goes back and does something else gets a fork, drawn as one."""

import pytest
from playwright.sync_api import expect

from tests.browser.user import User

pytestmark = pytest.mark.browser


@pytest.fixture
def forked(user: User) -> User:
    """Somebody who has gone back to v1 and made another v2 from there, beside the old v2 and its v3."""
    for version in ("v2", "v3"):
        user.press("Create next checkpoint")
        user.sees(version)
    user.jump("Create a contact list")
    user.sees("v1")
    user.add_contact(name="Mary Jackson", email="mary@example.com")
    expect(user.row("Mary")).to_be_visible()
    user.press("Create next checkpoint from here")
    user.sees("v2")
    return user


def test_a_fork_is_drawn_as_a_line_that_leaves_the_first(forked: User) -> None:
    timeline = forked.page.get_by_role("navigation", name="Timeline")
    main = timeline.locator("> ol > li > :is(form, .place)")
    fork = timeline.locator("> ol > li > ol > li > :is(form, .place)")
    expect(main).to_have_count(3)
    expect(fork).to_have_count(1)
    expect(fork).to_have_attribute("aria-current", "page")
    first, branch, second = (place.bounding_box() for place in (main.nth(0), fork, main.nth(1)))
    assert first is not None
    assert branch is not None
    assert second is not None
    assert branch["x"] > first["x"] == second["x"]
    assert first["y"] < branch["y"] < second["y"]


def test_both_ends_of_a_fork_are_kept_and_can_be_gone_on_from(forked: User) -> None:
    expect(forked.row("Mary")).to_be_visible()
    forked.jump("Add tags")
    forked.sees("v3")
    expect(forked.row("Mary")).to_have_count(0)
    forked.page.locator(".line .line button").click()
    forked.sees("v2")
    expect(forked.row("Mary")).to_be_visible()
    forked.press("Revert back")
    forked.sees("v1")
    forked.press("Next checkpoint")  # of two children, the newer is the next
    forked.sees("v2")
    expect(forked.row("Mary")).to_be_visible()
    forked.press("Create next checkpoint")
    forked.sees("v3")
    expect(forked.row("Mary")).to_be_visible()
    expect(forked.page.locator(".line .line .entry")).to_have_count(2)
