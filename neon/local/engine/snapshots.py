"""Snapshots: copies of a root branch's databases with its roles, and the ways back from them."""

from datetime import datetime
from typing import Any, LiteralString

from django.conf import settings

from neon.local import store
from neon.local.cluster import Connection
from neon.local.engine import branches, copies, endpoints, operations, restores, roles, spares, sweep
from neon.local.engine.access import changing, looking
from neon.local.errors import Conflict, Unprocessable
from neon.local.ids import new_id

Row = dict[str, Any]

# An expired one is gone, whether or not upkeep has seen to it.
SNAPSHOTS: LiteralString = """
SELECT * FROM snapshots WHERE project_id = %s AND (expires_at IS NULL OR expires_at > clock_timestamp())
"""
INSERT: LiteralString = f"""
INSERT INTO snapshots (id, project_id, name, slug, source_branch_id, based_on, created_at, expires_at, fail_at)
SELECT %(id)s, project_id, %(name)s, nullif(%(slug)s, ''), %(branch_id)s, %(based_on)s, created_at, %(expires_at)s,
       {operations.FAIL_AT}
FROM operations WHERE project_id = %(project_id)s AND created_at = %(began)s AND branch_id = %(hidden_id)s
RETURNING *
"""  # noqa: S608 - a constant
EXPIRED: LiteralString = "FROM snapshots WHERE expires_at <= clock_timestamp()"


def create(
    project_id: str, branch_id: str, name: str = "", *, slug: str = "", expires_at: datetime | None = None
) -> tuple[Row, list[Row]]:
    """Copy a root branch's databases, or share those that nobody can connect to.

    They accept no connections while they are copied.

    Raises NotFound, Conflict for a slug that is taken, and Unprocessable for a child branch and for the plan's limit.
    """
    snapshot_id, hidden_id = new_id("snap-"), new_id("br-")  # on Neon it is a branch that nobody sees
    with changing(project_id) as connection:
        branch = store.branch(connection, project_id, branch_id)
        if branch["parent_id"]:
            raise Unprocessable("snapshots can only be created from root branches")
        _check_limit(connection, project_id)
        if slug and connection.execute(SNAPSHOTS + " AND slug = %s", [project_id, slug]).fetchone():
            raise Conflict("snapshot with the provided slug already exists")
        sources = store.databases_of_branch(connection, branch_id)
        served = branch["is_served"]
        making = copies.copied(connection, sources, served=True) if served else copies.shared(connection, sources)
        with making as made:
            actions = [("create_branch", hidden_id, None), ("timeline_archive", hidden_id, None)]
            # Their rows are read when all is committed: until then nobody can connect, and nothing is waited for.
            begun = operations.insert(connection, project_id, actions)
            snapshot = connection.execute(
                INSERT,
                {
                    "id": snapshot_id,
                    "project_id": project_id,
                    "name": name or snapshot_id,
                    "slug": slug,
                    "branch_id": branch_id,
                    "based_on": branch["based_on"],
                    "expires_at": expires_at,
                    "began": operations.began(),
                    "hidden_id": hidden_id,
                },
            )
            connection.execute("UPDATE branches SET based_on = %s WHERE id = %s", [snapshot_id, branch_id])
            copies.record(connection, made, snapshot_id=snapshot_id)
            roles.carry(connection, from_branch=branch_id, to_snapshot=snapshot_id)
            spares.announce(connection)
        return next(snapshot), begun.fetchall()


def of_project(project_id: str) -> list[Row]:
    """Return a project's snapshots, the newest first."""
    with looking(project_id) as connection:
        return connection.execute(SNAPSHOTS + " ORDER BY created_at DESC", [project_id]).fetchall()


def update(project_id: str, snapshot_id: str, changes: dict[str, Any]) -> Row:
    """Change a snapshot's name or end, whichever is given; an end of None is no end."""
    with changing(project_id) as connection:
        changed = {**_find(connection, project_id, snapshot_id), **changes}
        return store.one(
            connection,
            "UPDATE snapshots SET name = %s, expires_at = %s WHERE id = %s RETURNING *",
            *(changed["name"], changed["expires_at"], snapshot_id),
        )


def delete(project_id: str, snapshot_id: str) -> list[Row]:
    """Forget a snapshot and leave its databases for the sweep; raises NotFound."""
    with changing(project_id) as connection, connection.transaction():
        snapshot = _find(connection, project_id, snapshot_id)
        begun = operations.begin(connection, project_id, [("delete_timeline", snapshot["source_branch_id"], None)])
        if not operations.fail_at(begun):
            restores.forget_snapshot(connection, snapshot)
        return begun


def restore(
    project_id: str, snapshot_id: str, *, target_branch_id: str = "", finalize: bool = False, name: str = ""
) -> tuple[Row, list[Row], list[Row]]:
    """Make a branch of a snapshot; it takes the target's place at once, or when it is finalized.

    The target is the snapshot's source unless another is named. *name* is what the new branch is called until then;
    in two steps it also has an endpoint of its own until then. Returns the branch, its endpoints and the operations.
    Raises NotFound, Conflict for the name, and Unprocessable for the limit of root branches.
    """
    branch_id, endpoint_id = new_id("br-"), new_id("ep-")
    with changing(project_id) as connection:
        snapshot = _find(connection, project_id, snapshot_id)
        target = store.branch(connection, project_id, target_branch_id or snapshot["source_branch_id"])
        branches.check_root_limit(connection, project_id)
        branches.check_name(connection, project_id, name)
        sources = store.databases_of_snapshot(connection, snapshot_id)
        at_once = finalize and not operations.take_time()

        def closing() -> list[str]:
            sweep.forget_dropped(connection, project_id)  # by its owner, while this was copied
            return store.served_of_branch(connection, target["id"])

        with copies.copied(connection, sources, served=False, closing=closing if at_once else None) as made:
            branch = store.one(
                connection,
                "INSERT INTO branches (id, project_id, name, restored_from, based_on, restored_as, finalize_as)"
                " VALUES (%s, %s, %s, %s, %s, %s, 'replace') RETURNING *",
                *(branch_id, project_id, name or f"{target['name']} {branch_id}", *[snapshot_id] * 2, target["id"]),
            )
            query = "UPDATE snapshots SET restored_at = clock_timestamp() WHERE id = %s"
            connection.execute(query, [snapshot_id])
            copies.record(connection, made, branch_id=branch_id)
            roles.carry(connection, from_snapshot=snapshot_id, to_branch=branch_id)
            if not finalize:
                endpoints.insert(connection, project_id, branch_id, endpoint_id)
                copies.open_branch(connection, store.branch(connection, project_id, branch_id))
            served = store.endpoint_of(connection, target["id"] if finalize else branch_id)
            actions = [("timeline_unarchive", target["id"], None), ("create_branch", branch_id, None)]
            actions += [("start_compute", branch_id, served["id"])] if served else []
            if at_once:
                restores.take_place(connection, branch, target)
            begun = operations.begin(connection, project_id, actions)
            if not finalize:
                restores.fail(connection, branch_id, begun)
            elif not at_once:
                restores.schedule(connection, branch_id, begun)
        if at_once:
            restores.leave_nobody_in(connection, branch, target)
        elif not operations.fail_at(begun):  # else it goes with the next look, and the answer still has it
            restores.finish_due(connection, project_id)
        endpoint = store.endpoint_of(connection, branch_id) or served
        return store.branch(connection, project_id, branch_id), [endpoint] if endpoint else [], begun


def finalize_restore(project_id: str, branch_id: str, name: str = "") -> list[Row]:
    """Let a restored branch take its target's place; *name* is for the branch that is replaced.

    Raises NotFound for branch or target, Unprocessable when there is nothing to finalize.
    """
    with changing(project_id) as connection:
        branch = store.branch(connection, project_id, branch_id)
        if branch["finalize_as"] != "replace" or branch["finalized"]:
            raise Unprocessable("the branch has no restore to finalize")
        target = store.branch(connection, project_id, branch["restored_as"])
        branches.check_name(connection, project_id, name)
        with connection.transaction():
            served = store.endpoint_of(connection, target["id"])
            actions = [("suspend_compute", target["id"], None)]
            actions += [("start_compute", branch_id, served["id"])] if served else []
            begun = operations.begin(connection, project_id, actions)
            connection.execute("UPDATE branches SET kept_name = nullif(%s, '') WHERE id = %s", [name, branch_id])
            if not operations.fail_at(begun):
                restores.schedule(connection, branch_id, begun)
        restores.finish_due(connection, project_id)
        return begun


def expire(connection: Connection) -> None:
    """Forget the snapshots whose end has come."""
    for row in connection.execute("SELECT DISTINCT project_id " + EXPIRED).fetchall():
        project_id = row["project_id"]
        # Under the lock: one of them may just be restored, and its roles with it.
        with sweep.apart(connection, project_id), store.lock(connection, project_id, wait=False) as held:
            if held:
                _expire(connection, project_id)


def _expire(connection: Connection, project_id: str) -> None:
    with connection.transaction():
        query = "SELECT * " + EXPIRED + " AND project_id = %s"
        for snapshot in connection.execute(query, [project_id]).fetchall():
            restores.forget_snapshot(connection, snapshot)


def _find(connection: Connection, project_id: str, snapshot_id: str) -> Row:
    return store.one(connection, SNAPSHOTS + " AND id = %s", project_id, snapshot_id, thing="snapshot")


def _check_limit(connection: Connection, project_id: str) -> None:
    limit = settings.NEON_LOCAL_SNAPSHOT_LIMIT
    if limit and len(connection.execute(SNAPSHOTS, [project_id]).fetchall()) >= limit:
        raise Unprocessable("snapshots limit exceeded", code="SNAPSHOTS_LIMIT_EXCEEDED")
