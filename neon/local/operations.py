"""The operations of a project: rows whose status follows from the clock."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.conf import settings

from neon.local import store
from neon.local.databases import Connection
from neon.local.errors import BadRequest, NotFound

Row = dict[str, Any]
Action = tuple[str, str, str | None]  # action, branch id, endpoint id

# Of the operations of one call the first runs and the others wait, until all of them are done.
STATUS = """
CASE WHEN finish_at <= clock_timestamp() THEN 'finished' WHEN position = 0 THEN 'running' ELSE 'scheduling' END
"""
OPERATION = f"SELECT *, {STATUS} AS status FROM operations "  # noqa: S608 - two constants
# The list is ordered and paged by time, so those of one call are a microsecond apart.
BEGIN = f"""
INSERT INTO operations (project_id, branch_id, endpoint_id, action, position, created_at, finish_at)
SELECT %s, branch_id, endpoint_id, action, number - 1,
       now() + (number - 1) * interval '1 microsecond', now() + make_interval(secs => %s)
FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS wanted (action, branch_id, endpoint_id, number)
RETURNING *, {STATUS} AS status
"""  # noqa: S608 - two constants


def begin(connection: Connection, project_id: str, actions: Sequence[Action]) -> list[Row]:
    """Record the operations of one call and return them."""
    columns = [list(column) for column in zip(*actions, strict=True)]
    return connection.execute(BEGIN, [project_id, settings.NEON_LOCAL_OPERATION_SECONDS, *columns]).fetchall()


def running(connection: Connection, project_id: str) -> bool:
    """Tell whether an operation of the project still runs."""
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
