"""The rules of the plane: projects, branches, snapshots, restores, and the operations they consist of.

A mutating call takes the project's lock or is refused (423), as on Neon, where a project's operations run one at a
time. An operation's status follows from its row and the clock. A restore whose time has come is finished by whoever
looks first, so that until then a connection still reaches the old data.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from psycopg.types.json import Jsonb

from neon.local import databases, leftovers, operations, restores, store, sweep
from neon.local.databases import Connection
from neon.local.errors import Locked, NotFound, Unprocessable
from neon.local.ids import new_id
from neon.local.passwords import decrypt, encrypt

Row = dict[str, Any]

DEFAULT_BRANCH = "main"
DEFAULT_DATABASE = "neondb"
DEFAULT_ROLE = "neondb_owner"


def create_project(name: str) -> Row:
    """Make a project with its default branch, endpoint, role and database."""
    project_id, branch_id, endpoint_id = new_id(""), new_id("br-"), new_id("ep-")
    role, database = databases.new_name("role"), databases.new_name("db")
    password = secrets.token_urlsafe(24)
    with store.connection() as connection, leftovers.making(connection, {role: "role", database: "database"}):
        databases.create_role(connection, role, password)
        databases.create(connection, database, role)
        with connection.transaction():
            leftovers.publish(connection, [role, database])
            databases.shut_public_out(connection, database)
            databases.allow_connections(connection, database, True)
            connection.execute("INSERT INTO projects (id, name) VALUES (%s, %s)", [project_id, name or project_id])
            connection.execute(
                "INSERT INTO branches (id, project_id, name, is_default) VALUES (%s, %s, %s, true)",
                [branch_id, project_id, DEFAULT_BRANCH],
            )
            connection.execute(
                "INSERT INTO endpoints (id, project_id, branch_id) VALUES (%s, %s, %s)",
                [endpoint_id, project_id, branch_id],
            )
            connection.execute(
                "INSERT INTO roles (project_id, name, physical_name, password) VALUES (%s, %s, %s, %s)",
                [project_id, DEFAULT_ROLE, role, encrypt(password)],
            )
            connection.execute(
                "INSERT INTO databases (branch_id, name, owner_name, physical_name) VALUES (%s, %s, %s, %s)",
                [branch_id, DEFAULT_DATABASE, DEFAULT_ROLE, database],
            )
            actions = [("create_timeline", branch_id, None), ("start_compute", branch_id, endpoint_id)]
            begun = operations.begin(connection, project_id, actions)
        return {
            "project": store.one(connection, "SELECT * FROM projects WHERE id = %s", project_id),
            "branch": store.branch(connection, project_id, branch_id),
            "endpoints": connection.execute("SELECT * FROM endpoints WHERE id = %s", [endpoint_id]).fetchall(),
            "roles": connection.execute("SELECT * FROM roles WHERE project_id = %s", [project_id]).fetchall(),
            "databases": connection.execute("SELECT * FROM databases WHERE branch_id = %s", [branch_id]).fetchall(),
            "operations": begun,
            "password": password,
        }


def list_projects(*, search: str = "", cursor: str = "", limit: int = 10) -> list[Row]:
    """Return a page of projects in the order of their ids: those after *cursor* whose name or id has *search*."""
    with store.connection() as connection:
        return connection.execute(
            "SELECT * FROM projects WHERE id > %s AND (strpos(name, %s) > 0 OR id = %s) ORDER BY id LIMIT %s",
            [cursor, search, search, limit],
        ).fetchall()


def get_project(project_id: str) -> Row:
    """Return one project; raises NotFound."""
    with _looking(project_id) as connection:
        return store.one(connection, "SELECT * FROM projects WHERE id = %s", project_id)


def delete_project(project_id: str) -> Row:
    """Forget a project and its passwords, close its databases at once and leave them for the sweep to drop."""
    with (
        store.connection() as connection,
        _changing(connection, project_id),
        databases.closed(connection, store.served(connection, project_id)),
        connection.transaction(),
    ):
        for role in store.role_names(connection, project_id).values():
            databases.lock_out(connection, role)
        leftovers.leave(
            connection,
            "SELECT d.physical_name, 'database' FROM databases d LEFT JOIN branches b ON b.id = d.branch_id"
            " LEFT JOIN snapshots s ON s.id = d.snapshot_id WHERE coalesce(b.project_id, s.project_id) = %s"
            " UNION ALL SELECT physical_name, 'role' FROM roles WHERE project_id = %s",
            project_id,
            project_id,
        )
        return store.one(connection, "DELETE FROM projects WHERE id = %s RETURNING *", project_id)


def list_branches(project_id: str) -> list[Row]:
    """Return a project's branches, the newest first."""
    with _looking(project_id) as connection:
        return connection.execute(
            "SELECT * FROM branches WHERE project_id = %s ORDER BY created_at DESC", [project_id]
        ).fetchall()


def get_branch(project_id: str, branch_id: str) -> Row:
    """Return one branch; raises NotFound."""
    with _looking(project_id) as connection:
        return store.branch(connection, project_id, branch_id)


def delete_branch(project_id: str, branch_id: str) -> tuple[Row, list[Row]] | None:
    """Forget a branch and leave its databases for the sweep; None when there is none, Unprocessable for the default."""
    with store.connection() as connection, _changing(connection, project_id):
        try:
            branch = store.branch(connection, project_id, branch_id)
        except NotFound:
            return None
        if branch["is_default"]:
            raise Unprocessable("cannot delete the default branch")
        with connection.transaction():
            leftovers.leave(
                connection, "SELECT physical_name, 'database' FROM databases WHERE branch_id = %s", branch_id
            )
            connection.execute("DELETE FROM branches WHERE id = %s", [branch_id])
            return branch, operations.begin(connection, project_id, [("delete_timeline", branch_id, None)])


def list_endpoints(project_id: str) -> list[Row]:
    """Return a project's endpoints."""
    with _looking(project_id) as connection:
        return connection.execute("SELECT * FROM endpoints WHERE project_id = %s", [project_id]).fetchall()


def connection_parameters(project_id: str, *, database: str, role: str, branch_id: str = "") -> dict[str, str]:
    """Return the names in the cluster, and the password, for a database of a branch (else of the default one)."""
    with _looking(project_id) as connection:
        row = store.one(
            connection,
            "SELECT d.physical_name AS dbname, r.physical_name AS user, r.password"
            " FROM branches b JOIN databases d ON d.branch_id = b.id JOIN roles r ON r.project_id = b.project_id"
            " JOIN endpoints e ON e.branch_id = b.id"
            " WHERE b.project_id = %s AND d.name = %s AND r.name = %s"
            " AND CASE WHEN %s = '' THEN b.is_default ELSE b.id = %s END",
            project_id,
            database,
            role,
            branch_id,
            branch_id,
        )
        return {**row, "password": decrypt(row["password"])}


def create_snapshot(project_id: str, branch_id: str, name: str) -> tuple[Row, list[Row]]:
    """Copy a branch's databases; it accepts no connections while they are copied."""
    snapshot_id = new_id("snap-")
    with store.connection() as connection, _changing(connection, project_id):
        store.branch(connection, project_id, branch_id)
        _check_snapshot_limit(connection, project_id)
        sources = store.databases_of_branch(connection, branch_id)
        live = [row["physical_name"] for row in sources] if store.endpoints(connection, branch_id) else []
        copies = {row["physical_name"]: databases.new_name("db") for row in sources}
        making = leftovers.making(connection, dict.fromkeys(copies.values(), "database"))
        with making, databases.closed(connection, live):
            for source, copy in copies.items():
                databases.copy(connection, source, copy)
            with connection.transaction():
                leftovers.publish(connection, list(copies.values()))
                snapshot = store.one(
                    connection,
                    "INSERT INTO snapshots (id, project_id, name, source_branch_id)"
                    " VALUES (%s, %s, %s, %s) RETURNING *",
                    snapshot_id,
                    project_id,
                    name or snapshot_id,
                    branch_id,
                )
                for row in sources:
                    source, copy = row["physical_name"], copies[row["physical_name"]]
                    databases.shut_public_out(connection, copy)
                    # A replaced branch's database has lost its own properties; its row has kept them.
                    kept = databases.properties(connection, source) if live else row["properties"]
                    connection.execute(
                        "INSERT INTO databases (snapshot_id, name, owner_name, physical_name, properties)"
                        " VALUES (%s, %s, %s, %s, %s)",
                        [snapshot_id, row["name"], row["owner_name"], copy, Jsonb(kept)],
                    )
                for source in live:
                    databases.allow_connections(connection, source, True)
                actions = [("create_branch", branch_id, None), ("timeline_archive", branch_id, None)]
                return snapshot, operations.begin(connection, project_id, actions)


def list_snapshots(project_id: str) -> list[Row]:
    """Return a project's snapshots, the newest first."""
    with _looking(project_id) as connection:
        return connection.execute(
            "SELECT * FROM snapshots WHERE project_id = %s ORDER BY created_at DESC", [project_id]
        ).fetchall()


def delete_snapshot(project_id: str, snapshot_id: str) -> list[Row]:
    """Forget a snapshot and leave its databases for the sweep; raises NotFound."""
    with store.connection() as connection, _changing(connection, project_id), connection.transaction():
        leftovers.leave(
            connection, "SELECT physical_name, 'database' FROM databases WHERE snapshot_id = %s", snapshot_id
        )
        snapshot = store.one(
            connection,
            "DELETE FROM snapshots WHERE project_id = %s AND id = %s RETURNING *",
            project_id,
            snapshot_id,
        )
        return operations.begin(connection, project_id, [("delete_timeline", snapshot["source_branch_id"], None)])


def restore_snapshot(
    project_id: str, snapshot_id: str, *, target_branch_id: str = ""
) -> tuple[Row, list[Row], list[Row]]:
    """Put a snapshot in the place of a branch: at once, or when the operations' time has come.

    Returns the new branch, the endpoints that it gets and the operations. Raises NotFound.
    """
    with store.connection() as connection, _changing(connection, project_id):
        snapshot = store.one(
            connection, "SELECT * FROM snapshots WHERE project_id = %s AND id = %s", project_id, snapshot_id
        )
        target = store.branch(connection, project_id, target_branch_id or snapshot["source_branch_id"])
        branch_id = new_id("br-")
        begun = restores.begin(connection, snapshot, target, branch_id)
        restores.finish_due(connection, project_id)
        endpoints = store.endpoints(connection, branch_id) or store.endpoints(connection, target["id"])
        return store.branch(connection, project_id, branch_id), endpoints, begun


def list_operations(project_id: str, *, cursor: str = "", limit: int = 1000) -> list[Row]:
    """Return a page of a project's operations, the newest first, those before the time *cursor*."""
    with _looking(project_id) as connection:
        page = operations.page(connection, project_id, cursor, limit)
        restores.finish_due(connection, project_id)  # what has just been read as finished has to be so
        return page


def get_operation(project_id: str, operation_id: str) -> Row:
    """Return one operation; raises NotFound."""
    with _looking(project_id) as connection:
        operation = operations.get(connection, project_id, operation_id)
        restores.finish_due(connection, project_id)
        return operation


def upkeep() -> None:
    """Finish what is due, re-open what a kill left closed, and drop what nothing refers to any more."""
    with store.connection() as connection:
        for row in connection.execute(
            "SELECT DISTINCT project_id FROM branches WHERE finalize_at <= clock_timestamp()"
        ).fetchall():
            with sweep.apart(connection, row["project_id"]):
                restores.finish_due(connection, row["project_id"])
        sweep.reopen_closed(connection)
        sweep.drop_leftovers(connection)
        operations.forget_old(connection)


@contextmanager
def _looking(project_id: str) -> Iterator[Connection]:
    """Lend a connection to read about a project as it is now; raises NotFound."""
    with store.connection() as connection:
        store.one(connection, "SELECT 1 FROM projects WHERE id = %s", project_id)
        restores.finish_due(connection, project_id)
        yield connection


@contextmanager
def _changing(connection: Connection, project_id: str) -> Iterator[None]:
    """Hold the project's lock for a change; raises NotFound, and Locked while operations run."""
    store.one(connection, "SELECT 1 FROM projects WHERE id = %s", project_id)
    with store.lock(connection, project_id, wait=False) as held:
        if not held:
            raise Locked
        # In this order: a restore that becomes due in between would be neither running nor finished.
        if operations.running(connection, project_id):
            raise Locked
        restores.finish_due(connection, project_id)
        sweep.reopen_closed(connection, project_id)
        yield


def _check_snapshot_limit(connection: Connection, project_id: str) -> None:
    limit = settings.NEON_LOCAL_SNAPSHOT_LIMIT
    row = store.one(connection, "SELECT count(*) AS taken FROM snapshots WHERE project_id = %s", project_id)
    if limit and row["taken"] >= limit:
        raise Unprocessable("snapshots limit exceeded", code="SNAPSHOTS_LIMIT_EXCEEDED")
