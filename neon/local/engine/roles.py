"""Roles: a branch has those that were made on it or that it came with; one name is one role in the whole project."""

from typing import Any

from psycopg.types.json import Jsonb

from neon.local import cluster, passwords, store
from neon.local.cluster import Connection
from neon.local.engine import leftovers, operations, restores
from neon.local.engine.access import changing, looking
from neon.local.errors import Conflict, NotFound, PasswordNotStored, Unprocessable

Row = dict[str, Any]

KNOWN = """
SELECT *, EXISTS (
           SELECT 1 FROM memberships m WHERE m.physical_name = r.physical_name AND branch_id IS NOT NULL
       ) AS is_used
FROM roles r WHERE project_id = %s AND name = %s
"""


def of_branch(project_id: str, branch_id: str) -> list[Row]:
    """Return a branch's roles; raises NotFound."""
    with looking(project_id) as connection:
        store.branch(connection, project_id, branch_id)
        return store.roles_of_branch(connection, branch_id)


def get(project_id: str, branch_id: str, name: str) -> Row:
    """Return one role of a branch; raises NotFound."""
    with looking(project_id) as connection:
        return find(connection, project_id, branch_id, name)


def create(project_id: str, branch_id: str, name: str, *, login: bool = True) -> tuple[Row, str, list[Row]]:
    """Make a role that may connect to the branch's databases; returns it, its password and the operations.

    A role of that name on another branch is the same one, and keeps its password; one that only snapshots have gets a
    new one. Raises NotFound, Conflict when the branch has it, and Unprocessable when it is not to log in on one branch
    and does on another.
    """
    physical, password = cluster.new_name("role"), passwords.new()
    with changing(project_id) as connection:
        store.branch(connection, project_id, branch_id)
        if any(row["name"] == name for row in store.roles_of_branch(connection, branch_id)):
            raise Conflict("role already exists")
        if known := connection.execute(KNOWN, [project_id, name]).fetchone():
            if known["is_used"]:
                if login != known["login"]:
                    raise Unprocessable("the role is on another branch, and would have to change there, too")
                password = passwords.decrypt(known["password"])
            with connection.transaction():
                return _join(connection, project_id, branch_id, name, known["physical_name"], password, login=login)
        with leftovers.making(connection, {physical: "role"}):
            cluster.create_role(connection, physical, password, login=login)
            with connection.transaction():
                leftovers.publish(connection, [physical])
                connection.execute(
                    "INSERT INTO roles (project_id, name, physical_name, password) VALUES (%s, %s, %s, '')",
                    [project_id, name, physical],
                )
                return _join(connection, project_id, branch_id, name, physical, password, login=login)


def _join(
    connection: Connection, project_id: str, branch_id: str, name: str, physical: str, password: str, *, login: bool
) -> tuple[Row, str, list[Row]]:
    """Give the role its password and let it into the branch's databases."""
    _keep_password(connection, physical, password, login=login)
    connection.execute("INSERT INTO memberships (branch_id, physical_name) VALUES (%s, %s)", [branch_id, physical])
    served = store.endpoint_of(connection, branch_id) is not None
    for row in store.databases_of_branch(connection, branch_id):
        if served:
            cluster.admit(connection, row["physical_name"], physical)
        else:  # it is let in when the database is opened
            keep_admission(connection, row["id"], physical)
    begun = operations.begin(connection, project_id, [("apply_config", branch_id, None)])
    return find(connection, project_id, branch_id, name), password, begun


def delete(project_id: str, branch_id: str, name: str) -> tuple[Row, list[Row]] | None:
    """Take a role from a branch, and from the cluster when no other has it; None when there is none.

    Raises Unprocessable while something in the branch's databases belongs to it or grants something to it.
    """
    with changing(project_id) as connection:
        store.branch(connection, project_id, branch_id)
        try:
            role = find(connection, project_id, branch_id, name)
        except NotFound:
            return None
        databases = store.databases_of_branch(connection, branch_id)
        names = [row["physical_name"] for row in databases]
        owns = any(row["owner_name"] == name for row in databases)
        if owns or cluster.is_needed(connection, role["physical_name"], names):
            raise Unprocessable("role cannot be deleted because some objects depend on it")
        with connection.transaction():
            if store.endpoint_of(connection, branch_id):
                for database in names:
                    cluster.shut_out(connection, database, role["physical_name"])
            connection.execute(
                "DELETE FROM memberships WHERE branch_id = %s AND physical_name = %s",
                [branch_id, role["physical_name"]],
            )
            restores.leave_roles(connection, project_id)
            begun = operations.begin(connection, project_id, [("apply_config", branch_id, None)])
        cluster.end_sessions_of(connection, role["physical_name"], names)
        return role, begun


def reveal_password(project_id: str, branch_id: str, name: str) -> str:
    """Return a role's password; raises NotFound, and PasswordNotStored for a role that may not log in."""
    with looking(project_id) as connection:
        role = find_with_login(connection, project_id, branch_id, name)
        return passwords.decrypt(role["password"])


def reset_password(project_id: str, branch_id: str, name: str) -> tuple[Row, str, list[Row]]:
    """Give a role a new password, on all branches that have it; returns it, the password and the operations.

    Raises NotFound, and PasswordNotStored for a role that may not log in.
    """
    password = passwords.new()
    with changing(project_id) as connection, connection.transaction():
        role = find_with_login(connection, project_id, branch_id, name)
        _keep_password(connection, role["physical_name"], password, login=True)
        begun = operations.begin(connection, project_id, [("apply_config", branch_id, None)])
        return find(connection, project_id, branch_id, name), password, begun


def carry(
    connection: Connection,
    *,
    from_branch: str = "",
    from_snapshot: str = "",
    to_branch: str = "",
    to_snapshot: str = "",
) -> None:
    """Give a branch or a snapshot the roles of another one."""
    connection.execute(
        "INSERT INTO memberships (branch_id, snapshot_id, physical_name)"
        " SELECT nullif(%s, ''), nullif(%s, ''), physical_name FROM memberships"
        " WHERE branch_id = %s OR snapshot_id = %s",
        [to_branch, to_snapshot, from_branch, from_snapshot],
    )


def find(connection: Connection, project_id: str, branch_id: str, name: str) -> Row:
    """Return one role of a branch; raises NotFound."""
    store.branch(connection, project_id, branch_id)
    for row in store.roles_of_branch(connection, branch_id):
        if row["name"] == name:
            return row
    raise NotFound("role not found")


def find_with_login(connection: Connection, project_id: str, branch_id: str, name: str) -> Row:
    """Return one role of a branch; raises NotFound, and PasswordNotStored for a role that may not log in."""
    role = find(connection, project_id, branch_id, name)
    if not role["login"]:
        raise PasswordNotStored("the role may not log in and has no password")
    return role


def keep_admission(connection: Connection, database_id: int, physical: str) -> None:
    """Note that a role is to be let into a database that nobody serves now, when it is opened."""
    grants = [{"grantee": physical, "privilege": name, "grantable": False} for name in ("CONNECT", "TEMPORARY")]
    connection.execute(
        "UPDATE databases SET properties = jsonb_set(properties, '{privileges}', properties->'privileges' || %s)"
        " WHERE id = %s",
        [Jsonb(grants), database_id],
    )


def reencrypt_passwords() -> int:
    """Encrypt every role's password under the newest key; returns how many there are."""
    with store.connection() as connection:
        roles = connection.execute("SELECT physical_name, password FROM roles WHERE password <> ''").fetchall()
        for role in roles:
            connection.execute(
                "UPDATE roles SET password = %s WHERE physical_name = %s AND password = %s",  # unless it is a new one
                [passwords.encrypt(passwords.decrypt(role["password"])), role["physical_name"], role["password"]],
            )
        return len(roles)


def _keep_password(connection: Connection, physical: str, password: str, *, login: bool) -> None:
    cluster.let_in(connection, physical, password, login=login)
    connection.execute(
        "UPDATE roles SET password = %s, login = %s, updated_at = clock_timestamp() WHERE physical_name = %s",
        [passwords.encrypt(password), login, physical],
    )
