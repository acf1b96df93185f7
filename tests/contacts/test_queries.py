import uuid

import pytest

from contacts import db, queries, schema
from contacts.errors import DuplicateEmail, InvalidInput, NotFound, Rejected, TableMissing
from contacts.types import Contact
from contacts.versions import FIRST, VERSIONS, get
from tests.contacts.everybody import everybody

VALUES = {"name": "Katherine", "email": "k@example.com", "role": "Analyst", "company": "NASA", "tags": ("space", "a,b")}
NOBODY = uuid.UUID(int=0)


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def version(request, uri):
    """Every version in turn; the test's database is at it."""
    for step in VERSIONS[: VERSIONS.index(request.param) + 1]:
        schema.apply(uri, step)
    return request.param


@pytest.fixture
def values(version):
    return {field: VALUES[field] for field in version.fields}


def test_a_contact_is_added_and_found(uri, version, values):
    contact = queries.add(uri, version, values)
    assert contact == Contact(id=contact.id, **values)
    assert queries.get(uri, version, contact.id) == contact
    assert contact in everybody(uri, version)


def test_a_contact_is_changed(uri, version, values):
    contact = queries.add(uri, version, values)
    changed = queries.change(uri, version, contact.id, {**values, "name": "Katherine Johnson"})
    assert changed == Contact(id=contact.id, **{**values, "name": "Katherine Johnson"})
    assert queries.get(uri, version, contact.id) == changed


def test_a_contact_is_removed(uri, version, values):
    contact = queries.add(uri, version, values)
    queries.remove(uri, contact.id)
    assert contact not in everybody(uri, version)


def test_contacts_come_by_name_whatever_the_case(uri):
    for number, name in enumerate(("bob", "Zoe", "Bob", "alice")):
        queries.add(uri, FIRST, {"name": name, "email": f"{number}@example.com"})
    names = [contact.name for contact in everybody(uri, FIRST)]
    assert names == ["Ada Lovelace", "Alan Turing", "alice", "Bob", "bob", "Grace Hopper", "Zoe"]


def test_a_change_of_some_fields_leaves_the_others(uri):
    schema.apply(uri, get("v2"))
    before = everybody(uri, get("v2"))[0]
    changed = queries.change(uri, get("v2"), before.id, {"role": "Countess"})
    assert (changed.role, changed.company, changed.name) == ("Countess", before.company, before.name)


def test_a_contact_that_is_gone_is_not_found(uri):
    with pytest.raises(NotFound):
        queries.get(uri, FIRST, NOBODY)
    with pytest.raises(NotFound):
        queries.change(uri, FIRST, NOBODY, {"name": "Nobody"})
    with pytest.raises(NotFound):
        queries.remove(uri, NOBODY)


def test_a_duplicate_email_is_refused(uri):
    with pytest.raises(DuplicateEmail):
        queries.add(uri, FIRST, {"name": "Another Ada", "email": "ada@example.com"})
    alan = everybody(uri, FIRST)[1]
    with pytest.raises(DuplicateEmail):
        queries.change(uri, FIRST, alan.id, {"email": "ada@example.com"})
    assert queries.get(uri, FIRST, alan.id) == alan


def test_another_unique_constraint_is_not_taken_for_the_email(uri, execute):
    execute("ALTER TABLE contacts ADD UNIQUE (name)")
    with pytest.raises(Rejected):
        queries.add(uri, FIRST, {"name": "Ada Lovelace", "email": "other@example.com"})


def test_a_required_column_of_somebody_else_makes_adding_refused(uri, execute):
    execute("ALTER TABLE contacts ADD COLUMN phone text NOT NULL DEFAULT ''")
    execute("ALTER TABLE contacts ALTER COLUMN phone DROP DEFAULT")
    with pytest.raises(Rejected):
        queries.add(uri, FIRST, {"name": "New", "email": "new@example.com"})


TOO_LONG_FOR_AN_INDEX = "".join(map(str, range(100_000)))


def test_text_that_postgres_cannot_store_is_invalid(uri):
    for text in ("nul \x00", "half \ud800", TOO_LONG_FOR_AN_INDEX):
        with pytest.raises(InvalidInput):
            queries.add(uri, FIRST, {"name": "Name", "email": text})


def test_any_other_text_comes_back_as_it_was(uri):
    schema.apply(uri, get("v2"))
    schema.apply(uri, get("v3"))
    for text in ("'; DROP TABLE contacts; --", "%s %(name)s", "שלום 🎈", "\\", '"{},'):
        values = {"name": text, "email": text, "role": text, "tags": (text,)}
        contact = queries.add(uri, get("v3"), values)
        assert queries.get(uri, get("v3"), contact.id) == Contact(id=contact.id, **values)


def test_fields_that_the_version_does_not_have_are_an_error_of_the_program(uri):
    with pytest.raises(ValueError, match="v1 has name, email, not role, tags"):
        queries.add(uri, FIRST, {"name": "x", "email": "y", "role": "", "tags": ()})
    with pytest.raises(ValueError, match="not nothing"):
        queries.change(uri, FIRST, NOBODY, {})


def test_the_list_is_one_round_trip(uri, tmp_path):
    everybody(uri, FIRST)
    connection = db._idle.take(uri)
    db._idle.put(uri, connection)
    path = tmp_path / "trace"
    with path.open("w") as file:
        connection.pgconn.trace(file.fileno())
        everybody(uri, FIRST)
        connection.pgconn.untrace()
    # Times, F for what the client sends or B for what the server does, and the message, which may have lines.
    messages = (line.split("\t") for line in path.read_text().splitlines())
    directions = "".join(message[1] for message in messages if len(message) > 2)
    assert directions.count("FB") == 1


def test_columns_that_are_missing_are_told(uri):
    with pytest.raises(TableMissing):
        everybody(uri, get("v2"))
    assert len(everybody(uri, FIRST)) == 3


def test_a_missing_table_is_told(empty_uri):
    for call in (
        lambda: everybody(empty_uri, FIRST),
        lambda: queries.get(empty_uri, FIRST, NOBODY),
        lambda: queries.add(empty_uri, FIRST, {"name": "x", "email": "y"}),
        lambda: queries.change(empty_uri, FIRST, NOBODY, {"name": "x"}),
        lambda: queries.remove(empty_uri, NOBODY),
    ):
        with pytest.raises(TableMissing):
            call()
