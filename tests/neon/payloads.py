"""Bodies as Neon's API sends them, for tests at the wire.

Each has the fields that the client does not read, too: test_payloads.py holds them against Neon's own description.
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
HOST = f"{ENDPOINT}.us-east-2.aws.neon.tech"
STAMPS = {"created_at": MOMENT, "updated_at": MOMENT, "creation_source": "console"}
USAGE = dict.fromkeys(
    ("cpu_used_sec", "active_time_seconds", "compute_time_seconds", "written_data_bytes", "data_transfer_bytes"), 0
)

Body = dict[str, Any]


def project(**fields: Any) -> Body:
    """Return a project, with the fields that it has alone and those that it has in a list."""
    return {
        **STAMPS,
        **USAGE,
        "id": PROJECT,
        "name": "checkpoints-7-0a1b2c3d",
        "pg_version": 18,
        "region_id": "aws-us-east-2",
        "settings": {"hipaa": False},
        "platform_id": "aws",
        "provisioner": "k8s-neonvm",
        "proxy_host": "us-east-2.aws.neon.tech",
        "store_passwords": True,
        "history_retention_seconds": 86400,
        "branch_logical_size_limit": 512,
        "branch_logical_size_limit_bytes": 512 * 2**20,
        "active_time": 0,
        "data_storage_bytes_hour": 0,
        "consumption_period_start": MOMENT,
        "consumption_period_end": MOMENT,
        "owner_id": "00000000-0000-4000-8000-00000000000a",
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
        "state_changed_at": MOMENT,
        **STAMPS,
        **USAGE,
    } | fields


def endpoint(**fields: Any) -> Body:
    """Return a compute of the default branch."""
    return {
        "id": ENDPOINT,
        "branch_id": BRANCH,
        "host": HOST,
        "type": "read_write",
        "current_state": "idle",
        "project_id": PROJECT,
        "region_id": "aws-us-east-2",
        "autoscaling_limit_min_cu": 0.25,
        "autoscaling_limit_max_cu": 2,
        "pooler_enabled": False,
        "pooler_mode": "transaction",
        "disabled": False,
        "passwordless_access": True,
        "settings": {},
        "proxy_host": "us-east-2.aws.neon.tech",
        "suspend_timeout_seconds": 0,
        "provisioner": "k8s-neonvm",
        **STAMPS,
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
        "updated_at": MOMENT,
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
        "connection_uris": [
            {
                "connection_uri": URI,
                "connection_parameters": {
                    "database": "neondb",
                    "role": "neondb_owner",
                    "password": PASSWORD,
                    "host": HOST,
                    "pooler_host": HOST.replace(ENDPOINT, f"{ENDPOINT}-pooler"),
                },
            }
        ],
        "roles": [{"branch_id": BRANCH, "name": "neondb_owner", "password": PASSWORD, **STAMPS}],
        "databases": [{"id": 1, "branch_id": BRANCH, "name": "neondb", "owner_name": "neondb_owner", **STAMPS}],
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
    """Return a page of projects; its cursor is the last one's id, and the page after the last has none."""
    body = {"projects": list(items), "applications": {}, "integrations": {}}
    return body | ({"pagination": {"cursor": items[-1]["id"]}} if items else {})


def error(message: str, code: str = "", **fields: Any) -> Body:
    """Return the body of a refusal."""
    return {"code": code, "message": message} | fields


def listing(*statuses: str) -> Response:
    """Return the answer that lists operations 1, 2, ... in these states, newest first."""
    items = [operation(number, status) for number, status in enumerate(statuses, 1)]
    return Response(200, json=operations(*reversed(items)))
