"""What a person sees of an action that takes its time, and of one that fails."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.servers import Demo, Plane
from tests.browser.user import User

pytestmark = pytest.mark.browser


def progress_of(user: User) -> Locator:
    """Return the dialog that shows the progress of a run."""
    return user.page.get_by_role("dialog")


def test_progress_is_a_dialog_with_real_steps_that_survives_a_second_click_and_a_reload(
    slow_demo: Demo, visit: Callable[..., User]
) -> None:
    user = visit(slow_demo)
    user.sign_up()
    other = User(user.page.context.new_page())
    for window in (user, other):
        window.page.goto("/")

    user.press("Start demo")
    dialog = progress_of(user)
    expect(dialog).to_have_accessible_name("Starting the demo")
    assert dialog.evaluate("dialog => dialog.matches(':modal') && dialog.contains(document.activeElement)")
    other.press("Start demo")
    expect(dialog.get_by_role("listitem")).to_contain_text(
        [
            "Create the Neon project: running",
            "Apply the first prompt: waiting",
            "Take a snapshot: waiting",
            "Record the checkpoint: waiting",
        ]
    )
    expect(dialog.get_by_role("status")).to_have_text("Create the Neon project, step 1 of 4")
    user.page.reload()
    expect(dialog).to_have_accessible_name("Starting the demo")
    expect(dialog.get_by_role("listitem").first).to_contain_text(re.compile(r"Create the Neon project: done\s*3\.\d s"))

    user.sees("v1")
    expect(dialog).to_have_count(0)
    expect(user.page.get_by_role("heading", level=1)).to_be_focused()
    other.sees("v1")
    assert other.page.url == user.page.url


def test_a_failure_says_so_and_trying_again_succeeds(
    plane: Plane, remote_demo: Demo, visit: Callable[..., User]
) -> None:
    user = visit(remote_demo)
    user.sign_up()
    user.start_demo()
    user.press("Create next checkpoint")
    user.sees("v2")
    plane.kill()
    try:
        user.press("Revert back")
        dialog = progress_of(user)
        expect(dialog).to_have_accessible_name("That did not work")
        expect(dialog.get_by_role("alert")).to_contain_text("Neon")
        expect(dialog.get_by_role("listitem").nth(1)).to_contain_text("Restore the snapshot: failed")
        expect(dialog.get_by_role("button", name="Try again")).to_be_visible()

        # Put away, it stays away, and the database is where it was.
        user.page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        user.edit_contact("Ada Lovelace", role="Countess")
        expect(user.row("Countess")).to_be_visible()
        expect(dialog).to_have_count(0)

        user.press("Revert back")
        expect(dialog).to_have_accessible_name("That did not work")
    finally:
        plane.start()
    user.press("Try again")
    user.sees("v1")
