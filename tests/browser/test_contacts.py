"""Contacts by keyboard alone: the focus is always where the next key belongs."""

import pytest
from playwright.sync_api import Locator, expect

from contacts.errors import DuplicateEmail
from tests.browser.user import User

pytestmark = pytest.mark.browser


def tab_to(user: User, wanted: Locator) -> None:
    """Press Tab until *wanted* has the focus."""
    for _ in range(60):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        user.page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {wanted}")


def test_a_contact_is_added_edited_and_deleted_by_keyboard(user: User) -> None:
    page, keyboard = user.page, user.page.keyboard
    add = page.get_by_role("form", name="Add contact")
    tab_to(user, add.get_by_label("Name"))
    keyboard.type("Dorothy Vaughan")
    keyboard.press("Tab")
    keyboard.type("dorothy@example.com")
    keyboard.press("Enter")
    expect(user.row("Dorothy")).to_be_visible()
    expect(add.get_by_label("Name")).to_be_focused()
    expect(add.get_by_label("Name")).to_have_value("")

    edit = page.get_by_role("link", name="Edit Dorothy Vaughan")
    edit.focus()
    keyboard.press("Enter")
    name = page.get_by_role("form", name="Edit Dorothy").get_by_label("Name")
    expect(name).to_be_focused()
    keyboard.press("End")
    keyboard.type(" Johnson")
    keyboard.press("Enter")
    expect(user.row("Dorothy Vaughan Johnson")).to_be_visible()
    expect(edit).to_be_focused()

    keyboard.press("Enter")
    expect(name).to_be_focused()
    keyboard.type("never saved")
    tab_to(user, page.get_by_role("link", name="Cancel"))
    keyboard.press("Enter")
    expect(edit).to_be_focused()
    expect(user.row("Dorothy Vaughan Johnson")).to_be_visible()

    delete = page.get_by_role("link", name="Delete Dorothy")
    tab_to(user, delete)
    keyboard.press("Enter")
    tab_to(user, page.get_by_role("link", name="Keep"))
    keyboard.press("Enter")
    expect(delete).to_be_focused()
    keyboard.press("Enter")
    tab_to(user, page.get_by_role("button", name="Delete contact"))
    keyboard.press("Enter")
    expect(user.row("Dorothy")).to_have_count(0)
    expect(add.get_by_label("Name")).to_be_focused()


def test_errors_are_at_their_fields_and_what_was_typed_stays(user: User) -> None:
    page, keyboard = user.page, user.page.keyboard
    form = page.get_by_role("form", name="Add contact")
    name, email = form.get_by_label("Name"), form.get_by_label("Email")

    name.focus()
    keyboard.press("Enter")
    expect(name).to_have_accessible_description("Enter a name.")
    expect(email).to_have_accessible_description("Enter an email address.")
    expect(name).to_be_focused()

    keyboard.type("Another Ada")
    keyboard.press("Tab")
    keyboard.type("ada@example.com")
    keyboard.press("Enter")
    expect(email).to_have_accessible_description(DuplicateEmail.sentence)
    expect(email).to_be_focused()
    expect(email).to_have_value("ada@example.com")
    expect(name).to_have_value("Another Ada")
    keyboard.press("Home")
    keyboard.type("another.")
    keyboard.press("Enter")
    expect(user.row("another.ada@example.com")).to_be_visible()

    user.page.get_by_role("link", name="Edit Another Ada").click()
    form = page.get_by_role("form", name="Edit Another Ada")
    form.get_by_label("Name").fill("Nobody else")
    form.get_by_label("Email").fill("alan@example.com")
    keyboard.press("Enter")
    expect(form.get_by_label("Email")).to_be_focused()
    expect(form.get_by_label("Email")).to_have_accessible_description(DuplicateEmail.sentence)
    expect(form.get_by_label("Name")).to_have_value("Nobody else")
