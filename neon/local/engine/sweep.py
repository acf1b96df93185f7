"""What a killed process leaves, set right: closed live databases, half-made copies, databases that nothing needs."""

import contextlib
import logging
from collections.abc import Iterator
from typing import LiteralString

import psycopg

from neon.local import cluster, store
from neon.local.cluster import Connection
from neon.local.engine import leftovers

logger = logging.getLogger(__name__)

# Upkeep comes every ten seconds.
OVERDUE_SECONDS = 60
CLOSED: LiteralString = """
SELECT e.project_id, d.physical_name FROM databases d JOIN endpoints e ON e.branch_id = d.branch_id
JOIN projects ON projects.id = e.project_id AND deleted_at IS NULL
JOIN pg_database p ON p.datname = d.physical_name
WHERE NOT p.datallowconn AND (%(project)s::text IS NULL OR e.project_id = %(project)s)
"""


@contextlib.contextmanager
def apart(connection: Connection, name: str) -> Iterator[None]:
    """Keep what fails for one project or database from stopping the upkeep of the others."""
    try:
        yield
    except psycopg.errors.QueryCanceled:
        raise  # to give way: for all of them
    except Exception:
        if connection.closed:
            raise
        logger.exception("Upkeep of %s failed; the next one tries again.", name)


def forget_dropped(connection: Connection, project_id: str) -> None:
    """Forget the databases that their owners have dropped in SQL, as Neon does when it looks at a compute."""
    connection.execute(
        "DELETE FROM databases d USING branches b WHERE b.id = d.branch_id AND b.project_id = %s"
        " AND NOT EXISTS (SELECT 1 FROM pg_database p WHERE p.datname = d.physical_name)",
        [project_id],
    )


def reopen_closed(connection: Connection, project_id: str | None = None) -> None:
    """Open the live databases that a kill between closing and opening left shut; of one project, or of all."""
    closed = connection.execute(CLOSED, {"project": project_id}).fetchall()
    for row in closed:
        # When the lock is taken, somebody is at work there and opens it again.
        with (
            apart(connection, row["physical_name"]),
            store.lock(connection, row["project_id"], wait=False) as held,
        ):
            # Looked up again under the lock: the project may have been deleted since.
            if held and row["physical_name"] in store.served(connection, row["project_id"]):
                cluster.allow_connections(connection, row["physical_name"], True)


def overdue(connection: Connection) -> list[str]:
    """Say in sentences what should have been set right: closed databases, and what was left a while ago."""
    sentences = []
    for row in connection.execute(CLOSED, {"project": None}).fetchall():
        with store.lock(connection, row["project_id"], wait=False) as held:
            if held:  # else somebody is at work there
                sentences.append(f"A database of the local project {row['project_id']} lets nobody in.")
    query = "SELECT physical_name, kind FROM leftovers WHERE created_at < clock_timestamp() - make_interval(secs => %s)"
    for row in connection.execute(query, [OVERDUE_SECONDS]).fetchall():
        with store.lock(connection, row["physical_name"], wait=False) as held:
            if held:
                sentences.append(f"A local {row['kind']} that nothing refers to has not been dropped.")
    return sentences


def drop_leftovers(connection: Connection) -> None:
    """Drop every database and role that nothing refers to, but for those that somebody is just making."""
    rows = connection.execute("SELECT physical_name, kind FROM leftovers ORDER BY kind, created_at").fetchall()
    for row in rows:  # databases come before roles, which cannot go before what they own
        with apart(connection, row["physical_name"]), store.lock(connection, row["physical_name"], wait=False) as held:
            if held:
                _drop_leftover(connection, row["physical_name"], row["kind"])


def _drop_leftover(connection: Connection, name: str, kind: str) -> None:
    # Read again under the lock: it may have been published, or dropped, since.
    if not connection.execute("SELECT 1 FROM leftovers WHERE physical_name = %s", [name]).fetchone():
        return
    if kind == "database":
        cluster.drop(connection, name)
    else:
        try:
            cluster.drop_role(connection, name)
        except psycopg.errors.DependentObjectsStillExist:
            return  # another project's database still grants something to it
    leftovers.publish(connection, [name])
