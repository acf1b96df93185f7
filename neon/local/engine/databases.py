"""Databases of a branch, each with an owner among the branch's roles."""

from typing import Any

from neon.local import cluster, store
from neon.local.cluster import Connection
from neon.local.engine import copies, leftovers, operations, roles, template
from neon.local.engine.access import changing, looking
from neon.local.errors import Conflict, NotFound

Row = dict[str, Any]


def of_branch(project_id: str, branch_id: str) -> list[Row]:
    """Return a branch's databases; raises NotFound."""
    with looking(project_id) as connection:
        store.branch(connection, project_id, branch_id)
        return store.databases_of_branch(connection, branch_id)


def get(project_id: str, branch_id: str, name: str) -> Row:
    """Return one database of a branch; raises NotFound."""
    with looking(project_id) as connection:
        return find(connection, project_id, branch_id, name)


def create(project_id: str, branch_id: str, name: str, owner_name: str) -> tuple[Row, list[Row]]:
    """Make an empty database; raises NotFound for branch or owner, and Conflict when the name is taken."""
    physical = cluster.new_name("db")
    with changing(project_id) as connection:
        owner = roles.find(connection, project_id, branch_id, owner_name)
        _check_name(connection, branch_id, name)
        with leftovers.making(connection, {physical: "database"}):
            cluster.create(connection, physical, owner["physical_name"], template.name(connection))
            with connection.transaction():
                leftovers.publish(connection, [physical])
                cluster.shut_public_out(connection, physical)
                for role in store.roles_of_branch(connection, branch_id):
                    if role["name"] != owner_name:
                        cluster.admit(connection, physical, role["physical_name"])
                connection.execute(
                    "INSERT INTO databases (branch_id, name, owner_name, physical_name) VALUES (%s, %s, %s, %s)",
                    [branch_id, name, owner_name, physical],
                )
                database = find(connection, project_id, branch_id, name)
                if store.endpoint_of(connection, branch_id):
                    cluster.allow_connections(connection, physical, True)
                else:
                    copies.retire(connection, database)
                return database, operations.begin(connection, project_id, [("apply_config", branch_id, None)])


def update(
    project_id: str, branch_id: str, name: str, *, new_name: str = "", owner_name: str = ""
) -> tuple[Row, list[Row]]:
    """Give a database another name or owner, whichever is given; its name in the cluster stays."""
    with changing(project_id) as connection, connection.transaction():
        database = find(connection, project_id, branch_id, name)
        if new_name and new_name != name:
            _check_name(connection, branch_id, new_name)
        if owner_name and owner_name != database["owner_name"]:
            owner = roles.find(connection, project_id, branch_id, owner_name)
            before = roles.find(connection, project_id, branch_id, database["owner_name"])
            if store.endpoint_of(connection, branch_id):
                cluster.give_to(connection, database["physical_name"], owner["physical_name"])
                cluster.admit(connection, database["physical_name"], before["physical_name"])
            else:
                roles.keep_admission(connection, database["id"], before["physical_name"])
        connection.execute(
            "UPDATE databases SET name = %s, owner_name = %s, updated_at = clock_timestamp() WHERE id = %s",
            [new_name or name, owner_name or database["owner_name"], database["id"]],
        )
        begun = operations.begin(connection, project_id, [("apply_config", branch_id, None)])
        return find(connection, project_id, branch_id, new_name or name), begun


def delete(project_id: str, branch_id: str, name: str) -> tuple[Row, list[Row]] | None:
    """Forget a database and leave it for the sweep; its connections end. None when there is none."""
    with changing(project_id) as connection:
        try:
            database = find(connection, project_id, branch_id, name)
        except NotFound:
            store.branch(connection, project_id, branch_id)
            return None
        live = [database["physical_name"]] if store.endpoint_of(connection, branch_id) else []
        with cluster.closed(connection, live), connection.transaction():
            leftovers.leave_databases(connection, "id = %s", database["id"])
            connection.execute("DELETE FROM databases WHERE id = %s", [database["id"]])
            return database, operations.begin(connection, project_id, [("apply_config", branch_id, None)])


def connection_parameters(
    project_id: str, *, database: str, role: str, branch_id: str = "", endpoint_id: str = ""
) -> Row:
    """Return what a connection URI is made of, for the default branch unless a branch or an endpoint is named.

    Raises NotFound, also when the branch has no endpoint, and PasswordNotStored for a role that may not log in.
    """
    with looking(project_id) as connection, connection.transaction():
        # As of one moment: a restore that is finished in between would give the names to other databases.
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        if endpoint_id:
            condition, wanted = " AND e.id = %s AND %s IN ('', e.branch_id)", [endpoint_id, branch_id]
        else:
            condition = " AND e.branch_id = (SELECT id FROM branches b WHERE b.project_id = e.project_id"
            condition += " AND CASE WHEN %s = '' THEN b.is_default ELSE b.id = %s END)"
            wanted = [branch_id, branch_id]
        query = store.ENDPOINTS + " AND e.project_id = %s" + condition
        endpoint = store.one(connection, query, project_id, *wanted, thing="endpoint")
        return {
            "endpoint": endpoint,
            "database": find(connection, project_id, endpoint["branch_id"], database),
            "role": roles.find_with_login(connection, project_id, endpoint["branch_id"], role),
        }


def find(connection: Connection, project_id: str, branch_id: str, name: str) -> Row:
    """Return one database of a branch; raises NotFound."""
    store.branch(connection, project_id, branch_id)
    query = "SELECT * FROM databases WHERE branch_id = %s AND name = %s"
    return store.one(connection, query, branch_id, name, thing="database")


def _check_name(connection: Connection, branch_id: str, name: str) -> None:
    query = "SELECT 1 FROM databases WHERE branch_id = %s AND name = %s"
    if connection.execute(query, [branch_id, name]).fetchone():
        raise Conflict("database already exists")
