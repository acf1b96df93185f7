"""A person at a browser, in words of what they see and do; the same words with and without JavaScript."""

import re
import uuid
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

PASSWORD = "correct horse battery"
VALUES = ".name, .cell > :not(.key)"


@dataclass
class User:
    """One window of one person."""

    page: Page

    def sign_up(self) -> None:
        """Make an account that nobody has had before."""
        self.page.goto("/accounts/signup/")
        self.page.get_by_label("Email").fill(f"{uuid.uuid4().hex[:12]}@example.com")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign up").click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def start_demo(self) -> None:
        """Start the demo from the home page."""
        self.page.goto("/")
        self.press("Start demo")
        self.sees("v1")

    def press(self, label: str) -> None:
        """Press the button with exactly this label."""
        self.page.get_by_role("button", name=label, exact=True).click()

    def sees(self, version: str) -> None:
        """Check that the page is a checkpoint of that version, with the database at it and no action at work."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(f"Checkpoint {version}")
        expect(self.page.get_by_role("heading", name="Restoring")).to_have_count(0)
        expect(self.entry("database is here")).to_have_text(re.compile(rf"^\s*{version}\b"))

    def entry(self, text: str) -> Locator:
        """Return the places of the timeline that say so."""
        return self.page.get_by_role("navigation", name="Timeline").locator(".place", has_text=text)

    def jump(self, text: str) -> None:
        """Jump to the checkpoint whose place in the timeline says so."""
        self.entry(text).click()

    def contacts(self) -> list[str]:
        """Return what each contact's row says, in one line of text."""
        rows = self.page.locator("#contacts .contact").all()
        return [" ".join(" ".join(row.locator(VALUES).all_inner_texts()).split()) for row in rows]

    def row(self, name: str) -> Locator:
        """Return the row of a contact."""
        return self.page.locator("#contacts .contact", has_text=name)

    def add_contact(self, **values: str) -> None:
        """Fill in the form below the list, by label, and send it."""
        form = self.page.get_by_role("form", name="Add contact")
        for label, value in values.items():
            form.get_by_label(label.capitalize()).fill(value)
        form.get_by_role("button", name="Add contact").click()

    def edit_contact(self, name: str, **values: str) -> None:
        """Open a contact's form, fill in these fields and save."""
        self.page.get_by_role("link", name=f"Edit {name}").click()
        form = self.page.get_by_role("form", name=f"Edit {name}")
        for label, value in values.items():
            form.get_by_label(label.capitalize()).fill(value)
        form.get_by_role("button", name="Save").click()
        expect(form).to_have_count(0)

    def delete_contact(self, name: str) -> None:
        """Delete a contact, and say yes when asked."""
        self.page.get_by_role("link", name=f"Delete {name}").click()
        self.press("Delete contact")
        expect(self.row(name)).to_have_count(0)

    def open_tab(self, name: str) -> None:
        """Open one of the three tabs."""
        self.page.get_by_role("link", name=name, exact=True).click()
        expect(self.page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")

    def columns(self) -> list[str]:
        """Return the columns of the contacts table, as the tab *contacts schema* shows them."""
        self.open_tab("contacts schema")
        names = self.page.get_by_role("table").locator("tbody tr td:first-child").all_inner_texts()
        self.open_tab("app")
        return names
