"""Branches: copies of a parent's databases, with or without an endpoint; renamed, reset, made the default, deleted."""

from datetime import datetime
from typing import Any, LiteralString

from django.conf import settings

from neon.local import cluster, cursors, store
from neon.local.cluster import Connection
from neon.local.engine import copies, endpoints, operations, restores, roles, sweep
from neon.local.engine.access import changing, looking
from neon.local.errors import Conflict, NotFound, Unprocessable
from neon.local.ids import new_id

Row = dict[str, Any]

PROTECTED = "a protected branch cannot expire"

EXPIRED: LiteralString = """
FROM branches b WHERE expires_at <= clock_timestamp() AND NOT is_default AND NOT protected
                      AND NOT EXISTS (SELECT 1 FROM branches c WHERE c.parent_id = b.id)
"""


def page(
    project_id: str, *, search: str, sort_by: str, ascending: bool, cursor: str, limit: int | None
) -> tuple[list[Row], str | None]:
    """Return a page of a project's branches and the cursor of the next one, which comes even after the last."""
    with looking(project_id) as connection:
        rows = connection.execute(store.BRANCHES, [project_id]).fetchall()
    wanted = [row for row in rows if search in row["name"] or search in row["id"]]
    wanted.sort(key=lambda row: cursors.place(row, sort_by), reverse=not ascending)
    if cursor:  # its branch may be elsewhere in the order by now, or gone
        last = cursors.read(cursor, sort_by, ascending=ascending)
        wanted = [row for row in wanted if (cursors.place(row, sort_by) > last) is ascending and row["id"] != last[1]]
    shown = wanted[:limit]
    return shown, cursors.write(shown[-1], sort_by, ascending=ascending) if shown else None


def count(project_id: str, search: str = "") -> int:
    """Return how many branches a project has, or how many with *search* in name or id."""
    return len(page(project_id, search=search, sort_by="name", ascending=True, cursor="", limit=None)[0])


def get(project_id: str, branch_id: str) -> Row:
    """Return one branch; raises NotFound."""
    with looking(project_id) as connection:
        return store.branch(connection, project_id, branch_id)


def create(
    project_id: str,
    *,
    name: str = "",
    parent_id: str = "",
    protected: bool = False,
    expires_at: datetime | None = None,
    with_endpoint: bool = False,
) -> Row:
    """Make a branch with what its parent holds now, the default branch unless another is named.

    Returns it with all that it comes with. Raises NotFound, Conflict, and Unprocessable if it is protected and has an
    end.
    """
    branch_id, endpoint_id = new_id("br-"), new_id("ep-")
    with changing(project_id) as connection:
        parent = _parent(connection, project_id, parent_id)
        if protected and expires_at:
            raise Unprocessable(PROTECTED)
        check_name(connection, project_id, name)
        sources = store.databases_of_branch(connection, parent["id"])
        with copies.copied(connection, sources, served=parent["is_served"]) as made:
            connection.execute(
                "INSERT INTO branches (id, project_id, name, parent_id, based_on, protected, expires_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [branch_id, project_id, name or branch_id, parent["id"], parent["based_on"], protected, expires_at],
            )
            copies.record(connection, made, branch_id=branch_id)
            roles.carry(connection, from_branch=parent["id"], to_branch=branch_id)
            actions: list[operations.Action] = [("create_branch", branch_id, None)]
            if with_endpoint:
                endpoints.insert(connection, project_id, branch_id, endpoint_id)
                copies.open_branch(connection, store.branch(connection, project_id, branch_id))
                actions.append(("start_compute", branch_id, endpoint_id))
            begun = operations.begin(connection, project_id, actions)
            restores.fail(connection, branch_id, begun)
        endpoint = store.endpoint_of(connection, branch_id)
        return {
            "branch": store.branch(connection, project_id, branch_id),
            "endpoints": [endpoint] if endpoint else [],
            "databases": store.databases_of_branch(connection, branch_id),
            "roles": store.roles_of_branch(connection, branch_id),
            "operations": begun,
        }


def update(project_id: str, branch_id: str, changes: dict[str, Any]) -> Row:
    """Change a branch's name, protection or end, whichever are given; raises NotFound and Conflict."""
    with changing(project_id) as connection:
        branch = store.branch(connection, project_id, branch_id)
        if changes.get("name") and changes["name"] != branch["name"]:
            check_name(connection, project_id, changes["name"])
        if changes.get("expires_at") and branch["is_default"]:
            raise Unprocessable("the default branch cannot expire")
        changed = {**branch, **changes}
        if changed["protected"] and changed["expires_at"]:
            raise Unprocessable(PROTECTED)
        connection.execute(
            "UPDATE branches SET name = %s, protected = %s, expires_at = %s, updated_at = clock_timestamp()"
            " WHERE id = %s",
            [changed["name"], changed["protected"], changed["expires_at"], branch_id],
        )
        return store.branch(connection, project_id, branch_id)


def set_as_default(project_id: str, branch_id: str) -> Row:
    """Make a branch the project's default one."""
    with changing(project_id) as connection:
        store.branch(connection, project_id, branch_id)
        with connection.transaction():
            # One after the other: there is never more than one, not even for a moment.
            connection.execute(
                "UPDATE branches SET is_default = false, updated_at = clock_timestamp()"
                " WHERE project_id = %s AND is_default",
                [project_id],
            )
            connection.execute(
                "UPDATE branches SET is_default = true, expires_at = NULL, updated_at = clock_timestamp()"
                " WHERE id = %s",
                [branch_id],
            )
        return store.branch(connection, project_id, branch_id)


def delete(project_id: str, branch_id: str) -> tuple[Row, list[Row]] | None:
    """Forget a branch and leave its databases for the sweep; None when there is none.

    Raises Unprocessable for the default branch, and for one that is protected or has children.
    """
    with changing(project_id) as connection:
        try:
            branch = store.branch(connection, project_id, branch_id)
        except NotFound:
            return None
        if branch["is_default"]:
            raise Unprocessable("cannot delete the default branch")
        if branch["protected"]:
            raise Unprocessable("cannot delete a protected branch")
        if _has_children(connection, branch_id):
            raise Unprocessable("cannot delete a branch that has children")
        with connection.transaction():
            begun = operations.begin(connection, project_id, [("delete_timeline", branch_id, None)])
            live = [] if operations.fail_at(begun) else restores.forget_branch(connection, branch_id)
        cluster.end_sessions(connection, live)
        return branch, begun


def restore(
    project_id: str, branch_id: str, *, source_branch_id: str, preserve_under_name: str = ""
) -> tuple[Row, list[Row]]:
    """Give a branch the content that another one has now; it keeps its id, name and endpoint.

    What it held can be preserved as a branch of its own. Raises NotFound, Conflict, and Unprocessable when it has
    children and nothing is preserved for them.
    """
    with changing(project_id) as connection:
        target = store.branch(connection, project_id, branch_id)
        source = store.branch(connection, project_id, source_branch_id)
        check_name(connection, project_id, preserve_under_name)
        if not preserve_under_name and _has_children(connection, branch_id):
            raise Unprocessable("preserve_under_name is required: the branch has children")
        side_id = new_id("br-")
        sources = store.databases_of_branch(connection, source["id"])
        with copies.copied(connection, sources, served=source["is_served"]) as made:
            connection.execute(
                "INSERT INTO branches (id, project_id, name, parent_id, based_on, restored_as, finalize_as, kept_name)"
                " VALUES (%s, %s, %s, %s, %s, %s, 'reset', nullif(%s, ''))",
                [
                    *(side_id, project_id, f"resetting {side_id}", source["id"], source["based_on"]),
                    *(target["id"], preserve_under_name),
                ],
            )
            copies.record(connection, made, branch_id=side_id)
            roles.carry(connection, from_branch=source["id"], to_branch=side_id)
            actions = [("suspend_compute", branch_id, None), ("create_branch", branch_id, None)]
            begun = operations.begin(connection, project_id, actions)
            restores.schedule(connection, side_id, begun)
        restores.finish_due(connection, project_id)
        return store.branch(connection, project_id, branch_id), begun


def expire(connection: Connection) -> None:
    """Forget the branches whose end has come, as far as nothing needs them."""
    for row in connection.execute("SELECT DISTINCT project_id" + EXPIRED).fetchall():
        project_id = row["project_id"]
        with sweep.apart(connection, project_id), store.lock(connection, project_id, wait=False) as held:
            if held and not operations.running(connection, project_id):
                restores.finish_due(connection, project_id)  # one of them may be a target
                _expire(connection, project_id)


def _expire(connection: Connection, project_id: str) -> None:
    query = "SELECT id" + EXPIRED + " AND project_id = %s"
    for row in connection.execute(query, [project_id]).fetchall():
        with connection.transaction():
            live = restores.forget_branch(connection, row["id"])
        cluster.end_sessions(connection, live)


def check_root_limit(connection: Connection, project_id: str) -> None:
    """Raise Unprocessable when the project has as many root branches as it may have."""
    limit = settings.NEON_LOCAL_ROOT_BRANCH_LIMIT
    query = "SELECT count(*) AS taken FROM branches WHERE project_id = %s AND parent_id IS NULL"
    if limit and store.one(connection, query, project_id)["taken"] >= limit:
        raise Unprocessable("root branches limit exceeded", code="ROOT_BRANCHES_LIMIT_EXCEEDED")


def _parent(connection: Connection, project_id: str, parent_id: str) -> Row:
    if parent_id:
        return store.branch(connection, project_id, parent_id)
    return store.one(connection, store.BRANCHES + " AND b.is_default", project_id)


def check_name(connection: Connection, project_id: str, name: str) -> None:
    query = "SELECT 1 FROM branches WHERE project_id = %s AND name = %s"
    if name and connection.execute(query, [project_id, name]).fetchone():
        raise Conflict("branch with the provided name already exists")


def _has_children(connection: Connection, branch_id: str) -> bool:
    return connection.execute("SELECT 1 FROM branches WHERE parent_id = %s", [branch_id]).fetchone() is not None
