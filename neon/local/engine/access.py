"""How a call gets at a project: to look, at its state as it is now, or to change it, alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

from neon.local import store
from neon.local.cluster import Connection
from neon.local.engine import operations, restores, sweep
from neon.local.errors import Locked

# All as of one moment: a restore that becomes due in between would be neither running nor finished.
STATE: LiteralString = """
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at)
SELECT moment.at, EXISTS (
           SELECT FROM operations WHERE project_id = p.id AND finish_at > moment.at
       ) AS is_busy,
       EXISTS (
           SELECT FROM branches WHERE project_id = p.id AND least(finalize_at, fail_at) <= moment.at
           UNION ALL SELECT FROM snapshots WHERE project_id = p.id AND fail_at <= moment.at
       ) AS is_due,
       EXISTS (
           SELECT FROM databases d JOIN branches b ON b.id = d.branch_id LEFT JOIN endpoints e ON e.branch_id = b.id
           LEFT JOIN pg_database c ON c.datname = d.physical_name
           WHERE b.project_id = p.id AND (c.oid IS NULL OR e.id IS NOT NULL AND NOT c.datallowconn)
       ) AS is_astray
FROM projects p, moment WHERE p.id = %s AND p.deleted_at IS NULL
"""


@contextmanager
def looking(project_id: str) -> Iterator[Connection]:
    """Lend a connection to read about a project as it is now; raises NotFound."""
    with store.connection() as connection:
        store.project(connection, project_id)
        restores.finish_due(connection, project_id)
        yield connection


@contextmanager
def changing(project_id: str) -> Iterator[Connection]:
    """Lend a connection to change a project, with its lock held; raises NotFound, and Locked while operations run."""
    with store.connection() as connection, store.lock(connection, project_id, wait=False) as held:
        state = store.one(connection, STATE, project_id, thing="project")  # as it is under the lock
        if not held or state["is_busy"]:
            raise Locked
        if state["is_due"]:
            restores.finish_due(connection, project_id)
        if state["is_astray"]:
            sweep.forget_dropped(connection, project_id)
            sweep.reopen_closed(connection, project_id)
        with operations.beginning(connection, state["at"]):
            yield connection
