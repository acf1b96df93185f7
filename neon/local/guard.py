"""Keeps one project from taking what all share on the embedded server: its table of locks.

Whoever fills that table shuts everybody out. Not even the superuser can connect any more, or end a session in SQL. So
the guard is connected before, reads the locks through functions that need none, and ends the sessions as processes.
"""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator

import psycopg

from neon.local import postgres
from neon.local.address import PLANE_DATABASE

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# A tenth of the table, and as many as a dump of that many tables takes.
LOCKS_PER_ROLE = 8_000
# The superuser's id is 10 in every cluster. Locks that a session keeps for itself are not in the table.
GREEDY = """
WITH taken AS (
    SELECT l.pid, a.usesysid, l.locks
    FROM (SELECT pid, count(*) AS locks FROM pg_lock_status() WHERE NOT fastpath GROUP BY pid) AS l,
        LATERAL pg_stat_get_activity(l.pid) AS a
    WHERE a.usesysid <> 10
)
SELECT pid FROM taken
WHERE usesysid IN (SELECT usesysid FROM taken GROUP BY usesysid HAVING sum(locks) > %s)
"""


@contextlib.contextmanager
def watching() -> Iterator[None]:
    """Let a thread look at the locks every second, and end the sessions of a role that has too many."""
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=[stop], name="guard")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _watch(stop: threading.Event) -> None:
    while not stop.wait(LOOK_SECONDS):
        where = postgres.embedded().known()
        if where is None:
            continue  # whoever uses the server starts it; to start it here might be to start it once more at the end
        with contextlib.suppress(psycopg.Error), psycopg.connect(**where, dbname=PLANE_DATABASE) as connection:
            connection.autocommit = True
            while not stop.wait(LOOK_SECONDS):
                _look(connection)


def _look(connection: psycopg.Connection) -> None:
    """End the sessions of roles that hold too many locks."""
    for (pid,) in connection.execute(GREEDY, [LOCKS_PER_ROLE]).fetchall():
        logger.warning("A session of a project held too many locks, and was ended")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
