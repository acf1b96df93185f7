"""The plane's rows as Neon's JSON: the fields that the API's schemas require, and those that clients read."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.conf import settings

from neon.local import passwords, postgres, router, store

Row = dict[str, Any]

REGION = "local"
OWNER = "local"
ENDPOINT_TYPES = ("read_write", "read_only")  # of which the plane has the first
# What a cloud measures and this machine does not.
UNMEASURED = {
    "active_time_seconds": 0,
    "compute_time_seconds": 0,
    "written_data_bytes": 0,
    "data_transfer_bytes": 0,
    "cpu_used_sec": 0,
}


def project(row: Row) -> Row:
    """Return a Project, which is also what a list of projects has."""
    deleted = {}
    if row["deleted_at"]:
        until = row["deleted_at"] + timedelta(seconds=settings.NEON_LOCAL_RECOVERY_SECONDS)
        deleted = {"deleted_at": moment(row["deleted_at"]), "recoverable_until": moment(until)}
    return {
        **UNMEASURED,
        **deleted,
        "active_time": 0,
        "data_storage_bytes_hour": 0,
        "id": row["id"],
        "name": row["name"],
        "platform_id": "local",
        "region_id": REGION,
        "pg_version": store.version(),
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
    state = {"current_state": "ready"}
    if row["is_resetting"]:
        state = {"current_state": "resetting", "pending_state": "ready"}
    elif row["is_init"] or row["finalize_at"]:
        state = {"current_state": "init", "pending_state": "ready"}
    restored = {}
    if row["restored_from"]:
        settled = row["finalize_at"] is None and row["finalized"]
        restored = {
            "restore_status": "finalized" if settled else "restored",
            "restored_from": row["restored_from"],
            "restored_as": row["restored_as"],
        }
    parent = {"parent_id": row["parent_id"], "init_source": "parent-data"} if row["parent_id"] else {}
    times = {name: moment(row[name]) for name in ("expires_at", "last_reset_at") if row[name]}
    return {
        **UNMEASURED,
        **state,
        **restored,
        **parent,
        **times,
        "id": row["id"],
        "project_id": row["project_id"],
        "name": row["name"],
        "state_changed_at": moment(row["updated_at"]),
        "creation_source": "api",
        "primary": row["is_default"],
        "default": row["is_default"],
        "protected": row["protected"],
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
    }


def endpoint(row: Row) -> Row:
    """Return an Endpoint, with a port in its host: endpoints share this machine's address."""
    host, port = _address(row)
    state = {"current_state": "idle" if row["suspended_at"] else "active"}
    if row["is_init"]:
        state = {"current_state": "init", "pending_state": "active"}
    named = {"name": row["name"]} if row["name"] else {}
    slept = {"suspended_at": moment(row["suspended_at"])} if row["suspended_at"] else {}
    return {
        **state,
        **named,
        **slept,
        "id": row["id"],
        "project_id": row["project_id"],
        "branch_id": row["branch_id"],
        "host": f"{host}:{port}",
        "proxy_host": host,
        "region_id": REGION,
        "type": ENDPOINT_TYPES[0],
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
        "failures_count": int(row["retry_at"] is not None or row["status"] in {"failed", "error"}),
        **({"retry_at": moment(row["retry_at"])} if row["retry_at"] and row["status"] == "failed" else {}),
        **({"error": row["error"]} if row["error"] and row["status"] in {"failed", "error"} else {}),
        "created_at": moment(row["created_at"]),
        "updated_at": moment(max(ended, row["created_at"])),
        "total_duration_ms": max(0, round((ended - row["created_at"]).total_seconds() * 1000)),
    }


def operations(rows: Sequence[Row]) -> list[Row]:
    """Return the operations that an answer carries beside its subject."""
    return [operation(row) for row in rows]


def snapshot(row: Row) -> Row:
    """Return a Snapshot."""
    ends = {"expires_at": moment(row["expires_at"])} if row["expires_at"] else {}
    slug = {"slug": row["slug"]} if row["slug"] else {}
    return {
        **ends,
        **slug,
        "id": row["id"],
        "name": row["name"],
        "source_branch_id": row["source_branch_id"],
        "created_at": moment(row["created_at"]),
        "manual": True,
    }


def role(row: Row, password: str | None = None) -> Row:
    """Return a Role, with its password where Neon shows it."""
    return {
        "branch_id": row["branch_id"],
        "name": row["name"],
        **({} if password is None else {"password": password}),
        "protected": False,
        "authentication_method": "password" if row["login"] else "no_login",
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
    }


def database(row: Row) -> Row:
    """Return a Database."""
    return {
        "id": row["id"],
        "branch_id": row["branch_id"],
        "name": row["name"],
        "owner_name": row["owner_name"],
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
    }


def connection_uri(endpoint: Row, database: Row, role: Row) -> str:
    """Return a URI with the password: with Neon's names through the router, else with the names in the cluster."""
    parameters = _parameters(endpoint, database, role)
    host, port = _address(endpoint)
    credentials = f"{quote(parameters['role'], safe='')}:{quote(parameters['password'], safe='')}"
    return f"postgresql://{credentials}@{host}:{port}/{quote(parameters['database'], safe='')}"


def connection_details(endpoint: Row, database: Row, role: Row) -> Row:
    """Return ConnectionDetails: a URI and its parts."""
    host, port = _address(endpoint)
    return {
        "connection_uri": connection_uri(endpoint, database, role),
        "connection_parameters": {
            **_parameters(endpoint, database, role),
            "host": f"{host}:{port}",
            "pooler_host": f"{host}:{port}",
        },
    }


def bracketed(host: str) -> str:
    """Return an address as it stands in a URL, where IPv6's has brackets."""
    return f"[{host}]" if ":" in host else host


def _address(endpoint: Row) -> tuple[str, int]:
    if routing := router.active():
        return bracketed(routing.host), routing.port(endpoint["id"])
    address = postgres.server().address()
    return bracketed(address["host"]), address["port"]


def _parameters(endpoint: Row, database: Row, role: Row) -> dict[str, str]:
    key = "name" if router.active() else "physical_name"
    return {"database": database[key], "role": role[key], "password": passwords.decrypt(role["password"])}


def moment(value: datetime) -> str:
    """Return a time in RFC 3339, UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
