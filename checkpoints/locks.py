"""Who is at what: advisory locks of the meta database, which end with their session, however its process ends."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar

from django.db import InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from psycopg.errors import LockNotAvailable

LOOK_SECONDS = 0.02
ALONE = (
    "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))",
    "SELECT pg_advisory_unlock(hashtextextended(%s, 0))",
)
QUEUED = ("SELECT true FROM pg_advisory_lock(hashtextextended(%s, 0))", ALONE[1])
TOGETHER = (
    "SELECT pg_try_advisory_lock_shared(hashtextextended(%s, 0))",
    "SELECT pg_advisory_unlock_shared(hashtextextended(%s, 0))",
)
TAKEN = """
SELECT EXISTS (
    SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE datname = current_database() AND locktype = 'advisory' AND granted AND objsubid = 1
    AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)
)
"""
# Sessions that hold no lock, to be used again: to open one takes as long as some step of a jump.
_idle: list[BaseDatabaseWrapper] = []
os.register_at_fork(after_in_child=_idle.clear)  # they are the parent's
_of_run: ContextVar[CursorWrapper | None] = ContextVar("of_run", default=None)


@contextmanager
def run(run_id: uuid.UUID, *, seconds: float = 0) -> Iterator[bool]:
    """Be the only one who executes or cleans up a run; tells whether nobody else is, or has stopped in *seconds*."""
    with _session() as cursor, _held(cursor, ALONE, f"run {run_id}", seconds) as held:
        token = _of_run.set(cursor)
        try:
            yield held
        finally:
            _of_run.reset(token)


@contextmanager
def swap(project_id: uuid.UUID, *, seconds: float) -> Iterator[bool]:
    """Keep the site's edits away from an app database; tells whether those under way have ended in *seconds*.

    It waits in Postgres' own queue, where it keeps new edits away already: else one after the other would come first.
    Within the lock of a run it is taken on that one's session, so that both end together.
    """
    of_run = _of_run.get()
    with nullcontext(of_run) if of_run else _session() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{max(1, round(seconds * 1000))}ms"])
        with _held(cursor, QUEUED, f"swap {project_id}", 0) as held:
            yield held


@contextmanager
def edit(project_id: uuid.UUID) -> Iterator[bool]:
    """Keep a swap away from an app database while it is edited; tells whether none is under way."""
    with connections["default"].cursor() as cursor, _held(cursor, TOGETHER, f"swap {project_id}", 0) as held:
        yield held


def is_executed(run_id: uuid.UUID) -> bool:
    """Tell whether some process executes a run; a look at its lock, as to take it might make a worker pass it by."""
    with connections["default"].cursor() as cursor:
        cursor.execute(TAKEN, [f"run {run_id}"])
        return bool(cursor.fetchone()[0])


def end_idle_sessions() -> None:
    """End the sessions that hold no lock, as when their server was away, or before their database is dropped."""
    with suppress(IndexError):
        while True:
            _idle.pop().close()


@contextmanager
def _session() -> Iterator[CursorWrapper]:
    """Lend a session that nobody else uses meanwhile, which ends with this process whatever happens."""
    connection = _idle_session() or _new_session()
    try:
        with connection.cursor() as cursor:
            yield cursor
    except BaseException:
        connection.close()
        raise
    _idle.append(connection)


def _idle_session() -> BaseDatabaseWrapper | None:
    """Return a session that still works, and makes sure by that that it holds nothing; None if there is none."""
    with suppress(IndexError):
        while True:
            connection = _idle.pop()
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock_all()")
            except (OperationalError, InterfaceError):
                connection.close()
            else:
                return connection
    return None


def _new_session() -> BaseDatabaseWrapper:
    connection = connections.create_connection("default")
    connection.inc_thread_sharing()  # one thread after the other
    return connection


@contextmanager
def _held(cursor: CursorWrapper, statements: tuple[str, str], name: str, seconds: float) -> Iterator[bool]:
    take, release = statements
    deadline = time.monotonic() + seconds
    while True:
        held = _is_taken(cursor, take, name)
        if held or time.monotonic() >= deadline:
            break
        time.sleep(LOOK_SECONDS)
    try:
        yield held
    finally:
        if held:  # the server notices a closed session only later, and until then the lock would seem taken
            try:
                cursor.execute(release, [name])
            except (OperationalError, InterfaceError):
                cursor.db.close()


def _is_taken(cursor: CursorWrapper, statement: str, name: str) -> bool:
    """Tell whether the lock is ours now; one that is waited for is not when the time is up."""
    try:
        cursor.execute(statement, [name])
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            return False
        raise
    return bool(cursor.fetchone()[0])
