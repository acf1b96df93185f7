"""Endpoints and operations of a project."""

from http import HTTPStatus

from django.http import HttpRequest

from neon.local import resources, wire
from neon.local.engine import endpoints, projects
from neon.local.errors import NotImplementedHere
from neon.local.resources import Row
from neon.local.wire import Answer

OPERATIONS_LIMIT_MAX = 1000
# Of what an endpoint may be given, these need a cloud. How large it is, and in which region, has no meaning here.
NEEDS_A_CLOUD = ("settings", "pooler_enabled", "disabled", "passwordless_access", "suspend_timeout_seconds")


def list_endpoints(request: HttpRequest, project_id: str, branch_id: str = "") -> Answer:
    """GET /projects/{project_id}/endpoints, or those of one branch below its path."""
    rows = endpoints.of_project(project_id, branch_id)
    return HTTPStatus.OK, {"endpoints": [resources.endpoint(row) for row in rows]}


def create_endpoint(request: HttpRequest, project_id: str) -> Answer:
    """POST /projects/{project_id}/endpoints."""
    wanted = wire.inside(request, "endpoint")
    branch_id = wire.needed(wanted, "branch_id")
    check_kind(wanted)
    made = endpoints.create(project_id, branch_id, wire.title(wanted, "name", longest=64))
    return HTTPStatus.CREATED, _answer(made)


def check_kind(wanted: wire.Wanted) -> None:
    """Raise NotImplementedHere for an endpoint of a kind that the plane does not have, whoever makes it."""
    if wire.choice(wanted, "type", resources.ENDPOINT_TYPES) != resources.ENDPOINT_TYPES[0]:
        raise NotImplementedHere("the local control plane has one read_write endpoint per branch and no other")
    wire.refuse(wanted, *NEEDS_A_CLOUD, reason="runs on one machine")


def get_endpoint(request: HttpRequest, project_id: str, endpoint_id: str) -> Answer:
    """GET /projects/{project_id}/endpoints/{endpoint_id}."""
    return HTTPStatus.OK, {"endpoint": resources.endpoint(endpoints.get(project_id, endpoint_id))}


def delete_endpoint(request: HttpRequest, project_id: str, endpoint_id: str) -> Answer:
    """DELETE /projects/{project_id}/endpoints/{endpoint_id}; 204 when there is none."""
    deleted = endpoints.delete(project_id, endpoint_id)
    return (HTTPStatus.NO_CONTENT, {}) if deleted is None else (HTTPStatus.OK, _answer(deleted))


def start_endpoint(request: HttpRequest, project_id: str, endpoint_id: str) -> Answer:
    """POST /projects/{project_id}/endpoints/{endpoint_id}/start."""
    return HTTPStatus.OK, _answer(endpoints.start(project_id, endpoint_id))


def suspend_endpoint(request: HttpRequest, project_id: str, endpoint_id: str) -> Answer:
    """POST /projects/{project_id}/endpoints/{endpoint_id}/suspend."""
    return HTTPStatus.OK, _answer(endpoints.suspend(project_id, endpoint_id))


def restart_endpoint(request: HttpRequest, project_id: str, endpoint_id: str) -> Answer:
    """POST /projects/{project_id}/endpoints/{endpoint_id}/restart."""
    return HTTPStatus.OK, _answer(endpoints.restart(project_id, endpoint_id))


def list_operations(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}/operations, the newest first; the cursor is the time of the page's last one."""
    most = wire.limit(request, OPERATIONS_LIMIT_MAX, OPERATIONS_LIMIT_MAX)
    rows = projects.operations_of(project_id, cursor=wire.text(request.GET, "cursor"), limit=most)
    return HTTPStatus.OK, {
        "operations": resources.operations(rows),
        **({"pagination": {"cursor": resources.moment(rows[-1]["created_at"])}} if rows else {}),
    }


def get_operation(request: HttpRequest, project_id: str, operation_id: str) -> Answer:
    """GET /projects/{project_id}/operations/{operation_id}."""
    return HTTPStatus.OK, {"operation": resources.operation(projects.operation(project_id, operation_id))}


def _answer(changed: tuple[Row, list[Row]]) -> Row:
    endpoint, operations = changed
    return {"endpoint": resources.endpoint(endpoint), "operations": resources.operations(operations)}
