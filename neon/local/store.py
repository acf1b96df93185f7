"""The plane's memory: its tables, in its own database on the embedded server."""

import atexit
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from neon.local import postgres
from neon.local.errors import NotFound

Connection = psycopg.Connection[DictRow]

SCHEMA = Path(__file__).parent / "sql" / "schema.sql"


@contextmanager
def connection() -> Iterator[psycopg.Connection[DictRow]]:
    """Lend a connection in autocommit mode to the plane's database, as the cluster's superuser."""
    with _pool().connection() as lent:
        yield lent


def close() -> None:
    """Close the idle connections, before the server stops."""
    if _pool.cache_info().currsize:
        _pool().close()
        _pool.cache_clear()


@functools.cache
def _pool() -> ConnectionPool[psycopg.Connection[DictRow]]:
    with psycopg.connect(**_parameters()) as first:
        first.execute(SCHEMA.read_text())
    atexit.register(close)
    return ConnectionPool(
        kwargs=_parameters,
        min_size=0,
        max_size=8,
        timeout=10,
        open=True,
        check=ConnectionPool.check_connection,
        connection_class=psycopg.Connection[DictRow],
    )


def _parameters() -> dict[str, Any]:
    """Return how to connect now: a server that died may be started again, and elsewhere."""
    # Never a Django connection: it would join the caller's transaction, and CREATE DATABASE cannot run in one.
    return {
        **postgres.server().address(),
        "dbname": postgres.PLANE_DATABASE,
        "autocommit": True,
        "row_factory": dict_row,
        "application_name": "neon_local",
    }


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
def project_lock(connection: Connection, project_id: str, *, wait: bool) -> Iterator[bool]:
    """Hold a project's lock, which the session may hold already; tell whether it was free when not waiting."""
    if wait:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('project ' || %s, 0))", [project_id])
    free = "SELECT pg_try_advisory_lock(hashtextextended('project ' || %s, 0)) AS held"
    held = wait or one(connection, free, project_id)["held"]
    try:
        yield held
    finally:
        if held:
            connection.execute("SELECT pg_advisory_unlock(hashtextextended('project ' || %s, 0))", [project_id])
