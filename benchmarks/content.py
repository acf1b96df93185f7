"""What is in a database that is measured: the contact list at v1, and as many rows beside it as make it that large."""

from dataclasses import dataclass

import psycopg

from contacts.versions import VERSIONS

MEGABYTE = 1024 * 1024
# What Postgres' own tables take, in whole megabytes.
EMPTY = 8
# What a row of events takes, with its place in the index.
ROW_BYTES = 490

TABLES = """
CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), note text NOT NULL
);
-- What a client writes while something is measured; not part of what is compared.
CREATE TABLE ticks (at timestamptz NOT NULL DEFAULT clock_timestamp());
"""
# Text that a dump can compress to about a fifth, as it can that of people.
EVENTS = """
INSERT INTO events (note)
SELECT repeat(md5(n::text), 4) || repeat(md5((-n)::text), 4) || repeat(md5((n * 0.5)::text), 4)
FROM generate_series(1, %s::bigint) AS n
"""
LOOK = """
SELECT (SELECT string_agg(name || ' ' || email, ', ' ORDER BY email) FROM contacts),
       (SELECT count(*) FROM events),
       (SELECT coalesce(sum(id), 0)::bigint FROM events),
       (SELECT string_agg(table_name || '.' || column_name, ', ' ORDER BY table_name, ordinal_position)
        FROM information_schema.columns WHERE table_schema = 'public')
"""
CHANGE = """
INSERT INTO contacts (name, email) VALUES ('Somebody', 'somebody@example.com'), ('Else', 'else@example.com');
DELETE FROM contacts WHERE email = 'ada@example.com';
DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT 1000);
INSERT INTO events (note) SELECT 'new' FROM generate_series(1, 10);
"""


@dataclass(frozen=True)
class Content:
    """What has to be back after a restore: every contact, how many events and which, every column."""

    contacts: str
    events: int
    ids: int
    columns: str


def fill(uri: str, megabytes: int) -> None:
    """Fill an empty database until it has about that size; every one gets the same."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(VERSIONS[0].sql.encode())
        connection.execute(TABLES)
        if megabytes > EMPTY:
            connection.execute(EVENTS, [(megabytes - EMPTY) * MEGABYTE // ROW_BYTES])
        connection.execute("VACUUM (ANALYZE) contacts, events, ticks")  # or the first who reads would have to write


def look(uri: str) -> Content:
    """Return what a database holds."""
    with psycopg.connect(uri) as connection:
        row = connection.execute(LOOK).fetchone()
        if row is None:
            raise LookupError("The database says nothing of its content.")
        return Content(*row)


def change(uri: str) -> None:
    """Go on with the app: to v2, with contacts and events that come and go."""
    with psycopg.connect(uri) as connection:
        connection.execute(VERSIONS[1].sql.encode())
        connection.execute(CHANGE)


def visit(uri: str) -> None:
    """Do what a page does first: connect, and read the contacts and the newest events."""
    with psycopg.connect(uri) as connection:
        connection.execute("SELECT name, email FROM contacts ORDER BY name").fetchall()
        connection.execute("SELECT at, note FROM events ORDER BY id DESC LIMIT 20").fetchall()
