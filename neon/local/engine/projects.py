"""Projects: made with a default branch, its endpoint, a role and a database; deleted, and for a while recovered."""

from typing import Any

from django.conf import settings

from neon.local import cluster, passwords, store
from neon.local.cluster import Connection
from neon.local.engine import endpoints, leftovers, operations, restores, template
from neon.local.engine.access import changing, looking
from neon.local.errors import Locked, Unprocessable
from neon.local.ids import new_id

Row = dict[str, Any]

DEFAULT_BRANCH = "main"
DEFAULT_DATABASE = "neondb"
DEFAULT_ROLE = "neondb_owner"


def create(name: str = "", *, branch: str = "", database: str = "", role: str = "") -> Row:
    """Make a project; returns it with all that it comes with, and the role's password."""
    project_id, branch_id, endpoint_id = new_id(""), new_id("br-"), new_id("ep-")
    role, database = role or DEFAULT_ROLE, database or DEFAULT_DATABASE
    physical_role, physical_database = cluster.new_name("role"), cluster.new_name("db")
    password = passwords.new()
    making = {physical_role: "role", physical_database: "database"}
    with store.connection() as connection, operations.beginning(connection), leftovers.making(connection, making):
        cluster.create_role(connection, physical_role, password)
        cluster.create(connection, physical_database, physical_role, template.name(connection))
        with connection.transaction():
            leftovers.publish(connection, list(making))
            cluster.shut_public_out(connection, physical_database)
            cluster.allow_connections(connection, physical_database, True)
            connection.execute("INSERT INTO projects (id, name) VALUES (%s, %s)", [project_id, name or project_id])
            connection.execute(
                "INSERT INTO branches (id, project_id, name, is_default) VALUES (%s, %s, %s, true)",
                [branch_id, project_id, branch or DEFAULT_BRANCH],
            )
            endpoints.insert(connection, project_id, branch_id, endpoint_id)
            connection.execute(
                "INSERT INTO roles (project_id, name, physical_name, password) VALUES (%s, %s, %s, %s)",
                [project_id, role, physical_role, passwords.encrypt(password)],
            )
            connection.execute(
                "INSERT INTO memberships (branch_id, physical_name) VALUES (%s, %s)", [branch_id, physical_role]
            )
            connection.execute(
                "INSERT INTO databases (branch_id, name, owner_name, physical_name) VALUES (%s, %s, %s, %s)",
                [branch_id, database, role, physical_database],
            )
            actions = [("create_timeline", branch_id, None), ("start_compute", branch_id, endpoint_id)]
            begun = operations.begin(connection, project_id, actions)
        return {
            "project": store.project(connection, project_id),
            "branch": store.branch(connection, project_id, branch_id),
            "endpoint": store.endpoint_of(connection, branch_id),
            "role": store.roles_of_branch(connection, branch_id)[0],
            "database": store.databases_of_branch(connection, branch_id)[0],
            "operations": begun,
            "password": password,
        }


def page(*, search: str = "", cursor: str = "", limit: int = 10, recoverable: bool = False) -> list[Row]:
    """Return a page of projects in the order of their ids: those after *cursor* whose name or id has *search*."""
    with store.connection() as connection:
        if recoverable:
            purge_deleted(connection)
        return connection.execute(
            "SELECT * FROM projects WHERE id > %s AND (strpos(name, %s) > 0 OR strpos(id, %s) > 0)"
            " AND (deleted_at IS NOT NULL) = %s ORDER BY id LIMIT %s",
            [cursor, search, search, recoverable, limit],
        ).fetchall()


def get(project_id: str) -> Row:
    """Return one project; raises NotFound."""
    with looking(project_id) as connection:
        return store.project(connection, project_id)


def rename(project_id: str, name: str) -> Row:
    """Give a project another name; without one, leave it as it is."""
    with changing(project_id) as connection:
        return store.one(
            connection,
            "UPDATE projects SET name = coalesce(nullif(%s, ''), name), updated_at = clock_timestamp()"
            " WHERE id = %s RETURNING *",
            name,
            project_id,
        )


def delete(project_id: str) -> Row:
    """Close a project's databases and take its roles' log-ins away at once; what it held goes after a while."""
    with (
        changing(project_id) as connection,
        cluster.closed(connection, store.served(connection, project_id)),
        connection.transaction(),
    ):
        for role in store.role_names(connection, project_id).values():
            cluster.lock_out(connection, role)
        query = "UPDATE projects SET deleted_at = clock_timestamp() WHERE id = %s RETURNING *"
        project = store.one(connection, query, project_id)
        _purge(connection)
        return project


def recover(project_id: str) -> tuple[Row, list[Row]]:
    """Bring a deleted project back, as it was, with its connection strings; returns it and its branches.

    Raises NotFound when there is none of the id or its time has run out, Unprocessable when it is not deleted.
    """
    with store.connection() as connection, store.lock(connection, project_id, wait=False) as held:
        if not held:
            raise Locked
        purge_deleted(connection)
        project = store.one(connection, "SELECT * FROM projects WHERE id = %s", project_id, thing="project")
        if project["deleted_at"] is None:
            raise Unprocessable("project is not deleted")
        with connection.transaction():
            query = "UPDATE projects SET deleted_at = NULL, updated_at = clock_timestamp() WHERE id = %s RETURNING *"
            project = store.one(connection, query, project_id)
            for row in connection.execute("SELECT * FROM roles WHERE project_id = %s", [project_id]).fetchall():
                password = passwords.decrypt(row["password"])
                cluster.let_in(connection, row["physical_name"], password, login=row["login"])
            for name in store.served(connection, project_id):
                cluster.allow_connections(connection, name, True)
        return project, connection.execute(store.BRANCHES, [project_id]).fetchall()


def operations_of(project_id: str, *, cursor: str = "", limit: int = 1000) -> list[Row]:
    """Return a page of a project's operations, the newest first, those before the time *cursor*."""
    with looking(project_id) as connection:
        page = operations.page(connection, project_id, cursor, limit)
        restores.finish_due(connection, project_id)  # what has just been read as finished has to be so
        return page


def operation(project_id: str, operation_id: str) -> Row:
    """Return one operation; raises NotFound."""
    with looking(project_id) as connection:
        found = operations.get(connection, project_id, operation_id)
        restores.finish_due(connection, project_id)
        return found


def purge_deleted(connection: Connection) -> None:
    """Forget the deleted projects that cannot be recovered any more."""
    with connection.transaction():
        _purge(connection)


def _purge(connection: Connection) -> None:
    """Forget them, with their passwords, and leave their databases and roles for the sweep to drop."""
    for row in connection.execute(
        "SELECT id FROM projects WHERE deleted_at <= clock_timestamp() - make_interval(secs => %s)"
        " FOR UPDATE SKIP LOCKED",
        [settings.NEON_LOCAL_RECOVERY_SECONDS],
    ).fetchall():
        snapshots = "snapshot_id IN (SELECT id FROM snapshots WHERE project_id = %s)"
        leftovers.leave_spares(connection, snapshots, row["id"])
        leftovers.leave(
            connection,
            "SELECT DISTINCT d.physical_name, 'database' FROM databases d LEFT JOIN branches b ON b.id = d.branch_id"
            " LEFT JOIN snapshots s ON s.id = d.snapshot_id WHERE coalesce(b.project_id, s.project_id) = %s"
            " UNION ALL SELECT physical_name, 'role' FROM roles WHERE project_id = %s",
            row["id"],
            row["id"],
        )
        connection.execute("DELETE FROM projects WHERE id = %s", [row["id"]])
