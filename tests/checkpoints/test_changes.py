"""Changes since the checkpoint: GET /checkpoints/<id>/changes/."""

import time

import pytest

from checkpoints import changes
from tests.checkpoints.html import HTMX, Page


def url(checkpoint):
    return f"/checkpoints/{checkpoint.pk}/changes/"


def words(response):
    """Return what the section says."""
    return Page(response).one(id="changes").words


def test_an_untouched_database_says_nothing(owner, head):
    assert words(owner.get(url(head), headers=HTMX)) == ""


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("INSERT INTO contacts (name, email) VALUES ('B', 'b@x.org')", "public.contacts 3 4 1"),
        ("DELETE FROM contacts WHERE name = 'Ada Lovelace'", "public.contacts 3 2 0"),
        ("UPDATE contacts SET name = 'Ada King' WHERE name = 'Ada Lovelace'", "public.contacts 3 3 1"),
        ("CREATE TABLE notes AS SELECT 1 AS n", "public.notes new 1 1"),
        ("DROP TABLE contacts", "public.contacts 3 gone 0"),
        ("ALTER TABLE contacts ADD phone text", "Columns added: public.contacts.phone"),
        ("ALTER TABLE contacts DROP COLUMN email", "Columns gone: public.contacts.email"),
        ("CREATE INDEX ON contacts (name)", "Its schema is another one"),
    ],
)
def test_whatever_changed_is_told(owner, head, execute, statement, row):
    execute(statement)
    said = words(owner.get(url(head), headers=HTMX))
    assert said.startswith("The database has changed since its checkpoint.")
    assert row in said


def test_without_htmx_it_is_a_page(owner, head, execute):
    execute("DELETE FROM contacts")
    response = owner.get(url(head))
    assert Page(response).headings == ["Changes since the checkpoint"]
    assert "3 0 0" in words(response)


def test_a_database_that_does_not_answer_may_have_changed(owner, head, database_down):
    assert words(owner.get(url(head), headers=HTMX)).startswith("The database may have changed")


def test_a_look_ends_in_time(project, head, monkeypatch):
    monkeypatch.setattr(changes, "compare", lambda *arguments, **options: time.sleep(0.3))
    began = time.monotonic()
    found = changes.look(project, seconds=0.05)
    assert time.monotonic() - began < 0.25
    assert found
    assert found.difference is None


def test_elsewhere_and_while_an_action_is_at_work_nothing_is_looked_at(owner, moved, head, impatient, wire):
    assert words(owner.get(url(moved.first), headers=HTMX)) == ""
    owner.post(f"/checkpoints/{moved.first.pk}/restore/")
    assert words(owner.get(url(moved.second), headers=HTMX)) == ""


def test_the_page_asks_for_it_by_itself(owner, head):
    section = Page(owner.get(f"/checkpoints/{head.pk}/")).one(id="changes")
    assert (section["hx-get"], section["hx-trigger"]) == (url(head), "load delay:100ms")


def test_an_edit_has_it_asked_for_again(owner, head):
    response = owner.post(f"/checkpoints/{head.pk}/contacts/", {"name": "B", "email": "b@x.org"}, headers=HTMX)
    assert "contacts-changed" in response["HX-Trigger"]
    assert "contacts-changed from:body" in Page(owner.get(url(head), headers=HTMX)).one(id="changes")["hx-trigger"]


def test_starting_again_says_what_else_is_lost(owner, head, execute):
    assert "has changed since" not in owner.post("/start/").content.decode()
    execute("DELETE FROM contacts")
    assert "The database has changed since its checkpoint" in owner.post("/start/").content.decode()
