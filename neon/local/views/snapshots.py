"""Snapshots of a project, and the ways back from them."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest

from neon.local import resources, wire
from neon.local.engine import snapshots
from neon.local.wire import Answer


def create_snapshot(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """POST /projects/{project_id}/branches/{branch_id}/snapshot; parameters in the query, else in the body."""
    wanted = {**wire.body(request), **request.GET.dict()}
    wire.refuse(wanted, "timestamp", "lsn", reason="keeps no history")
    snapshot, operations = snapshots.create(
        *(project_id, branch_id, wire.text(wanted, "name")),
        slug=wire.text(wanted, "slug"),
        expires_at=wire.end(wanted, "expires_at"),
    )
    return HTTPStatus.OK, {
        "snapshot": resources.snapshot(snapshot),
        "operations": resources.operations(operations),
    }


def list_snapshots(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}/snapshots, the newest first."""
    return HTTPStatus.OK, {"snapshots": [resources.snapshot(row) for row in snapshots.of_project(project_id)]}


def update_snapshot(request: HttpRequest, project_id: str, snapshot_id: str) -> Answer:
    """PATCH /projects/{project_id}/snapshots/{snapshot_id}: name, end."""
    wanted = wire.inside(request, "snapshot")
    changes: dict[str, Any] = {}
    if name := wire.title(wanted, "name"):
        changes["name"] = name
    if "expires_at" in wanted:
        changes["expires_at"] = wire.end(wanted, "expires_at")
    return HTTPStatus.OK, {"snapshot": resources.snapshot(snapshots.update(project_id, snapshot_id, changes))}


def delete_snapshot(request: HttpRequest, project_id: str, snapshot_id: str) -> Answer:
    """DELETE /projects/{project_id}/snapshots/{snapshot_id}."""
    operations = snapshots.delete(project_id, snapshot_id)
    return HTTPStatus.ACCEPTED, {"operations": resources.operations(operations)}


def restore_snapshot(request: HttpRequest, project_id: str, snapshot_id: str) -> Answer:
    """POST /projects/{project_id}/snapshots/{snapshot_id}/restore, in one step or, unless told so, in two."""
    wanted = {**request.GET.dict(), **wire.body(request)}
    branch, endpoints, operations = snapshots.restore(
        *(project_id, snapshot_id),
        target_branch_id=wire.text(wanted, "target_branch_id"),
        finalize=wire.flag(wanted, "finalize_restore"),
        name=wire.title(wanted, "name"),
    )
    return HTTPStatus.OK, {
        "branch": resources.branch(branch),
        "endpoints": [resources.endpoint(row) for row in endpoints],
        "operations": resources.operations(operations),
    }


def finalize_restore(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """POST /projects/{project_id}/branches/{branch_id}/finalize_restore."""
    operations = snapshots.finalize_restore(project_id, branch_id, wire.title(wire.body(request), "name"))
    return HTTPStatus.OK, {"operations": resources.operations(operations)}
