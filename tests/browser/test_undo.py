"""What was written past the site comes back: edits after v3, a jump to v1, and Undo."""

import pytest
from playwright.sync_api import expect

from tests.browser.servers import Demo
from tests.browser.user import User

pytestmark = pytest.mark.browser

EDITS = """
INSERT INTO contacts (name, email) VALUES ('Barbara Liskov', 'barbara@example.com');
UPDATE contacts SET company = 'Navy' WHERE name = 'Grace Hopper';
DELETE FROM contacts WHERE name = 'Ada Lovelace';
ALTER TABLE contacts ADD COLUMN phone text;
CREATE TABLE notes AS SELECT 'by hand' AS body;
"""


def test_edits_by_psql_after_v3_are_back_after_a_jump_and_undo(user: User, demo: Demo) -> None:
    for version in ("v2", "v3"):
        user.press("Create next checkpoint")
        user.sees(version)
    demo.psql(EDITS)

    user.page.reload()
    changes = user.page.locator("#changes")
    expect(changes).to_contain_text("The database has changed since its checkpoint.")
    expect(changes).to_contain_text("public.contacts.phone")
    expect(changes.get_by_role("row", name="public.notes new 1 1")).to_be_visible()
    expect(changes.get_by_role("row", name="public.contacts 3 3 2")).to_be_visible()
    edited = user.contacts()

    user.jump("Create a contact list")
    user.sees("v1")
    expect(changes).to_be_hidden()
    assert len(user.contacts()) == 3

    user.press("Undo")
    user.sees("v3")
    assert user.contacts() == edited
    assert demo.psql("SELECT body FROM notes") == [("by hand",)]
    expect(user.entry("Before the jump to v1")).to_be_visible()

    user.press("Undo")
    user.sees("v1")
    assert len(user.contacts()) == 3
