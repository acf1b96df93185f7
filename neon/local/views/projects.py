"""Projects and the connection URIs that lead to them."""

from http import HTTPStatus

from django.http import HttpRequest

from neon.local import resources, store, wire
from neon.local.engine import databases, projects
from neon.local.errors import BadRequest, NotFound, NotImplementedHere
from neon.local.wire import Answer

LIST_LIMIT = 10
LIST_LIMIT_MAX = 400
PG_VERSIONS = range(14, 20)
# Of the settings of a project, these need a cloud, and these of its default_endpoint_settings. How large a compute is
# (the autoscaling limits), and in which region, has no meaning here.
NEEDS_A_CLOUD = ("settings", "history_retention_seconds")
ENDPOINTS_NEED_A_CLOUD = ("pg_settings", "pgbouncer_settings", "suspend_timeout_seconds")


def list_projects(request: HttpRequest) -> Answer:
    """GET /projects; the cursor is the last project of the page, and comes even on the last page."""
    _check_organisation(request.GET)
    rows = projects.page(
        search=wire.text(request.GET, "search"),
        cursor=wire.text(request.GET, "cursor"),
        limit=wire.limit(request, LIST_LIMIT, LIST_LIMIT_MAX),
        recoverable=wire.flag(request.GET, "recoverable"),
    )
    return HTTPStatus.OK, {
        "projects": [resources.project(row) for row in rows],
        "applications": {},
        "integrations": {},
        **({"pagination": {"cursor": rows[-1]["id"]}} if rows else {}),
    }


def list_shared(request: HttpRequest) -> Answer:
    """GET /projects/shared: nobody shares anything here."""
    return HTTPStatus.OK, {"projects": [], "applications": {}, "integrations": {}}


def create_project(request: HttpRequest) -> Answer:
    """POST /projects."""
    wanted = wire.inside(request, "project")
    branch = wire.part(wanted, "branch")
    _check_organisation(wanted)
    _check_settings(wanted)
    wire.part(branch, "annotations")
    wire.refuse(branch, "annotations", reason="keeps no annotations")
    version = wanted.get("pg_version")
    if version is not None and version != store.version():
        if not isinstance(version, int) or version not in PG_VERSIONS:
            raise BadRequest(f"invalid request: pg_version must be from {PG_VERSIONS[0]} to {PG_VERSIONS[-1]}")
        raise NotImplementedHere(f"the local control plane runs Postgres {store.version()} only")
    if not wire.flag(wanted, "store_passwords", default=True):
        raise NotImplementedHere("the local control plane always stores passwords")
    made = projects.create(
        wire.title(wanted, "name"),
        branch=wire.title(branch, "name"),
        database=wire.identifier(branch, "database_name"),
        role=wire.identifier(branch, "role_name"),
    )
    return HTTPStatus.CREATED, {
        "project": resources.project(made["project"]),
        "connection_uris": [resources.connection_details(made["endpoint"], made["database"], made["role"])],
        "roles": [resources.role(made["role"], made["password"])],
        "databases": [resources.database(made["database"])],
        "operations": resources.operations(made["operations"]),
        "branch": resources.branch(made["branch"]),
        "endpoints": [resources.endpoint(made["endpoint"])],
    }


def get_project(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}."""
    return HTTPStatus.OK, {"project": resources.project(projects.get(project_id))}


def update_project(request: HttpRequest, project_id: str) -> Answer:
    """PATCH /projects/{project_id}: its name."""
    wanted = wire.inside(request, "project")
    _check_settings(wanted)
    project = projects.rename(project_id, wire.title(wanted, "name"))
    return HTTPStatus.OK, {"project": resources.project(project), "operations": []}


def delete_project(request: HttpRequest, project_id: str) -> Answer:
    """DELETE /projects/{project_id}."""
    return HTTPStatus.OK, {"project": resources.project(projects.delete(project_id))}


def recover_project(request: HttpRequest, project_id: str) -> Answer:
    """POST /projects/{project_id}/recover."""
    project, branches = projects.recover(project_id)
    return HTTPStatus.OK, {
        "project": resources.project(project),
        "branches": [resources.branch(row) for row in branches],
    }


def connection_uri(request: HttpRequest, project_id: str) -> Answer:
    """GET /projects/{project_id}/connection_uri, of the default branch unless another is named; never pooled."""
    wire.flag(request.GET, "pooled")
    found = databases.connection_parameters(
        project_id,
        database=wire.needed(request.GET, "database_name"),
        role=wire.needed(request.GET, "role_name"),
        branch_id=wire.text(request.GET, "branch_id"),
        endpoint_id=wire.text(request.GET, "endpoint_id"),
    )
    return HTTPStatus.OK, {"uri": resources.connection_uri(found["endpoint"], found["database"], found["role"])}


def _check_settings(wanted: wire.Wanted) -> None:
    wire.refuse(wanted, *NEEDS_A_CLOUD, reason="runs on one machine")
    of_endpoints = wire.part(wanted, "default_endpoint_settings")
    wire.refuse(of_endpoints, *ENDPOINTS_NEED_A_CLOUD, reason="runs on one machine")


def _check_organisation(wanted: wire.Wanted) -> None:
    """Raise NotFound for any organisation: there is none, and clients name one only when they are told to."""
    if wire.text(wanted, "org_id"):
        raise NotFound("organization not found")
