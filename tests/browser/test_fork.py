"""Who goes back and does something else gets a fork, drawn as one."""

import pytest
from playwright.sync_api import expect

from tests.browser.user import User

pytestmark = pytest.mark.browser


def test_a_fork_is_drawn_as_one_and_both_its_ends_are_kept(user: User) -> None:
    for version in ("v2", "v3"):
        user.press("Create next checkpoint")
        user.sees(version)
    user.jump("Create a contact list")
    user.sees("v1")
    user.add_contact(name="Mary Jackson", email="mary@example.com")
    expect(user.row("Mary")).to_be_visible()
    user.press("Create next checkpoint from here")
    user.sees("v2")
    expect(user.row("Mary")).to_be_visible()

    # The fork is a line of its own, between the two ends of the rail that it leaves, and further to the right.
    timeline = user.page.get_by_role("navigation", name="Timeline")
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

    user.jump("Add tags")
    user.sees("v3")
    expect(user.row("Mary")).to_have_count(0)
    user.page.locator(".line .line button").click()
    user.sees("v2")
    expect(user.row("Mary")).to_be_visible()
    user.press("Revert back")
    user.sees("v1")
    user.press("Next checkpoint")  # of two children, the newer is the next
    user.sees("v2")
    user.press("Create next checkpoint")
    user.sees("v3")
    expect(user.row("Mary")).to_be_visible()
    expect(user.page.locator(".line .line .entry")).to_have_count(2)
