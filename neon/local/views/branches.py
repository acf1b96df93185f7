"""Branches of a project."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest

from neon.local import cursors, resources, wire
from neon.local.engine import branches, schemas
from neon.local.errors import BadRequest, NotImplementedHere
from neon.local.views.endpoints import check_kind
from neon.local.wire import Answer

LIST_LIMIT = 10000
SORT_BY = ("updated_at", "created_at", "name")
INIT_SOURCES = ("parent-data", "schema-only")
HISTORY = "keeps no history"


def list_branches(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}/branches; the cursor of the next page comes even when there is none."""
    if wire.flag(request.GET, "include_deleted"):
        raise NotImplementedHere("the local control plane keeps no deleted branches")
    sort_by = wire.text(request.GET, "sort_by") or SORT_BY[0]
    order = (wire.text(request.GET, "sort_order") or "desc").lower()
    if sort_by not in SORT_BY or order not in {"asc", "desc"}:
        raise BadRequest(f"invalid request: sort_by is one of {', '.join(SORT_BY)}, sort_order is asc or desc")
    rows, following = branches.page(
        project_id,
        search=wire.text(request.GET, "search"),
        sort_by=sort_by,
        ascending=order == "asc",
        cursor=wire.text(request.GET, "cursor", longest=cursors.LENGTH),
        limit=wire.limit(request, LIST_LIMIT, LIST_LIMIT),
    )
    return HTTPStatus.OK, {
        "branches": [resources.branch(row) for row in rows],
        "annotations": {},
        "pagination": {
            **({"next": following} if following else {}),
            "sort_by": sort_by,
            "sort_order": order.upper(),
        },
    }


def count_branches(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}/branches/count."""
    return HTTPStatus.OK, {"count": branches.count(project_id, wire.text(request.GET, "search"))}


def create_branch(request: HttpRequest, project_id: str) -> Answer:
    """POST /projects/{project_id}/branches; without an endpoint unless one is asked for."""
    body = wire.body(request)
    wanted = wire.part(body, "branch")
    wire.part(body, "annotation_value")  # the official CLI always sends an empty one
    wire.refuse(body, "annotation_value", reason="keeps no annotations")
    wire.refuse(wanted, "parent_lsn", "parent_timestamp", "archived", reason=HISTORY)
    if wire.choice(wanted, "init_source", INIT_SOURCES, INIT_SOURCES[0]) != INIT_SOURCES[0]:
        raise NotImplementedHere("the local control plane makes branches with their parent's data only")
    made = branches.create(
        project_id,
        name=wire.title(wanted, "name"),
        parent_id=wire.text(wanted, "parent_id"),
        protected=wire.flag(wanted, "protected"),
        expires_at=wire.end(wanted, "expires_at"),
        with_endpoint=_wants_endpoint(body.get("endpoints")),
    )
    owners = {row["name"]: row for row in made["roles"]}
    return HTTPStatus.CREATED, {
        "branch": resources.branch(made["branch"]),
        "endpoints": [resources.endpoint(row) for row in made["endpoints"]],
        "operations": resources.operations(made["operations"]),
        "roles": [resources.role(row) for row in made["roles"]],
        "databases": [resources.database(row) for row in made["databases"]],
        "connection_uris": [
            resources.connection_details(endpoint, row, owners[row["owner_name"]])
            for endpoint in made["endpoints"]
            for row in made["databases"]
            if owners[row["owner_name"]]["login"]
        ],
    }


def _wants_endpoint(wanted: Any) -> bool:
    if wanted in (None, []):
        return False
    if not isinstance(wanted, list) or not all(isinstance(each, dict) for each in wanted):
        raise BadRequest("invalid request: endpoints must be a list of objects")
    for each in wanted:
        check_kind(each)
    if len(wanted) > 1:
        raise NotImplementedHere("the local control plane has one read_write endpoint per branch and no other")
    return True


def get_branch(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}."""
    return HTTPStatus.OK, {
        "branch": resources.branch(branches.get(project_id, branch_id)),
        "annotation": {"object": {"type": "console/branch", "id": branch_id}, "value": {}},
    }


def update_branch(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """PATCH /projects/{project_id}/branches/{branch_id}: name, protection, end."""
    wanted = wire.inside(request, "branch")
    changes: dict[str, Any] = {}
    if name := wire.title(wanted, "name"):
        changes["name"] = name
    if wanted.get("protected") is not None:
        changes["protected"] = wire.flag(wanted, "protected")
    if "expires_at" in wanted:
        changes["expires_at"] = wire.end(wanted, "expires_at")
    branch = branches.update(project_id, branch_id, changes)
    return HTTPStatus.OK, {"branch": resources.branch(branch), "operations": []}


def delete_branch(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """DELETE /projects/{project_id}/branches/{branch_id}; 204 when there is none."""
    deleted = branches.delete(project_id, branch_id)
    if deleted is None:
        return HTTPStatus.NO_CONTENT, {}
    branch, operations = deleted
    return HTTPStatus.OK, {
        "branch": {**resources.branch(branch), "pending_state": "storage_deleted"},
        "operations": resources.operations(operations),
    }


def set_as_default(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """POST /projects/{project_id}/branches/{branch_id}/set_as_default."""
    branch = branches.set_as_default(project_id, branch_id)
    return HTTPStatus.OK, {"branch": resources.branch(branch), "operations": []}


def restore_branch(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """POST /projects/{project_id}/branches/{branch_id}/restore, from another branch as it is now."""
    wanted = wire.body(request)
    source = wire.needed(wanted, "source_branch_id")
    wire.refuse(wanted, "source_lsn", "source_timestamp", reason=HISTORY)
    if source == branch_id:
        raise NotImplementedHere("the local control plane keeps no history: a branch cannot be restored from itself")
    branch, operations = branches.restore(
        project_id,
        branch_id,
        source_branch_id=source,
        preserve_under_name=wire.title(wanted, "preserve_under_name"),
    )
    return HTTPStatus.OK, {"branch": resources.branch(branch), "operations": resources.operations(operations)}


def schema(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}/schema, as SQL."""
    wire.refuse(request.GET, "lsn", "timestamp", reason=HISTORY)
    if wire.choice(request.GET, "format", ("sql", "json"), "sql") != "sql":
        raise NotImplementedHere("the local control plane writes schemas as SQL only")
    return HTTPStatus.OK, {"sql": schemas.of_branch(project_id, branch_id, wire.needed(request.GET, "db_name"))}


def compare_schema(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}/compare_schema, with its parent or with base_branch_id."""
    wire.refuse(request.GET, "lsn", "timestamp", "base_lsn", "base_timestamp", reason=HISTORY)
    base, name = wire.text(request.GET, "base_branch_id"), wire.needed(request.GET, "db_name")
    return HTTPStatus.OK, {"diff": schemas.compare(project_id, branch_id, base, name)}


def backup_schedule(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}/backup_schedule: there is none."""
    branches.get(project_id, branch_id)
    return HTTPStatus.OK, {"schedule": []}
