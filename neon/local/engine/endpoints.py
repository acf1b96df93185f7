"""Endpoints: a branch has one, or nobody can connect to it. A suspended one wakes with the next connection."""

from typing import Any

from neon.local import cluster, store
from neon.local.cluster import Connection
from neon.local.engine import copies, operations
from neon.local.engine.access import changing, looking
from neon.local.errors import NotFound, Unprocessable
from neon.local.ids import new_id

Row = dict[str, Any]


def of_project(project_id: str, branch_id: str = "") -> list[Row]:
    """Return a project's endpoints, or those of one branch."""
    with looking(project_id) as connection:
        if branch_id:
            store.branch(connection, project_id, branch_id)
        _notice_awake(connection, project_id)
        return connection.execute(
            store.ENDPOINTS + " AND e.project_id = %s AND (%s = '' OR e.branch_id = %s) ORDER BY e.created_at",
            [project_id, branch_id, branch_id],
        ).fetchall()


def get(project_id: str, endpoint_id: str) -> Row:
    """Return one endpoint; raises NotFound."""
    with looking(project_id) as connection:
        _notice_awake(connection, project_id)
        return _endpoint(connection, project_id, endpoint_id)


def create(project_id: str, branch_id: str, name: str = "") -> tuple[Row, list[Row]]:
    """Give a branch an endpoint; raises NotFound, and Unprocessable when it has one."""
    endpoint_id = new_id("ep-")
    with changing(project_id) as connection:
        branch = store.branch(connection, project_id, branch_id)
        if store.endpoint_of(connection, branch_id):
            raise Unprocessable("read_write endpoint already exists for this branch")
        copies.own(connection, branch_id)
        with connection.transaction():
            insert(connection, project_id, branch_id, endpoint_id, name)
            copies.open_branch(connection, branch)
            begun = operations.begin(connection, project_id, [("start_compute", branch_id, endpoint_id)])
        return _endpoint(connection, project_id, endpoint_id), begun


def insert(connection: Connection, project_id: str, branch_id: str, endpoint_id: str, name: str = "") -> None:
    """Record an endpoint."""
    connection.execute(
        "INSERT INTO endpoints (id, project_id, branch_id, name) VALUES (%s, %s, %s, %s)",
        [endpoint_id, project_id, branch_id, name],
    )


def start(project_id: str, endpoint_id: str) -> tuple[Row, list[Row]]:
    """Wake an endpoint; one that is awake stays so."""
    with changing(project_id) as connection:
        endpoint = _endpoint(connection, project_id, endpoint_id)
        with connection.transaction():
            wake(connection, endpoint_id)
            begun = operations.begin(connection, project_id, [("start_compute", endpoint["branch_id"], endpoint_id)])
        return _endpoint(connection, project_id, endpoint_id), begun


def suspend(project_id: str, endpoint_id: str) -> tuple[Row, list[Row]]:
    """Put an endpoint to sleep: its connections end, and the next one wakes it."""
    with changing(project_id) as connection:
        endpoint = _endpoint(connection, project_id, endpoint_id)
        cluster.end_sessions(connection, store.served_of_branch(connection, endpoint["branch_id"]))
        with connection.transaction():
            connection.execute(
                "UPDATE endpoints SET suspended_at = clock_timestamp(), updated_at = clock_timestamp() WHERE id = %s",
                [endpoint_id],
            )
            begun = operations.begin(connection, project_id, [("suspend_compute", endpoint["branch_id"], endpoint_id)])
        return _endpoint(connection, project_id, endpoint_id), begun


def restart(project_id: str, endpoint_id: str) -> tuple[Row, list[Row]]:
    """End an endpoint's connections and leave it awake."""
    with changing(project_id) as connection:
        endpoint = _endpoint(connection, project_id, endpoint_id)
        cluster.end_sessions(connection, store.served_of_branch(connection, endpoint["branch_id"]))
        with connection.transaction():
            wake(connection, endpoint_id)
            names = ("suspend_compute", "start_compute")
            actions = [(name, endpoint["branch_id"], endpoint_id) for name in names]
            begun = operations.begin(connection, project_id, actions)
        return _endpoint(connection, project_id, endpoint_id), begun


def delete(project_id: str, endpoint_id: str) -> tuple[Row, list[Row]] | None:
    """Take a branch's endpoint away, which closes its databases; None when there is none."""
    with changing(project_id) as connection:
        try:
            endpoint = _endpoint(connection, project_id, endpoint_id)
        except NotFound:
            return None
        branch = store.branch(connection, project_id, endpoint["branch_id"])
        with cluster.closed(connection, store.served_of_branch(connection, branch["id"])), connection.transaction():
            copies.retire_branch(connection, branch)
            connection.execute("DELETE FROM endpoints WHERE id = %s", [endpoint_id])
            begun = operations.begin(connection, project_id, [("suspend_compute", branch["id"], endpoint_id)])
        return endpoint, begun


def wake(connection: Connection, endpoint_id: str) -> None:
    """Record that an endpoint is awake."""
    connection.execute(
        "UPDATE endpoints SET suspended_at = NULL, updated_at = clock_timestamp()"
        " WHERE id = %s AND suspended_at IS NOT NULL",
        [endpoint_id],
    )


def _notice_awake(connection: Connection, project_id: str) -> None:
    """Record who woke by a connection that went straight to the server."""
    for row in connection.execute(
        "SELECT id, branch_id FROM endpoints WHERE project_id = %s AND suspended_at IS NOT NULL", [project_id]
    ).fetchall():
        if cluster.sessions(connection, store.served_of_branch(connection, row["branch_id"])):
            wake(connection, row["id"])


def _endpoint(connection: Connection, project_id: str, endpoint_id: str) -> Row:
    query = store.ENDPOINTS + " AND e.project_id = %s AND e.id = %s"
    return store.one(connection, query, project_id, endpoint_id, thing="endpoint")
