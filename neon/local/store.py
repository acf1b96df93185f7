"""The plane's memory: its tables, in its own database on the embedded server."""

import atexit
import functools
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from neon.local import postgres
from neon.local.databases import Connection
from neon.local.errors import NotFound

SCHEMA = Path(__file__).parent / "sql" / "schema.sql"
IDLE_CONNECTIONS = 8

# By process: a forked child must not speak on its parent's connections, nor close them.
_idle: defaultdict[int, list[Connection]] = defaultdict(list)


@contextmanager
def connection() -> Iterator[Connection]:
    """Lend a connection in autocommit mode to the plane's database, as the cluster's superuser."""
    idle = _idle[os.getpid()]
    lent = _take(idle) or _connect()
    try:
        yield lent
    finally:
        if lent.info.transaction_status == TransactionStatus.IDLE and len(idle) < IDLE_CONNECTIONS:
            idle.append(lent)
        else:
            lent.close()


def close() -> None:
    """Close the idle connections, before the server stops."""
    for idle in _idle.pop(os.getpid(), []):
        idle.close()


atexit.register(close)


def _take(idle: list[Connection]) -> Connection | None:
    """Return an idle connection that still works."""
    while idle:
        try:
            kept = idle.pop()
        except IndexError:  # another thread was quicker
            break
        try:
            kept.execute("")
        except psycopg.OperationalError:
            kept.close()
        else:
            return kept
    return None


def _connect() -> Connection:
    """Connect; a server that does not answer is looked for, and started, once more."""
    # Never a Django connection: it would join the caller's transaction, and CREATE DATABASE cannot run in one.
    open_connection = functools.partial(
        psycopg.Connection[DictRow].connect,
        dbname=postgres.PLANE_DATABASE,
        autocommit=True,
        row_factory=dict_row,
        application_name="neon_local",
    )
    where = postgres.server().address()
    try:
        made = open_connection(**where)
    except psycopg.OperationalError:
        postgres.server().forget()
        made = open_connection(**postgres.server().address())
    if one(made, "SELECT to_regclass('operations') IS NULL AS fresh")["fresh"]:
        made.execute(SCHEMA.read_text())
    return made


def one(connection: Connection, query: LiteralString, *arguments: Any) -> DictRow:
    """Return the row that the query finds; raises NotFound, as Neon does for an unknown id."""
    row = connection.execute(query, arguments).fetchone()
    if row is None:
        raise NotFound("not found")
    return row


def branch(connection: Connection, project_id: str, branch_id: str) -> DictRow:
    """Return one branch; raises NotFound."""
    row = connection.execute("SELECT * FROM branches WHERE project_id = %s AND id = %s", [project_id, branch_id])
    if (found := row.fetchone()) is None:
        raise NotFound("branch not found")
    return found


def databases_of_branch(connection: Connection, branch_id: str) -> list[DictRow]:
    """Return a branch's databases."""
    return connection.execute("SELECT * FROM databases WHERE branch_id = %s ORDER BY id", [branch_id]).fetchall()


def databases_of_snapshot(connection: Connection, snapshot_id: str) -> list[DictRow]:
    """Return a snapshot's databases."""
    return connection.execute("SELECT * FROM databases WHERE snapshot_id = %s ORDER BY id", [snapshot_id]).fetchall()


def endpoints(connection: Connection, branch_id: str) -> list[DictRow]:
    """Return a branch's endpoints."""
    return connection.execute("SELECT * FROM endpoints WHERE branch_id = %s", [branch_id]).fetchall()


def served(connection: Connection, project_id: str) -> list[str]:
    """Return the physical names of a project's databases that an endpoint serves."""
    rows = connection.execute(
        "SELECT d.physical_name FROM databases d JOIN endpoints e ON e.branch_id = d.branch_id"
        " WHERE e.project_id = %s ORDER BY d.id",
        [project_id],
    )
    return [row["physical_name"] for row in rows]


def role_names(connection: Connection, project_id: str) -> dict[str, str]:
    """Return a project's roles, each with its name in the cluster."""
    rows = connection.execute("SELECT name, physical_name FROM roles WHERE project_id = %s", [project_id])
    return {row["name"]: row["physical_name"] for row in rows}


@contextmanager
def lock(connection: Connection, name: str, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of that name, which the session may hold already; tell whether it was free when not waiting."""
    if wait:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
    held = wait or one(connection, "SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS held", name)["held"]
    try:
        yield held
    finally:
        if held:
            connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
