"""The plane's memory: its tables, in its own database on the server that it works on."""

import atexit
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from neon.local import postgres
from neon.local.address import PLANE_DATABASE, PostgresError
from neon.local.cluster import Connection
from neon.local.errors import NotFound

# What made the tables, the routines, and what changed them since, each applied once, in the order of their names.
STEPS = sorted((Path(__file__).parent / "sql").glob("*.sql"))
IDLE_CONNECTIONS = 8
# From its second use on a statement is prepared, and planned once for all: the rows are few and found by key.
PREPARE_AFTER, PREPARED = 1, 1000
# What a project's role has locked is not waited for without end: the others of the cluster wait behind us.
LOCK_SECONDS = 2

# A branch is in the making, or being reset, while an operation says so, and served while it has an endpoint. What a
# reset prepares is nobody's business.
BRANCHES: LiteralString = """
SELECT b.*, EXISTS (
           SELECT FROM operations o WHERE o.branch_id = b.id AND o.finish_at > clock_timestamp()
           AND o.action IN ('create_branch', 'create_timeline')
       ) AS is_init,
       EXISTS (SELECT FROM branches r WHERE r.restored_as = b.id AND r.finalize_as = 'reset') AS is_resetting,
       EXISTS (SELECT FROM endpoints e WHERE e.branch_id = b.id) AS is_served
FROM branches b
WHERE b.project_id = %s AND (b.finalize_as IS DISTINCT FROM 'reset' OR b.restored_as IS NULL)
"""
ENDPOINTS: LiteralString = """
SELECT e.*, EXISTS (
           SELECT FROM operations o WHERE o.endpoint_id = e.id AND o.finish_at > clock_timestamp()
           AND o.action = 'start_compute'
       ) AS is_init
FROM endpoints e
WHERE true
"""

UNLOCK: LiteralString = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"
WAIT_FOR_LOCK: LiteralString = """
SELECT pg_advisory_lock(hashtextextended(%s, 0)) FROM set_config('lock_timeout', '0', false)
"""

# By process: a forked child must not speak on its parent's connections, nor close them.
_idle: defaultdict[int, list[Connection]] = defaultdict(list)


@contextmanager
def connection(*, keep: bool = True) -> Iterator[Connection]:
    """Lend a connection in autocommit mode to the plane's database, as the cluster's superuser.

    Without *keep* it is a session that nobody had before or gets afterwards.
    """
    idle = _idle[os.getpid()]
    lent = (_take(idle) if keep else None) or _connect()
    try:
        yield lent
    finally:
        if keep and lent.info.transaction_status == TransactionStatus.IDLE and len(idle) < IDLE_CONNECTIONS:
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
            kept.execute("")  # not a look at the socket: a server that was killed lives on for a moment in its sessions
        except psycopg.OperationalError:
            kept.close()
        else:
            return kept
    return None


def _connect() -> Connection:
    """Connect; a server that does not answer is looked for, and started, once more."""
    where = postgres.server().address()
    try:
        made = _open(where)
    except psycopg.OperationalError:
        postgres.server().forget()
        where = postgres.server().address()
        try:
            made = _open(where)
        except psycopg.OperationalError as error:
            raise PostgresError("Postgres does not let the control plane in.") from error
    made.prepared_max = PREPARED
    _bring_up_to_date(made)
    return made


def _open(where: Mapping[str, Any]) -> Connection:
    # Behind those of the server's URL, if it has any. The last day of 9999 has no other date that Python knows; a copy,
    # and a call that waits for sessions to end, take the time that they take.
    ours = (
        f"-c TimeZone=UTC -c lock_timeout={LOCK_SECONDS}s -c statement_timeout=0 -c plan_cache_mode=force_generic_plan"
    )
    where = {
        "application_name": "neon_local",
        **where,
        "dbname": PLANE_DATABASE,
        "options": f"{where.get('options', '')} {ours}",
    }
    # Never a Django connection: it would join the caller's transaction, and CREATE DATABASE cannot run in one.
    return psycopg.Connection[DictRow].connect(
        **where, autocommit=True, row_factory=dict_row, prepare_threshold=PREPARE_AFTER
    )


def _bring_up_to_date(connection: Connection) -> None:
    """Take the steps that the plane's database has not taken yet."""
    fresh = one(connection, "SELECT to_regclass('steps') IS NULL AS fresh")["fresh"]
    if not fresh and one(connection, "SELECT count(*) AS taken FROM steps")["taken"] >= len(STEPS):
        return
    if fresh and one(connection, "SELECT to_regclass('projects') IS NOT NULL AS old")["old"]:
        raise PostgresError(f"The database {PLANE_DATABASE} was made by a development version. Drop it, or begin anew.")
    with connection.transaction():
        # Two processes may come at once.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('steps', 0))")
        connection.execute("CREATE TABLE IF NOT EXISTS steps (name text PRIMARY KEY)")
        taken = {row["name"] for row in connection.execute("SELECT name FROM steps").fetchall()}
        for step in STEPS:
            if step.name not in taken:
                connection.execute(step.read_text())
                connection.execute("INSERT INTO steps (name) VALUES (%s)", [step.name])


def version() -> int:
    """Return the major version of the server's Postgres."""
    with connection() as lent:
        return lent.info.server_version // 10000


def one(connection: Connection, query: LiteralString, *arguments: Any, thing: str = "") -> DictRow:
    """Return the row that the query finds; raises NotFound, as Neon does for an unknown id."""
    row = connection.execute(query, arguments).fetchone()
    if row is None:
        raise NotFound(f"{thing} not found".lstrip())
    return row


def project(connection: Connection, project_id: str) -> DictRow:
    """Return one project that is not deleted; raises NotFound."""
    query = "SELECT * FROM projects WHERE id = %s AND deleted_at IS NULL"
    return one(connection, query, project_id, thing="project")


def branch(connection: Connection, project_id: str, branch_id: str) -> DictRow:
    """Return one branch; raises NotFound."""
    return one(connection, BRANCHES + " AND b.id = %s", project_id, branch_id, thing="branch")


def databases_of_branch(connection: Connection, branch_id: str) -> list[DictRow]:
    """Return a branch's databases."""
    return connection.execute("SELECT * FROM databases WHERE branch_id = %s ORDER BY id", [branch_id]).fetchall()


def databases_of_snapshot(connection: Connection, snapshot_id: str) -> list[DictRow]:
    """Return a snapshot's databases."""
    return connection.execute("SELECT * FROM databases WHERE snapshot_id = %s ORDER BY id", [snapshot_id]).fetchall()


def roles_of_branch(connection: Connection, branch_id: str) -> list[DictRow]:
    """Return a branch's roles."""
    return connection.execute(
        "SELECT r.*, m.branch_id FROM memberships m JOIN roles r USING (physical_name)"
        " WHERE m.branch_id = %s ORDER BY r.created_at",
        [branch_id],
    ).fetchall()


def endpoint_of(connection: Connection, branch_id: str) -> DictRow | None:
    """Return a branch's endpoint, if it has one; without one nobody can connect to it."""
    return connection.execute(ENDPOINTS + " AND e.branch_id = %s", [branch_id]).fetchone()


def served(connection: Connection, project_id: str) -> list[str]:
    """Return the physical names of a project's databases that an endpoint serves."""
    rows = connection.execute(
        "SELECT d.physical_name FROM databases d JOIN endpoints e ON e.branch_id = d.branch_id"
        " JOIN projects p ON p.id = e.project_id WHERE p.id = %s AND p.deleted_at IS NULL ORDER BY d.id",
        [project_id],
    )
    return [row["physical_name"] for row in rows]


def served_of_branch(connection: Connection, branch_id: str) -> list[str]:
    """Return the physical names of a branch's databases, none when no endpoint serves it."""
    rows = connection.execute(
        "SELECT physical_name FROM databases d JOIN endpoints USING (branch_id) WHERE branch_id = %s ORDER BY d.id",
        [branch_id],
    )
    return [row["physical_name"] for row in rows]


def unserved_of_branches(connection: Connection, branch_ids: Sequence[str]) -> list[str]:
    """Return the physical names of the databases of those of the branches that no endpoint serves."""
    rows = connection.execute(
        "SELECT physical_name FROM databases d WHERE branch_id = ANY(%s)"
        " AND NOT EXISTS (SELECT FROM endpoints e WHERE e.branch_id = d.branch_id)",
        [list(branch_ids)],
    )
    return [row["physical_name"] for row in rows]


def role_names(connection: Connection, project_id: str) -> dict[str, str]:
    """Return a project's roles, each with its name in the cluster."""
    rows = connection.execute("SELECT name, physical_name FROM roles WHERE project_id = %s", [project_id])
    return {row["name"]: row["physical_name"] for row in rows}


@contextmanager
def lock(connection: Connection, name: str, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of that name, which the session may hold already; tell whether it was free when not waiting."""
    held = one(connection, "SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS held", name)["held"]
    if wait and not held:
        # However long: its holder is one of us, and may be copying.
        connection.execute(WAIT_FOR_LOCK, [name])
        connection.execute("RESET lock_timeout")
        held = True
    try:
        yield held
    finally:
        if held:
            unlock(connection, UNLOCK, name)


def unlock(connection: Connection, query: LiteralString, names: str | list[str]) -> None:
    """Let go of locks, unless they have gone with the session: then why that has ended is what counts."""
    if not connection.closed:
        connection.execute(query, [names])
