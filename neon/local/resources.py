"""The plane's rows as Neon's JSON: the fields that the API's schemas require, and those that clients read."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from neon.local import postgres

Row = dict[str, Any]

REGION = "local"
OWNER = "local"
# What a cloud measures and this machine does not.
UNMEASURED = {
    "active_time_seconds": 0,
    "compute_time_seconds": 0,
    "written_data_bytes": 0,
    "data_transfer_bytes": 0,
    "cpu_used_sec": 0,
}


def project(row: Row) -> Row:
    """Return a Project."""
    return {
        **UNMEASURED,
        "active_time": 0,
        "data_storage_bytes_hour": 0,
        "id": row["id"],
        "name": row["name"],
        "platform_id": "local",
        "region_id": REGION,
        "pg_version": 18,
        "proxy_host": postgres.server().address()["host"],
        "provisioner": "k8s-pod",
        "branch_logical_size_limit": 0,
        "branch_logical_size_limit_bytes": 0,
        "store_passwords": True,
        "creation_source": "api",
        "history_retention_seconds": 0,
        "consumption_period_start": moment(row["created_at"]),
        "consumption_period_end": moment(row["created_at"]),
        "owner_id": OWNER,
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
    }


def branch(row: Row) -> Row:
    """Return a Branch."""
    due = row["finalize_at"]
    state = {"current_state": "init", "pending_state": "ready"} if due else {"current_state": "ready"}
    restored = (
        {"restored_from": row["restored_from"], "restored_as": row["restored_as"]} if row["restored_from"] else {}
    )
    return {
        **UNMEASURED,
        **state,
        **restored,
        "id": row["id"],
        "project_id": row["project_id"],
        "name": row["name"],
        "state_changed_at": moment(row["updated_at"]),
        "creation_source": "api",
        "primary": row["is_default"],
        "default": row["is_default"],
        "protected": False,
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
    }


def endpoint(row: Row) -> Row:
    """Return an Endpoint; the server's address stands for its host."""
    address = postgres.server().address()
    return {
        "id": row["id"],
        "project_id": row["project_id"],
        "branch_id": row["branch_id"],
        "host": f"{address['host']}:{address['port']}",
        "proxy_host": address["host"],
        "region_id": REGION,
        "type": "read_write",
        "current_state": "active",
        "autoscaling_limit_min_cu": 1,
        "autoscaling_limit_max_cu": 1,
        "pooler_enabled": False,
        "pooler_mode": "transaction",
        "disabled": False,
        "passwordless_access": False,
        "creation_source": "api",
        "settings": {},
        "suspend_timeout_seconds": 0,
        "provisioner": "k8s-pod",
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
    }


def operation(row: Row) -> Row:
    """Return an Operation."""
    ended = min(row["finish_at"], datetime.now(UTC))
    about = {name: row[name] for name in ("branch_id", "endpoint_id") if row[name]}
    return {
        **about,
        "id": str(row["id"]),
        "project_id": row["project_id"],
        "action": row["action"],
        "status": row["status"],
        "failures_count": 0,
        "created_at": moment(row["created_at"]),
        "updated_at": moment(max(ended, row["created_at"])),
        "total_duration_ms": max(0, round((ended - row["created_at"]).total_seconds() * 1000)),
    }


def snapshot(row: Row) -> Row:
    """Return a Snapshot."""
    return {
        "id": row["id"],
        "name": row["name"],
        "source_branch_id": row["source_branch_id"],
        "created_at": moment(row["created_at"]),
        "manual": True,
    }


def role(row: Row, branch_id: str, password: str) -> Row:
    """Return a Role with its password, as only its creation shows it."""
    return {
        "branch_id": branch_id,
        "name": row["name"],
        "password": password,
        "protected": False,
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["created_at"]),
    }


def database(row: Row) -> Row:
    """Return a Database."""
    return {
        "id": row["id"],
        "branch_id": row["branch_id"],
        "name": row["name"],
        "owner_name": row["owner_name"],
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["created_at"]),
    }


def connection_uri(parameters: dict[str, str]) -> str:
    """Return a URI with the names in the cluster and the password."""
    address = postgres.server().address()
    credentials = f"{quote(parameters['user'])}:{quote(parameters['password'], safe='')}"
    return f"postgresql://{credentials}@{address['host']}:{address['port']}/{quote(parameters['dbname'])}"


def moment(value: datetime) -> str:
    """Return a time in RFC 3339, UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
