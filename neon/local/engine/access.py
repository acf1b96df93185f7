"""How a call gets at a project: to look, at its state as it is now, or to change it, alone."""

from collections.abc import Iterator
from contextlib import contextmanager

from neon.local import store
from neon.local.cluster import Connection
from neon.local.engine import operations, restores, sweep
from neon.local.errors import Locked


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
        store.project(connection, project_id)  # as it is under the lock
        # In this order: a restore that becomes due in between would be neither running nor finished.
        if not held or operations.running(connection, project_id):
            raise Locked
        restores.finish_due(connection, project_id)
        sweep.forget_dropped(connection, project_id)
        sweep.reopen_closed(connection, project_id)
        yield connection
