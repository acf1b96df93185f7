"""Two people at once: neither sees nor touches what is the other's."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.servers import Demo
from tests.browser.user import User

pytestmark = pytest.mark.browser


def test_two_users_at_once_never_see_each_other(demo: Demo, user: User, visit: Callable[..., User]) -> None:
    other = visit(demo)
    other.sign_up()
    other.start_demo()
    user.add_contact(name="Only mine", email="mine@example.com")
    other.add_contact(name="Only theirs", email="theirs@example.com")
    expect(user.row("Only mine")).to_be_visible()
    expect(other.row("Only theirs")).to_be_visible()

    # Both at the same moment, again and again.
    for button, version in (
        ("Create next checkpoint", "v2"),
        ("Revert back", "v1"),
        ("Next checkpoint", "v2"),
        ("Create next checkpoint", "v3"),
    ):
        user.press(button)
        other.press(button)
        user.sees(version)
        other.sees(version)
    expect(user.row("Only mine")).to_be_visible()
    expect(other.row("Only theirs")).to_be_visible()
    expect(user.page.get_by_text("theirs")).to_have_count(0)
    expect(other.page.get_by_text("mine")).to_have_count(0)

    foreign = other.page.url
    for tab in ("", "?tab=meta", "?tab=schema"):
        response = user.page.goto(foreign + tab)
        assert response is not None
        assert response.status == 404
        expect(user.page.get_by_role("heading", level=1)).to_have_text("Not found")
