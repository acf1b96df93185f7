import pytest

from contacts import queries, schema
from contacts.errors import Rejected
from contacts.types import Column
from contacts.versions import FIRST, VERSIONS, get
from tests.contacts.everybody import everybody


def by_email(uri, version):
    return {contact.email: contact for contact in everybody(uri, version)}


def test_v1_makes_the_table_and_three_people(empty_uri):
    schema.apply(empty_uri, FIRST)
    assert [(contact.name, contact.email) for contact in everybody(empty_uri, FIRST)] == [
        ("Ada Lovelace", "ada@example.com"),
        ("Alan Turing", "alan@example.com"),
        ("Grace Hopper", "grace@example.com"),
    ]
    assert schema.columns(empty_uri) == [
        Column("contacts", "id", "uuid", False, "gen_random_uuid()"),
        Column("contacts", "name", "text", False, ""),
        Column("contacts", "email", "text", False, ""),
    ]


def test_v2_and_v3_add_filled_columns(uri):
    schema.apply(uri, get("v2"))
    schema.apply(uri, get("v3"))
    assert [(column.name, column.data_type, column.nullable) for column in schema.columns(uri)[3:]] == [
        ("role", "text", False),
        ("company", "text", False),
        ("tags", "text[]", False),
    ]
    contacts = everybody(uri, get("v3"))
    assert len(contacts) == 3
    assert all(contact.role and contact.company and contact.tags for contact in contacts)


def test_every_step_may_be_repeated_and_keeps_edits(empty_uri):
    for version in VERSIONS:
        schema.apply(empty_uri, version)
    v3 = get("v3")
    contacts = by_email(empty_uri, v3)
    queries.change(empty_uri, v3, contacts["ada@example.com"].id, {"role": "Countess", "tags": ("edited",)})
    queries.remove(empty_uri, contacts["alan@example.com"].id)
    before = everybody(empty_uri, v3)
    for version in VERSIONS:
        schema.apply(empty_uri, version)
    assert everybody(empty_uri, v3) == before


def test_a_step_leaves_other_contacts_empty(uri):
    other = queries.add(uri, FIRST, {"name": "Zed", "email": "zed@example.com"})
    schema.apply(uri, get("v2"))
    schema.apply(uri, get("v3"))
    contact = queries.get(uri, get("v3"), other.id)
    assert (contact.role, contact.company, contact.tags) == ("", "", ())


def test_a_step_that_fails_changes_nothing(uri, execute):
    execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$")
    execute("CREATE TRIGGER refuse BEFORE UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION refuse()")
    with pytest.raises(Rejected):
        schema.apply(uri, get("v2"))
    assert schema.contact_columns(uri) == {"id", "name", "email"}


def test_revert_drops_what_the_version_added_and_keeps_edits(uri):
    before = schema.contact_columns(uri)
    edited = queries.add(uri, FIRST, {"name": "Edited before", "email": "edited@example.com"})
    schema.apply(uri, get("v2"))
    schema.revert(uri, get("v2"), before)
    schema.revert(uri, get("v2"), before)
    assert schema.contact_columns(uri) == before
    assert queries.get(uri, FIRST, edited.id) == edited


def test_revert_keeps_columns_that_were_there_before(uri, execute):
    execute("ALTER TABLE contacts ADD COLUMN role text NOT NULL DEFAULT 'mine'")
    before = schema.contact_columns(uri)
    schema.apply(uri, get("v2"))
    schema.revert(uri, get("v2"), before)
    assert schema.contact_columns(uri) == {"id", "name", "email", "role"}
    assert execute("SELECT DISTINCT role FROM contacts").fetchall() == [("mine",)]


def test_revert_of_the_first_version_is_refused(uri):
    with pytest.raises(ValueError, match="nothing before"):
        schema.revert(uri, FIRST, ())


def test_revert_without_the_table_does_nothing(empty_uri):
    schema.revert(empty_uri, get("v2"), ())
    assert schema.columns(empty_uri) == []


def test_columns_show_all_schemas_and_name_types_as_people_do(uri, execute):
    execute("CREATE SCHEMA audit")
    execute("CREATE TYPE audit.mood AS ENUM ('good', 'bad')")
    execute(
        "CREATE TABLE audit.log (moods audit.mood[], mood audit.mood DEFAULT 'good', numbers int[], at timestamptz)"
    )
    execute("CREATE VIEW everything AS SELECT * FROM contacts")
    assert schema.columns(uri)[3:] == [
        Column("audit.log", "moods", "audit.mood[]", True, ""),
        Column("audit.log", "mood", "audit.mood", True, "'good'::audit.mood"),
        Column("audit.log", "numbers", "integer[]", True, ""),
        Column("audit.log", "at", "timestamp with time zone", True, ""),
    ]
    assert schema.contact_columns(uri) == {"id", "name", "email"}


def test_the_schema_of_the_steps_does_not_depend_on_the_search_path(uri, execute, name):
    execute("CREATE SCHEMA other")
    execute(f"ALTER DATABASE {name} SET search_path TO other")
    schema.apply(uri, get("v2"))
    assert schema.contact_columns(uri) >= {"role", "company"}


def test_columns_are_those_of_information_schema(uri, execute):
    execute("CREATE TABLE odd (a varchar(9) DEFAULT 'x', b numeric(4, 2), c int GENERATED ALWAYS AS (1) STORED)")
    execute("ALTER TABLE odd ADD COLUMN d serial, DROP COLUMN b, ADD COLUMN e timestamp(0), ADD COLUMN f name")
    execute("CREATE TABLE parts (g int NOT NULL) PARTITION BY LIST (g)")
    rows = execute("""
        SELECT table_name, column_name, data_type, is_nullable = 'YES', coalesce(column_default, '')
        FROM information_schema.columns
        WHERE table_schema = 'public'
        ORDER BY table_name, ordinal_position
    """).fetchall()
    assert schema.columns(uri) == [Column(*row) for row in rows]
