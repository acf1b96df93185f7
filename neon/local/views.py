"""The plane's views: check the key, parse, call the engine, serialise. All rules are in ``engine``."""

import json
import logging
import secrets
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from neon.local import engine, resources
from neon.local.errors import BadRequest, NotFound, NotImplementedHere, PlaneError, Unauthorized

logger = logging.getLogger(__name__)

LIST_LIMIT = 10
LIST_LIMIT_MAX = 400
OPERATIONS_LIMIT_MAX = 1000

Answer = tuple[HTTPStatus, dict[str, Any]]


def endpoint(**methods: Callable[..., Answer]) -> Callable[..., HttpResponse]:
    """Return the view of one path: a function for each method, behind the key, its refusals as Neon's errors."""

    @csrf_exempt
    def view(request: HttpRequest, **ids: str) -> HttpResponse:
        request_id = str(uuid.uuid4())
        try:
            _check_key(request)
            if any("\0" in text for text in ids.values()):
                raise NotFound("not found")
            if request.method not in methods:
                raise NotImplementedHere(f"{request.method} {request.path} is not part of the local control plane")
            status, body = methods[request.method](request, **ids)
        except PlaneError as error:
            status = error.status
            body = {"request_id": request_id, "code": error.code, "message": error.message}
        except Exception:  # the last resort of a server; what went wrong may quote what is nobody's business
            logger.exception("%s %s failed (%s)", request.method, request.path, request_id)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            body = {"request_id": request_id, "code": "", "message": "internal error"}
        response = HttpResponse(status=status) if status == HTTPStatus.NO_CONTENT else JsonResponse(body, status=status)
        response["x-neon-ret-request-id"] = request_id
        return response

    view.methods = methods  # type: ignore[attr-defined]  # the documentation is tested against them
    return view


def list_projects(request: HttpRequest) -> Answer:
    """GET /projects; the cursor is the last project of the page, and comes even on the last page."""
    cursor = _text(request.GET, "cursor")
    limit = _limit(request, LIST_LIMIT, LIST_LIMIT_MAX)
    rows = engine.list_projects(search=_text(request.GET, "search"), cursor=cursor, limit=limit)
    last = rows[-1]["id"] if rows else cursor
    return HTTPStatus.OK, {
        "projects": [resources.project(row) for row in rows],
        "pagination": {"cursor": last},
        "applications": {},
        "integrations": {},
    }


def create_project(request: HttpRequest) -> Answer:
    """POST /projects."""
    wanted = _body(request).get("project")
    if not isinstance(wanted, dict):
        raise BadRequest("invalid request: decode application/json: invalid: project (field required)")
    made = engine.create_project(_text(wanted, "name"))
    branch_id, database, role = made["branch"]["id"], made["databases"][0], made["roles"][0]
    parameters = {"user": role["physical_name"], "dbname": database["physical_name"], "password": made["password"]}
    host = resources.endpoint(made["endpoints"][0])["host"]
    return HTTPStatus.CREATED, {
        "project": resources.project(made["project"]),
        "connection_uris": [
            {
                "connection_uri": resources.connection_uri(parameters),
                "connection_parameters": {
                    "database": parameters["dbname"],
                    "role": parameters["user"],
                    "password": parameters["password"],
                    "host": host,
                    "pooler_host": host,
                },
            }
        ],
        "roles": [resources.role(role, branch_id, made["password"])],
        "databases": [resources.database(database)],
        "operations": [resources.operation(row) for row in made["operations"]],
        "branch": resources.branch(made["branch"]),
        "endpoints": [resources.endpoint(row) for row in made["endpoints"]],
    }


def get_project(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}."""
    return HTTPStatus.OK, {"project": resources.project(engine.get_project(project_id))}


def delete_project(request: HttpRequest, project_id: str) -> Answer:
    """DELETE /projects/{project_id}."""
    return HTTPStatus.OK, {"project": resources.project(engine.delete_project(project_id))}


def list_branches(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}/branches."""
    rows = [] if request.GET.get("cursor") else engine.list_branches(project_id)
    return HTTPStatus.OK, {
        "branches": [resources.branch(row) for row in rows],
        "annotations": {},
        "pagination": {"sort_by": "created_at", "sort_order": "DESC"},
    }


def get_branch(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}."""
    return HTTPStatus.OK, {
        "branch": resources.branch(engine.get_branch(project_id, branch_id)),
        "annotation": {"object": {"type": "console/branch", "id": branch_id}, "value": {}},
    }


def delete_branch(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """DELETE /projects/{project_id}/branches/{branch_id}; 204 when there is none."""
    deleted = engine.delete_branch(project_id, branch_id)
    if deleted is None:
        return HTTPStatus.NO_CONTENT, {}
    branch, operations = deleted
    return HTTPStatus.OK, {
        "branch": {**resources.branch(branch), "pending_state": "storage_deleted"},
        "operations": [resources.operation(row) for row in operations],
    }


def list_endpoints(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}/endpoints."""
    return HTTPStatus.OK, {"endpoints": [resources.endpoint(row) for row in engine.list_endpoints(project_id)]}


def connection_uri(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}/connection_uri, of the default branch unless another is named."""
    names = {name: _text(request.GET, f"{name}_name") for name in ("database", "role")}
    if not all(names.values()):
        raise BadRequest("database_name and role_name are required")
    parameters = engine.connection_parameters(project_id, **names, branch_id=_text(request.GET, "branch_id"))
    return HTTPStatus.OK, {"uri": resources.connection_uri(parameters)}


def list_operations(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}/operations, the newest first; the cursor is the time of the page's last one."""
    limit = _limit(request, OPERATIONS_LIMIT_MAX, OPERATIONS_LIMIT_MAX)
    cursor = _text(request.GET, "cursor")
    rows = engine.list_operations(project_id, cursor=cursor, limit=limit)
    last = resources.moment(rows[-1]["created_at"]) if rows else cursor
    return HTTPStatus.OK, {
        "operations": [resources.operation(row) for row in rows],
        "pagination": {"cursor": last},
    }


def get_operation(request: HttpRequest, project_id: str, operation_id: str) -> Answer:
    """GET /projects/{project_id}/operations/{operation_id}."""
    return HTTPStatus.OK, {"operation": resources.operation(engine.get_operation(project_id, operation_id))}


def create_snapshot(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """POST /projects/{project_id}/branches/{branch_id}/snapshot; parameters in the query, else in the body."""
    wanted = {**_body(request), **request.GET.dict()}
    if unsupported := {"timestamp", "lsn", "expires_at"} & wanted.keys():
        raise NotImplementedHere(f"the local control plane keeps no history: no {', '.join(sorted(unsupported))}")
    snapshot, operations = engine.create_snapshot(project_id, branch_id, _text(wanted, "name"))
    return HTTPStatus.OK, {
        "snapshot": resources.snapshot(snapshot),
        "operations": [resources.operation(row) for row in operations],
    }


def list_snapshots(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}/snapshots, the newest first."""
    return HTTPStatus.OK, {"snapshots": [resources.snapshot(row) for row in engine.list_snapshots(project_id)]}


def delete_snapshot(request: HttpRequest, project_id: str, snapshot_id: str) -> Answer:
    """DELETE /projects/{project_id}/snapshots/{snapshot_id}."""
    operations = engine.delete_snapshot(project_id, snapshot_id)
    return HTTPStatus.ACCEPTED, {"operations": [resources.operation(row) for row in operations]}


def restore_snapshot(request: HttpRequest, project_id: str, snapshot_id: str) -> Answer:
    """POST /projects/{project_id}/snapshots/{snapshot_id}/restore, in one step."""
    wanted = _body(request)
    if wanted.get("finalize_restore") is not True:
        raise NotImplementedHere("the local control plane restores in one step: send finalize_restore: true")
    branch, endpoints, operations = engine.restore_snapshot(
        project_id, snapshot_id, target_branch_id=_text(wanted, "target_branch_id")
    )
    return HTTPStatus.OK, {
        "branch": resources.branch(branch),
        "endpoints": [resources.endpoint(row) for row in endpoints],
        "operations": [resources.operation(row) for row in operations],
    }


def _check_key(request: HttpRequest) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not key or not secrets.compare_digest(key.encode(), settings.NEON_LOCAL_API_KEY.encode()):
        raise Unauthorized("supplied credentials do not pass authentication")


def _body(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object of the request's body, which may be empty."""
    try:
        body = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        raise BadRequest("invalid request: decode application/json") from None
    if not isinstance(body, dict):
        raise BadRequest("invalid request: decode application/json: an object is required")
    return body


def _text(wanted: Mapping[str, Any], name: str) -> str:
    """Return a text of the query or the body, empty when it is not given."""
    text = wanted.get(name) or ""
    if not isinstance(text, str) or "\0" in text:
        raise BadRequest(f"invalid request: {name} must be a text")
    return text


def _limit(request: HttpRequest, default: int, most: int) -> int:
    """Return the page's length."""
    try:
        limit = int(request.GET.get("limit", default))
    except ValueError:
        limit = 0
    if not 1 <= limit <= most:
        raise BadRequest(f"invalid request: limit must be a number from 1 to {most}")
    return limit
