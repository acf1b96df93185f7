"""Bodies as Neon's API sends them, for tests at the wire.

Each has some fields that the client does not read, as real answers do.
"""

from typing import Any

from httpx import Response

PROJECT = "quiet-meadow-12345678"
BRANCH = "br-young-forest-a1b2c3d4"
ENDPOINT = "ep-cool-darkness-e5f6a7b8"
SNAPSHOT = "snap-still-river-c9d0e1f2"
PASSWORD = "npg_Zx81hQwPd0aB"
URI = f"postgresql://neondb_owner:{PASSWORD}@{ENDPOINT}.us-east-2.aws.neon.tech/neondb?sslmode=require"
MOMENT = "2026-03-04T05:06:07Z"

Body = dict[str, Any]


def project(**fields: Any) -> Body:
    """Return a project."""
    return {
        "id": PROJECT,
        "name": "checkpoints-7-0a1b2c3d",
        "pg_version": 18,
        "region_id": "aws-us-east-2",
        "settings": {"hipaa": False},
        "created_at": MOMENT,
    } | fields


def branch(**fields: Any) -> Body:
    """Return a root branch, the default one."""
    return {
        "id": BRANCH,
        "project_id": PROJECT,
        "name": "main",
        "current_state": "ready",
        "primary": True,
        "default": True,
        "protected": False,
        "created_at": MOMENT,
    } | fields


def endpoint(**fields: Any) -> Body:
    """Return a compute of the default branch."""
    return {
        "id": ENDPOINT,
        "branch_id": BRANCH,
        "host": f"{ENDPOINT}.us-east-2.aws.neon.tech",
        "type": "read_write",
        "current_state": "idle",
    } | fields


def operation(number: int = 1, status: str = "running", **fields: Any) -> Body:
    """Return an operation, told from others by its number."""
    return {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "project_id": PROJECT,
        "branch_id": BRANCH,
        "action": "create_timeline",
        "status": status,
        "failures_count": 0,
        "created_at": MOMENT,
        "total_duration_ms": 31,
    } | fields


def snapshot(**fields: Any) -> Body:
    """Return a snapshot of the default branch."""
    return {
        "id": SNAPSHOT,
        "name": "v1-0a1b2c3d",
        "source_branch_id": BRANCH,
        "created_at": MOMENT,
        "manual": True,
    } | fields


def created_project(*operations: Body, **fields: Any) -> Body:
    """Return the answer to the creation of a project."""
    return {
        "project": project(),
        "connection_uris": [{"connection_uri": URI, "connection_parameters": {"password": PASSWORD}}],
        "roles": [{"name": "neondb_owner", "password": PASSWORD}],
        "branch": branch(current_state="init", pending_state="ready"),
        "endpoints": [endpoint()],
        "operations": list(operations),
    } | fields


def created_snapshot(*operations: Body) -> Body:
    """Return the answer to the creation of a snapshot."""
    return {"snapshot": snapshot(), "operations": list(operations)}


def restored(branch_id: str, *operations: Body) -> Body:
    """Return the answer to a restore in one step."""
    return {
        "branch": branch(id=branch_id, current_state="init", restored_from=SNAPSHOT),
        "operations": list(operations),
    }


def operations(*items: Body) -> Body:
    """Return a list of operations."""
    return {"operations": list(items), "pagination": {"cursor": MOMENT}}


def branches(*items: Body, following: str | None = "next-page") -> Body:
    """Return a page of branches; Neon names a next page even when there is nothing on it."""
    pagination = {"sort_by": "updated_at", "sort_order": "DESC"} | ({"next": following} if following else {})
    return {"branches": list(items), "annotations": {}, "pagination": pagination}


def projects(*items: Body) -> Body:
    """Return a page of projects; its cursor is the last one's id."""
    return {"projects": list(items), "pagination": {"cursor": items[-1]["id"]} if items else {}}


def error(message: str, code: str = "", **fields: Any) -> Body:
    """Return the body of a refusal."""
    return {"code": code, "message": message} | fields


def listing(*statuses: str) -> Response:
    """Return the answer that lists operations 1, 2, ... in these states, newest first."""
    items = [operation(number, status) for number, status in enumerate(statuses, 1)]
    return Response(200, json=operations(*reversed(items)))
