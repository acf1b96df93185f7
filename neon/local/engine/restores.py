"""A restore: a branch of its own with copies, which then takes the place of another, in one transaction.

It does so as one of two kinds. *replace*: the new branch gets the target's name, default flag and endpoint, and the
target becomes "(old)"; that is how a snapshot is restored. *reset*: the target keeps its id and everything else, and
only the databases change sides; that is how a branch is restored from another one.
"""

from typing import Any, LiteralString

from neon.local import cluster, store
from neon.local.cluster import Connection
from neon.local.engine import copies, leftovers, operations, spares, sweep
from neon.local.errors import NotFound

Row = dict[str, Any]

DUE = """
SELECT fail_at IS NOT NULL AS fails FROM branches
WHERE project_id = %(project_id)s AND least(finalize_at, fail_at) <= clock_timestamp()
UNION ALL
SELECT true FROM snapshots WHERE project_id = %(project_id)s AND fail_at <= clock_timestamp()
"""
# What has been due for longer than that could not be finished when it was, or nobody was there. It is left to upkeep.
JUST_DUE: LiteralString = """
SELECT DISTINCT project_id FROM branches
WHERE finalize_at BETWEEN clock_timestamp() - interval '1 second' AND clock_timestamp()
"""
NEXT_DUE: LiteralString = """
SELECT coalesce(extract(epoch FROM min(finalize_at) - clock_timestamp()), 'infinity')::float AS seconds
FROM branches WHERE finalize_at > clock_timestamp()
"""
# Announces that a restore has been scheduled.
CHANNEL = "restores"
# What was based on a snapshot that goes is based on the one before it.
FOLLOW: tuple[LiteralString, ...] = (
    "UPDATE snapshots SET based_on = %s WHERE based_on = %s",
    "UPDATE branches SET based_on = %s WHERE based_on = %s",
)
SERVED = "SELECT d.* FROM databases d JOIN endpoints USING (branch_id) WHERE branch_id = ANY(%s) ORDER BY d.id"


def finish_just_due(connection: Connection) -> None:
    """Finish the restores of all projects that have just become due, but for those that somebody is at."""
    for row in connection.execute(JUST_DUE).fetchall():
        with sweep.apart(connection, row["project_id"]):
            finish_due(connection, row["project_id"], wait=False)


def seconds_until_due(connection: Connection) -> float:
    """Return in how many seconds the next restore becomes due; infinity when none does."""
    return float(store.one(connection, NEXT_DUE)["seconds"])


def finish_due(connection: Connection, project_id: str, *, wait: bool = True) -> None:
    """Finish the project's restores whose time has come, and take away what was not to be made."""
    due = connection.execute(DUE, {"project_id": project_id}).fetchall()
    if not due:
        return
    with store.lock(connection, project_id, wait=wait) as held:
        if not held:
            return
        if any(row["fails"] for row in due):
            _fail_due(connection, project_id)
        sweep.forget_dropped(connection, project_id)
        query = "SELECT * FROM branches WHERE project_id = %s AND finalize_at <= clock_timestamp()"
        for branch in connection.execute(query, [project_id]).fetchall():
            _finish(connection, branch)


def _fail_due(connection: Connection, project_id: str) -> None:
    """Take away what the project's operations were to make and, by a fault that was asked for, did not."""
    live = []
    with connection.transaction():
        query = "SELECT id FROM branches WHERE project_id = %s AND fail_at <= clock_timestamp()"
        for row in connection.execute(query, [project_id]).fetchall():
            live += forget_branch(connection, row["id"])
        query = "SELECT * FROM snapshots WHERE project_id = %s AND fail_at <= clock_timestamp()"
        for row in connection.execute(query, [project_id]).fetchall():
            forget_snapshot(connection, row)
    cluster.end_sessions(connection, live)


def _finish(connection: Connection, branch: Row) -> None:
    target = store.branch(connection, branch["project_id"], branch["restored_as"])
    copies.own(connection, branch["id"])
    live = [name for each in (branch, target) for name in store.served_of_branch(connection, each["id"])]
    with cluster.closed(connection, live), cluster.behind(connection, []):
        take_place(connection, branch, target)
        operations.prolong(connection, branch["project_id"], branch["finalize_at"])
    leave_nobody_in(connection, branch, target)


def take_place(connection: Connection, branch: Row, target: Row) -> None:
    """Let a branch take its target's place, with the target's names in the cluster; both are closed.

    In one transaction, with whatever the caller records: a kill leaves the old world or the new one.
    """
    for row in connection.execute(SERVED, [[branch["id"], target["id"]]]).fetchall():
        copies.retire(connection, row)
    if target["is_served"]:  # else it was open to nobody, and what takes its place stays so
        _exchange_names(connection, target, branch)
    if branch["finalize_as"] == "reset":
        _reset(connection, target, branch)
        following = target
    else:
        _replace(connection, target, branch)
        following = branch
    if target["is_served"]:
        copies.open_branch(connection, following)


def leave_nobody_in(connection: Connection, *branches: Row) -> None:
    """End the sessions in what has been replaced: its owner may have opened it for a moment, until it was renamed."""
    cluster.end_sessions(connection, store.unserved_of_branches(connection, [branch["id"] for branch in branches]))


def _exchange_names(connection: Connection, target: Row, branch: Row) -> None:
    """Give the branch's databases the names in the cluster of those that they replace: connection strings stay."""
    replaced = {row["name"]: row for row in store.databases_of_branch(connection, target["id"])}
    for new in store.databases_of_branch(connection, branch["id"]):
        if not (old := replaced.get(new["name"])):
            continue
        live, side, aside = old["physical_name"], new["physical_name"], cluster.new_name("db")
        for row, before, after in ((old, live, aside), (new, side, live)):
            cluster.rename(connection, before, after)
            connection.execute("UPDATE databases SET physical_name = %s WHERE id = %s", [after, row["id"]])


def _replace(connection: Connection, target: Row, branch: Row) -> None:
    # The endpoint through which a restore in two steps was looked at has served its purpose.
    connection.execute("DELETE FROM endpoints WHERE branch_id = %s", [branch["id"]])
    connection.execute(
        "UPDATE branches SET is_default = false, protected = false, updated_at = clock_timestamp(), name = %s"
        " WHERE id = %s",
        [branch["kept_name"] or free_name(connection, target), target["id"]],
    )
    connection.execute(
        "UPDATE branches SET is_default = is_default OR %s, protected = protected OR %s, name = %s,"
        " finalize_at = NULL, finalized = true, updated_at = clock_timestamp() WHERE id = %s",
        [target["is_default"], target["protected"], target["name"], branch["id"]],
    )
    connection.execute(
        "UPDATE endpoints SET branch_id = %s, updated_at = clock_timestamp() WHERE branch_id = %s",
        [branch["id"], target["id"]],
    )
    spares.announce(connection)


def _reset(connection: Connection, target: Row, branch: Row) -> None:
    """Let databases and roles change sides; the branch then holds what the target held, and is kept only by name."""
    sides = {"a": target["id"], "b": branch["id"]}
    connection.execute(
        "UPDATE databases SET branch_id = CASE branch_id WHEN %(a)s THEN %(b)s ELSE %(a)s END"
        " WHERE branch_id IN (%(a)s, %(b)s)",
        sides,
    )
    connection.execute(
        "UPDATE memberships SET branch_id = CASE branch_id WHEN %(a)s THEN %(b)s ELSE %(a)s END"
        " WHERE branch_id IN (%(a)s, %(b)s)",
        sides,
    )
    connection.execute("UPDATE branches SET parent_id = %(b)s WHERE parent_id = %(a)s", sides)
    connection.execute(
        "UPDATE branches SET parent_id = %s, based_on = %s, last_reset_at = clock_timestamp(),"
        " updated_at = clock_timestamp() WHERE id = %s",
        [branch["parent_id"], branch["based_on"], target["id"]],
    )
    if branch["kept_name"]:
        connection.execute(
            "UPDATE branches SET name = %s, parent_id = %s, based_on = %s, restored_as = NULL, finalize_at = NULL"
            " WHERE id = %s",
            [branch["kept_name"], target["parent_id"], target["based_on"], branch["id"]],
        )
    else:
        forget_branch(connection, branch["id"])


def schedule(connection: Connection, branch_id: str, begun: list[Row]) -> None:
    """Let a new branch take its target's place when the operations have finished; or go, when they are to fail."""
    if operations.fail_at(begun):
        fail(connection, branch_id, begun)
    else:
        connection.execute("UPDATE branches SET finalize_at = %s WHERE id = %s", [begun[-1]["finish_at"], branch_id])
        connection.execute(f"NOTIFY {CHANNEL}")


def fail(connection: Connection, branch_id: str, begun: list[Row]) -> None:
    """Let a new branch go when the operations that make it are to fail."""
    connection.execute("UPDATE branches SET fail_at = %s WHERE id = %s", [operations.fail_at(begun), branch_id])


def forget_branch(connection: Connection, branch_id: str) -> list[str]:
    """Delete a branch's row and leave its databases, and the roles that only it had, for the sweep.

    They accept no connections any more; returns those whose sessions are to be ended once this is committed.
    """
    live = store.served_of_branch(connection, branch_id)
    for name in live:
        cluster.allow_connections(connection, name, False)
    leftovers.leave_databases(connection, "branch_id = %s", branch_id)
    project = connection.execute("DELETE FROM branches WHERE id = %s RETURNING project_id", [branch_id]).fetchone()
    if project is None:
        raise NotFound("branch not found")
    leave_roles(connection, project["project_id"])
    return live


def forget_snapshot(connection: Connection, snapshot: Row) -> None:
    """Delete a snapshot's row and leave its databases, and the roles that only it had, for the sweep."""
    leftovers.leave_databases(connection, "snapshot_id = %s", snapshot["id"])
    for statement in FOLLOW:
        connection.execute(statement, [snapshot["based_on"], snapshot["id"]])
    connection.execute("DELETE FROM snapshots WHERE id = %s", [snapshot["id"]])
    leave_roles(connection, snapshot["project_id"])


def leave_roles(connection: Connection, project_id: str) -> None:
    """Forget a project's roles that no branch and no snapshot has any more, and leave them for the sweep."""
    for row in connection.execute(
        "DELETE FROM roles r WHERE project_id = %s"
        " AND NOT EXISTS (SELECT FROM memberships m WHERE m.physical_name = r.physical_name)"
        " RETURNING physical_name",
        [project_id],
    ).fetchall():
        cluster.lock_out(connection, row["physical_name"])
        leftovers.leave(connection, "SELECT %s, 'role'", row["physical_name"])


def free_name(connection: Connection, target: Row) -> str:
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
