"""A restore: copies of a snapshot's databases, which then take the place of a branch's in one transaction."""

from typing import Any

from psycopg.types.json import Jsonb

from neon.local import databases, leftovers, operations, store
from neon.local.databases import Connection

Row = dict[str, Any]


def begin(connection: Connection, snapshot: Row, target: Row, branch_id: str) -> list[Row]:
    """Copy the snapshot's databases to a new branch that will take the target's place; return the operations.

    Nobody can connect to the copies before that.
    """
    project_id = target["project_id"]
    sources = store.databases_of_snapshot(connection, snapshot["id"])
    copies = {row["physical_name"]: databases.new_name("db") for row in sources}
    actions: list[operations.Action] = [("timeline_unarchive", target["id"], None), ("create_branch", branch_id, None)]
    actions += [("start_compute", branch_id, endpoint["id"]) for endpoint in store.endpoints(connection, target["id"])]
    with leftovers.making(connection, dict.fromkeys(copies.values(), "database")):
        for source, copy in copies.items():
            databases.copy(connection, source, copy)
        with connection.transaction():
            leftovers.publish(connection, list(copies.values()))
            for copy in copies.values():
                databases.shut_public_out(connection, copy)
            begun = operations.begin(connection, project_id, actions)
            connection.execute(
                "INSERT INTO branches (id, project_id, name, is_default, restored_from, restored_as, finalize_at)"
                " VALUES (%s, %s, %s, false, %s, %s, %s)",
                [
                    branch_id,
                    project_id,
                    f"restoring {branch_id}",
                    snapshot["id"],
                    target["id"],
                    begun[-1]["finish_at"],
                ],
            )
            for row in sources:
                connection.execute(
                    "INSERT INTO databases (branch_id, name, owner_name, physical_name, properties)"
                    " SELECT %s, name, owner_name, %s, properties FROM databases WHERE id = %s",
                    [branch_id, copies[row["physical_name"]], row["id"]],
                )
    return begun


def finish_due(connection: Connection, project_id: str) -> None:
    """Finish the project's restores whose time has come."""
    due = "SELECT * FROM branches WHERE project_id = %s AND finalize_at <= clock_timestamp()"
    if not connection.execute(due, [project_id]).fetchone():
        return
    with store.lock(connection, project_id, wait=True):
        for branch in connection.execute(due, [project_id]).fetchall():
            _finish(connection, branch)


def _finish(connection: Connection, branch: Row) -> None:
    """Give the branch its target's name, default flag, endpoints and physical names; the target becomes "(old)"."""
    target = store.branch(connection, branch["project_id"], branch["restored_as"])
    # A target without an endpoint was open to nobody, and what takes its place stays so.
    served = bool(store.endpoints(connection, target["id"]))
    replaced = store.databases_of_branch(connection, target["id"]) if served else []
    with databases.closed(connection, [row["physical_name"] for row in replaced]), connection.transaction():
        for row in replaced:
            kept = databases.properties(connection, row["physical_name"])
            connection.execute("UPDATE databases SET properties = %s WHERE id = %s", [Jsonb(kept), row["id"]])
            databases.retire(connection, row["physical_name"])
        if served:
            _revive(connection, branch, {row["name"]: row for row in replaced})
        _hand_over(connection, target, branch)


def _revive(connection: Connection, branch: Row, replaced: dict[str, Row]) -> None:
    """Open the branch's databases, under the names in the cluster of those that they replace."""
    roles = store.role_names(connection, branch["project_id"])
    for new in store.databases_of_branch(connection, branch["id"]):
        live = new["physical_name"]
        if old := replaced.get(new["name"]):
            live = _exchange(connection, old, new)
        databases.revive(connection, live, roles[new["owner_name"]], new["properties"])


def _exchange(connection: Connection, replaced: Row, new: Row) -> str:
    """Let two databases change names, in the cluster and in memory, and return the name that is served."""
    live, side, aside = replaced["physical_name"], new["physical_name"], databases.new_name("db")
    for row, before, after in ((replaced, live, aside), (new, side, live)):
        databases.rename(connection, before, after)
        connection.execute("UPDATE databases SET physical_name = %s WHERE id = %s", [after, row["id"]])
    return str(live)


def _hand_over(connection: Connection, target: Row, branch: Row) -> None:
    connection.execute(
        "UPDATE branches SET is_default = false, updated_at = clock_timestamp(), name = %s WHERE id = %s",
        [_old_name(connection, target), target["id"]],
    )
    connection.execute(
        "UPDATE branches SET is_default = %s, name = %s, finalize_at = NULL, updated_at = clock_timestamp()"
        " WHERE id = %s",
        [target["is_default"], target["name"], branch["id"]],
    )
    connection.execute(
        "UPDATE endpoints SET branch_id = %s, updated_at = clock_timestamp() WHERE branch_id = %s",
        [branch["id"], target["id"]],
    )


def _old_name(connection: Connection, target: Row) -> str:
    """Return the replaced branch's name, numbered when an earlier replaced branch still has it."""
    taken = {
        row["name"]
        for row in connection.execute("SELECT name FROM branches WHERE project_id = %s", [target["project_id"]])
    }
    name, number = f"{target['name']} (old)", 1
    while name in taken:
        number += 1
        name = f"{target['name']} (old {number})"
    return name
