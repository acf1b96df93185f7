import json
import re
from dataclasses import replace

import psycopg
import pytest

from contacts import db, fingerprint, schema
from contacts.errors import Unavailable
from contacts.fingerprint import Difference, Fingerprint, TableDifference
from contacts.versions import get
from neon.local import postgres

SAME = Difference(schema_changed=False, tables=(), sequences=())


def as_superuser(statement, name):
    """Run a statement in a database that needs more rights than its owner has."""
    with psycopg.connect(**postgres.server().address(), dbname=name, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def then(uri, execute):
    """The fingerprint of a database at v1 that has a second table with a sequence."""
    execute("CREATE TABLE notes (id serial PRIMARY KEY, text text NOT NULL)")
    execute("INSERT INTO notes (text) SELECT 'note ' || n FROM generate_series(1, 10) AS n")
    return fingerprint.take(uri)


def test_a_fingerprint_says_what_is_there(then):
    assert then.tables == {"public.contacts": 3, "public.notes": 10}
    assert then.sequences == {"public.notes_id_seq": 10}
    assert len(then.schema) == 64
    assert then.horizon > 0


def test_a_fingerprint_survives_json(then):
    assert Fingerprint.from_json(json.loads(json.dumps(then.to_json()))) == then


def test_nothing_written_is_no_difference(uri, then):
    difference = fingerprint.compare(uri, then)
    assert difference == SAME
    assert not difference


@pytest.mark.parametrize(
    ("statement", "rows_now", "rows_written"),
    [
        ("INSERT INTO contacts (name, email) VALUES ('New', 'new@example.com')", 4, 1),
        ("UPDATE contacts SET name = name WHERE email = 'ada@example.com'", 3, 1),
        ("DELETE FROM contacts WHERE email = 'ada@example.com'", 2, 0),
        ("WITH gone AS (DELETE FROM contacts RETURNING *) SELECT count(*) FROM gone", 0, 0),
        ("DELETE FROM contacts; INSERT INTO contacts (name, email) SELECT n, n FROM generate_series(1, 3) n", 3, 3),
        ("CREATE TEMP TABLE k AS TABLE contacts; TRUNCATE contacts; INSERT INTO contacts TABLE k", 3, 3),
        ("DO $$ BEGIN UPDATE contacts SET name = 'x'; EXCEPTION WHEN OTHERS THEN NULL; END $$", 3, 3),
    ],
    ids=["insert", "update", "delete", "delete all", "replace", "reload", "subtransaction"],
)
def test_what_was_written_is_found(uri, execute, then, statement, rows_now, rows_written):
    execute(statement)
    difference = fingerprint.compare(uri, then)
    assert difference
    assert difference == Difference(False, (TableDifference("public.contacts", 3, rows_now, rows_written),), ())


def test_what_was_rolled_back_is_no_difference(uri, execute, then):
    execute("BEGIN; INSERT INTO contacts (name, email) VALUES ('New', 'new@example.com'); ROLLBACK")
    execute("BEGIN; DELETE FROM contacts; ROLLBACK")
    assert fingerprint.compare(uri, then) == SAME


def test_reading_and_locking_rows_is_no_difference(uri, execute, then):
    execute("SELECT * FROM contacts FOR UPDATE")
    execute("ANALYZE contacts")
    assert fingerprint.compare(uri, then) == SAME


def test_a_write_that_was_under_way_is_found_once_it_is_committed(uri, execute):
    execute("BEGIN; UPDATE contacts SET name = 'x' WHERE email = 'ada@example.com'")
    then = fingerprint.take(uri)
    assert fingerprint.compare(uri, then) == SAME
    execute("COMMIT")
    assert fingerprint.compare(uri, then).tables == (TableDifference("public.contacts", 3, 3, 1),)


@pytest.mark.parametrize(
    "command", ["VACUUM (FREEZE)", "VACUUM (FULL, FREEZE)", "CLUSTER contacts USING contacts_pkey"]
)
def test_tidying_up_is_no_difference_and_hides_none(uri, execute, then, command):
    execute(command)
    assert fingerprint.compare(uri, then) == SAME
    execute("UPDATE contacts SET name = 'x'")
    execute("VACUUM (FREEZE)")
    assert fingerprint.compare(uri, then).tables[0].rows_written == 3


def test_a_used_sequence_is_found(uri, execute, then):
    execute("SELECT nextval('notes_id_seq')")
    assert fingerprint.compare(uri, then) == Difference(False, (), ("public.notes_id_seq",))


SCHEMA_CHANGES = [
    "ALTER TABLE contacts ADD COLUMN extra text",
    "ALTER TABLE contacts ALTER COLUMN name DROP NOT NULL",
    "ALTER TABLE contacts ALTER COLUMN name SET DEFAULT 'x'",
    "ALTER TABLE contacts RENAME COLUMN email TO mail",
    "ALTER TABLE contacts ADD CHECK (name <> '')",
    "ALTER TABLE contacts ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY mine ON contacts USING (true)",
    "CREATE INDEX ON contacts (lower(name))",
    "CREATE VIEW names AS SELECT name FROM contacts",
    "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int)",
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    "CREATE TYPE pair AS (a int, b int)",
    "CREATE DOMAIN short AS text CHECK (length(VALUE) < 9)",
    "CREATE RULE quiet AS ON DELETE TO contacts DO INSTEAD NOTHING",
    "CREATE SCHEMA other",
    "ALTER SEQUENCE notes_id_seq INCREMENT 2",
    "CREATE TRIGGER t BEFORE UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE OR REPLACE VIEW names AS SELECT lower(name) AS name FROM contacts",
    "CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    "ALTER TYPE mood ADD VALUE 'fair' BEFORE 'bad'",
    "ALTER DOMAIN short SET NOT NULL",
    "ALTER TABLE contacts DISABLE TRIGGER t",
    "ALTER POLICY mine ON contacts USING (false)",
    "DROP POLICY mine ON contacts",
    # These have no line of their own, but are named in one.
    'CREATE COLLATION plain FROM "C"; CREATE INDEX ON contacts (mail COLLATE plain)',
    "ALTER COLLATION plain RENAME TO simple",
    "CREATE TEXT SEARCH CONFIGURATION words (COPY = english); CREATE INDEX ON contacts (to_tsvector('words', name))",
    "ALTER TEXT SEARCH CONFIGURATION words RENAME TO terms",
    "CREATE TEXT SEARCH DICTIONARY stems (TEMPLATE = simple);"
    " CREATE INDEX ON contacts ((cardinality(ts_lexize('stems', name))))",
    "ALTER TEXT SEARCH DICTIONARY stems RENAME TO roots",
]


def test_every_change_of_the_schema_is_found(uri, execute, then):
    for statement in SCHEMA_CHANGES:
        before = fingerprint.take(uri)
        assert fingerprint.compare(uri, before) == SAME, statement
        execute(statement)
        found = fingerprint.compare(uri, before)
        assert (found.schema_changed, found.tables, found.sequences) == (True, (), ()), statement


def test_what_describes_the_schema_is_counted_wherever_its_hash_reads():
    read, counted = (
        set(re.findall(r"(?:FROM|JOIN)\s+(pg_\w+)", text.decode()))
        for text in (fingerprint.CATALOG, fingerprint.DESCRIBED)
    )
    assert len(read) > 10
    assert read <= counted


@pytest.fixture
def read(then, monkeypatch):
    """The schemas that were read since then."""
    times, execute = [], psycopg.Connection.execute

    def noting(self, query, *arguments, **options):
        if query == fingerprint.CATALOG:
            times.append(self.info.dbname)
        return execute(self, query, *arguments, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", noting)
    return times


def test_a_schema_of_which_nothing_was_written_is_not_read(uri, execute, then, read):
    execute("INSERT INTO contacts (name, email) VALUES ('New', 'new@example.com')")
    assert not fingerprint.compare(uri, then).schema_changed
    assert fingerprint.compare(uri, then).now.schema == then.schema
    assert read == []


def test_nor_is_that_of_a_copy(databases, uri, execute, name, then, read):
    db.forget(uri)
    execute.__self__.close()
    with databases.made(name) as copy:
        assert fingerprint.compare(databases.uri(copy), then) == SAME
    assert read == []


def test_a_schema_that_was_written_to_is_read(uri, execute, name, then, read):
    execute("ALTER TABLE notes ADD COLUMN x int; ALTER TABLE notes DROP COLUMN x")
    assert not fingerprint.compare(uri, then).schema_changed
    assert read == [name]


def test_a_schema_of_which_an_earlier_version_made_the_fingerprint_is_read(uri, name, then, read):
    data = then.to_json()
    del data["description"]
    assert fingerprint.compare(uri, Fingerprint.from_json(data)) == SAME
    assert read == [name]


def test_a_change_of_the_schema_that_was_under_way_is_found_once_it_is_committed(uri):
    with psycopg.connect(uri) as other:
        other.execute("SAVEPOINT one")
        other.execute("CREATE VIEW names AS SELECT name FROM contacts")
        then = fingerprint.take(uri)
    assert fingerprint.compare(uri, then).schema_changed


def test_schemas_of_two_histories_differ_though_as_many_rows_describe_them(databases, template):
    with databases.made(template) as one, databases.made(template) as two:
        taken = []
        for name in (one, two):
            with psycopg.connect(databases.uri(name), autocommit=True) as connection:
                connection.execute(f"ALTER TABLE contacts ADD COLUMN {name} text")
            taken.append(fingerprint.take(databases.uri(name)))
        assert taken[0].description.split()[0] == taken[1].description.split()[0]
        assert fingerprint.compare(databases.uri(one), taken[1]).schema_changed
        assert fingerprint.compare(databases.uri(two), taken[0]).schema_changed


def test_columns_that_came_and_went_are_named(uri, execute, then):
    execute("ALTER TABLE notes ADD COLUMN extra text")
    execute("ALTER TABLE notes RENAME COLUMN text TO words")
    found = fingerprint.compare(uri, then)
    assert (found.columns_added, found.columns_gone) == (
        ("public.notes.words", "public.notes.extra"),
        ("public.notes.text",),
    )


def test_tables_that_came_and_went_are_found(uri, execute, then):
    execute("DROP TABLE notes")
    execute("CREATE SCHEMA other")
    execute("CREATE TABLE other.things AS SELECT 1 AS a")
    assert fingerprint.compare(uri, then) == Difference(
        True,
        (TableDifference("other.things", None, 1, 1), TableDifference("public.notes", 10, None, 0)),
        ("public.notes_id_seq",),
    )


def test_names_may_be_odd(uri, execute):
    execute('CREATE SCHEMA "Odd ""schema"" %s"')
    execute('CREATE TABLE "Odd ""schema"" %s"."a.b %(x)s {}" ("çol" serial)')
    then = fingerprint.take(uri)
    execute('INSERT INTO "Odd ""schema"" %s"."a.b %(x)s {}" DEFAULT VALUES')
    assert fingerprint.compare(uri, then) == Difference(
        False,
        (TableDifference('"Odd ""schema"" %s"."a.b %(x)s {}"', 0, 1, 1),),
        ('"Odd ""schema"" %s"."a.b %(x)s {}_çol_seq"',),
    )


def test_partitions_and_children_are_counted_once_each(uri, execute):
    execute("CREATE TABLE log (day int) PARTITION BY RANGE (day)")
    execute("CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (1) TO (2)")
    execute("CREATE TABLE animals (name text)")
    execute("CREATE TABLE cats () INHERITS (animals)")
    then = fingerprint.take(uri)
    execute("INSERT INTO log VALUES (1)")
    execute("INSERT INTO cats VALUES ('Tom')")
    assert fingerprint.compare(uri, then).tables == (
        TableDifference("public.cats", 0, 1, 1),
        TableDifference("public.log_1", 0, 1, 1),
    )


def test_an_empty_database_has_an_empty_fingerprint(empty_uri):
    then = fingerprint.take(empty_uri)
    assert (then.tables, then.sequences) == ({}, {})
    assert fingerprint.compare(empty_uri, then) == SAME
    schema.apply(empty_uri, get("v1"))
    assert fingerprint.compare(empty_uri, then) == Difference(
        True, (TableDifference("public.contacts", None, 3, 3),), ()
    )


def test_a_copy_does_not_differ_until_it_is_written_to(databases, uri, name, execute, then):
    execute("VACUUM (FREEZE) notes")
    db.forget(uri)
    execute.__self__.close()
    with databases.made(name) as copy:
        assert fingerprint.compare(databases.uri(copy), then) == SAME
        assert fingerprint.take(databases.uri(copy)).schema == then.schema
        with psycopg.connect(databases.uri(copy), autocommit=True) as connection:
            connection.execute("UPDATE notes SET text = text WHERE id < 3")
        assert fingerprint.compare(databases.uri(copy), then).tables == (TableDifference("public.notes", 10, 10, 2),)


def test_a_step_that_was_reverted_leaves_the_schema_as_it_was(uri, then):
    before = schema.contact_columns(uri)
    schema.apply(uri, get("v2"))
    assert fingerprint.compare(uri, then).schema_changed
    schema.revert(uri, get("v2"), before)
    assert not fingerprint.compare(uri, then).schema_changed


def test_the_search_path_of_the_database_does_not_matter(uri, execute, name, then):
    execute(f"ALTER DATABASE {name} SET search_path TO pg_catalog")
    db.forget(uri)
    assert fingerprint.compare(uri, then) == SAME


def test_what_extensions_own_is_not_the_users(uri, execute, name, then):
    as_superuser("CREATE EXTENSION vector", name)
    assert fingerprint.compare(uri, then) == Difference(True, (), ())
    before = fingerprint.take(uri)
    as_superuser("ALTER EXTENSION vector DROP FUNCTION vector_dims(vector)", name)
    assert fingerprint.compare(uri, before) == Difference(True, (), ())
    as_superuser("ALTER EXTENSION vector ADD TABLE notes", name)
    assert fingerprint.take(uri).tables == {"public.contacts": 3}


def test_the_statement_limit_is_the_callers(uri, execute):
    execute("CREATE TABLE many AS SELECT generate_series(1, 100000)")
    then = fingerprint.take(uri)
    with pytest.raises(Unavailable):
        fingerprint.compare(uri, then, seconds=0.001)
    assert fingerprint.compare(uri, then) == SAME


def test_a_horizon_of_a_later_epoch_means_the_same(uri, then):
    """A counter that has passed 2^32 gives rows the same 32 bits as one that has not."""
    later = replace(then, horizon=then.horizon + 2**32, in_progress=(2**32 + 3,))
    assert fingerprint.compare(uri, later) == SAME
