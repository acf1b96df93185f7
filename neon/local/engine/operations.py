"""The operations of a project: rows whose status follows from the clock.

All of one call end at the same time. They finish, unless a fault was asked for: then the first one ends as that says,
those behind it are cancelled, and what they were to bring about does not come.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from django.conf import settings
from psycopg.rows import DictRow

from neon.local import faults, store
from neon.local.cluster import Connection
from neon.local.errors import BadRequest, NotFound

Row = dict[str, Any]
Action = tuple[str, str, str | None]  # action, branch id, endpoint id

# Of the operations of one call the first runs and the others wait, until all of them are done. One that has failed
# and will be tried again shows so in the meantime.
STATUS = """
CASE WHEN finish_at <= clock_timestamp() THEN outcome WHEN position > 0 THEN 'scheduling'
     WHEN retry_at IS NOT NULL THEN 'failed' ELSE 'running' END
"""
OPERATION = f"SELECT *, {STATUS} AS status FROM operations "  # noqa: S608 - two constants
# The list is ordered and paged by time, so those of one call are a microsecond apart.
BEGIN = f"""
INSERT INTO operations
    (project_id, branch_id, endpoint_id, action, position, created_at, finish_at, outcome, retry_at, error)
SELECT %(project_id)s, branch_id, endpoint_id, action, number - 1,
       began + (number - 1) * interval '1 microsecond', ended + make_interval(secs => %(seconds)s),
       CASE WHEN number = 1 OR %(outcome)s = 'finished' THEN %(outcome)s ELSE 'cancelled' END,
       CASE WHEN number = 1 AND %(retried)s THEN ended + make_interval(secs => %(seconds)s) END,
       CASE WHEN number = 1 THEN %(error)s END
FROM unnest(%(actions)s::text[], %(branches)s::text[], %(endpoints)s::text[])
     WITH ORDINALITY AS wanted (action, branch_id, endpoint_id, number),
     clock_timestamp() AS ended, CAST(%(began)s AS timestamptz) AS began
RETURNING *, {STATUS} AS status
"""  # noqa: S608 - two constants
ERROR = "failed on request"
# When an operation ends without its effect, or NULL.
FAIL_AT: LiteralString = "CASE WHEN outcome <> 'finished' THEN finish_at END"

# When the call that is at work began. What it copies before its operations are recorded is their work.
_began: ContextVar[datetime] = ContextVar("began")


@contextmanager
def beginning(connection: Connection, at: datetime | None = None) -> Iterator[None]:
    """Let the operations that are recorded in the block have begun now, or *at* a moment just past."""
    token = _began.set(at or store.one(connection, "SELECT clock_timestamp() AS now")["now"])
    try:
        yield
    finally:
        _began.reset(token)


def began() -> datetime:
    """Return when the operations of the call that is at work began."""
    return _began.get()


def begin(connection: Connection, project_id: str, actions: Sequence[Action]) -> list[Row]:
    """Record the operations of one call and return them."""
    return insert(connection, project_id, actions).fetchall()


def insert(connection: Connection, project_id: str, actions: Sequence[Action]) -> psycopg.Cursor[DictRow]:
    """Record the operations of one call, which the cursor returns when they are asked for."""
    wanted = faults.outcome()
    names, branches, endpoints = ([*column] for column in zip(*actions, strict=True))
    return connection.execute(
        BEGIN,
        {
            "project_id": project_id,
            "began": began(),
            "actions": names,
            "branches": branches,
            "endpoints": endpoints,
            "seconds": settings.NEON_LOCAL_OPERATION_SECONDS if wanted.seconds is None else wanted.seconds,
            "outcome": wanted.status,
            "retried": wanted.retried,
            "error": ERROR if wanted.retried or wanted.status in {"failed", "error"} else None,
        },
    )


def prolong(connection: Connection, project_id: str, planned: datetime) -> None:
    """Let the operations that were *planned* to end then have lasted as much longer as this transaction does."""
    connection.execute(
        "UPDATE operations SET finish_at = finish_at + (moment - now()) FROM clock_timestamp() AS moment"
        " WHERE project_id = %s AND finish_at = %s",
        [project_id, planned],
    )


def take_time() -> bool:
    """Tell whether operations may end later than they begin, or otherwise than asked for."""
    return bool(settings.NEON_LOCAL_OPERATION_SECONDS or settings.NEON_LOCAL_FAULTS)


def fail_at(begun: Sequence[Row]) -> datetime | None:
    """Return when the operations of one call end without their effect, or None when they will have it."""
    return begun[0]["finish_at"] if begun and begun[0]["outcome"] != "finished" else None


def running(connection: Connection, project_id: str) -> bool:
    """Tell whether an operation of the project still runs, or will be tried again."""
    row = connection.execute(
        "SELECT 1 FROM operations WHERE project_id = %s AND finish_at > clock_timestamp() LIMIT 1",
        [project_id],
    ).fetchone()
    return row is not None


def page(connection: Connection, project_id: str, cursor: str, limit: int) -> list[Row]:
    """Return a page of operations, the newest first; raises BadRequest for a cursor that is not a time."""
    try:
        return connection.execute(
            OPERATION + "WHERE project_id = %s AND created_at < coalesce(nullif(%s, '')::timestamptz, 'infinity')"
            " ORDER BY created_at DESC LIMIT %s",
            [project_id, cursor, limit],
        ).fetchall()
    except psycopg.DataError:
        raise BadRequest("invalid cursor") from None


def get(connection: Connection, project_id: str, operation_id: str) -> Row:
    """Return one operation; raises NotFound."""
    try:
        return store.one(connection, OPERATION + "WHERE project_id = %s AND id = %s", project_id, operation_id)
    except psycopg.DataError:
        raise NotFound("operation not found") from None


def forget_old(connection: Connection) -> None:
    """Delete operations that finished a week ago."""
    connection.execute("DELETE FROM operations WHERE finish_at < now() - interval '7 days'")
