"""Databases and roles in the cluster that belong to nothing: being made, or waiting to be dropped."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import LiteralString

from neon.local import store
from neon.local.cluster import Connection

# Not waited for until it is on the disk: what is made is written after it, and is there only if this is. Nor is there
# anyone to wait for, as nobody knows the names yet.
MAKING: LiteralString = """
INSERT INTO leftovers (physical_name, kind) SELECT name, kind
FROM set_config('synchronous_commit', 'off', true),
     unnest(%s::text[], %s::text[]) AS made (name, kind), pg_advisory_lock(hashtextextended(name, 0))
"""
MADE: LiteralString = "SELECT pg_advisory_unlock(hashtextextended(name, 0)) FROM unnest(%s::text[]) AS name"
UNSHARED: LiteralString = """
INSERT INTO leftovers (physical_name, kind) SELECT physical_name, 'database' FROM databases d
WHERE NOT EXISTS (SELECT FROM databases o WHERE o.physical_name = d.physical_name AND o.id <> d.id)
"""
LEAVE_SPARES: LiteralString = """
WITH gone AS (DELETE FROM spares USING databases d WHERE d.id = database_id AND """
LEAVE_GONE: LiteralString = """ RETURNING spares.physical_name)
INSERT INTO leftovers (physical_name, kind) SELECT physical_name, 'database' FROM gone
"""


@contextmanager
def making(connection: Connection, kinds: Mapping[str, str]) -> Iterator[None]:
    """Register names (with "role" or "database") as leftovers while they are made, locked against the sweep.

    Whoever publishes a name deletes its leftover row in the same transaction; a name whose row is still there after
    a failure or a kill is swept.
    """
    try:
        connection.execute(MAKING, [[*kinds], [*kinds.values()]])
        yield
    finally:
        store.unlock(connection, MADE, [*kinds])


def publish(connection: Connection, names: Sequence[str]) -> None:
    """Take names off the leftovers; in the transaction that records what they are."""
    connection.execute("DELETE FROM leftovers WHERE physical_name = ANY(%s)", [list(names)])


def leave_databases(connection: Connection, condition: LiteralString, argument: str | int) -> None:
    """Hand the databases of a branch or a snapshot over to the sweep, but for those that another one shares."""
    leave_spares(connection, condition, argument)
    connection.execute(UNSHARED + " AND " + condition, [argument])


def leave_spares(connection: Connection, condition: LiteralString, argument: str | int) -> None:
    """Hand the spares of databases over to the sweep, in the transaction that forgets these."""
    connection.execute("SELECT FROM databases WHERE " + condition + " FOR UPDATE", [argument])
    connection.execute(LEAVE_SPARES + condition + LEAVE_GONE, [argument])


def leave(connection: Connection, query: LiteralString, *arguments: str) -> None:
    """Hand what the query names, each with its kind, over to the sweep; in the transaction that forgets it."""
    connection.execute("INSERT INTO leftovers (physical_name, kind) " + query, arguments)
