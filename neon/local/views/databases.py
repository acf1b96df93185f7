"""Databases and roles of a branch."""

from http import HTTPStatus

from django.http import HttpRequest

from neon.local import resources, wire
from neon.local.engine import databases, roles
from neon.local.resources import Row
from neon.local.wire import Answer


def list_databases(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}/databases."""
    rows = databases.of_branch(project_id, branch_id)
    return HTTPStatus.OK, {"databases": [resources.database(row) for row in rows]}


def create_database(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """POST /projects/{project_id}/branches/{branch_id}/databases."""
    wanted = wire.inside(request, "database")
    name, owner = (wire.identifier(wanted, field, required=True) for field in ("name", "owner_name"))
    return HTTPStatus.CREATED, _database(databases.create(project_id, branch_id, name, owner))


def get_database(request: HttpRequest, project_id: str, branch_id: str, database_name: str) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}/databases/{database_name}."""
    return HTTPStatus.OK, {"database": resources.database(databases.get(project_id, branch_id, database_name))}


def update_database(request: HttpRequest, project_id: str, branch_id: str, database_name: str) -> Answer:
    """PATCH /projects/{project_id}/branches/{branch_id}/databases/{database_name}: name, owner."""
    wanted = wire.inside(request, "database")
    changed = databases.update(
        *(project_id, branch_id, database_name),
        new_name=wire.identifier(wanted, "name"),
        owner_name=wire.identifier(wanted, "owner_name"),
    )
    return HTTPStatus.OK, _database(changed)


def delete_database(request: HttpRequest, project_id: str, branch_id: str, database_name: str) -> Answer:
    """DELETE /projects/{project_id}/branches/{branch_id}/databases/{database_name}; 204 when there is none."""
    deleted = databases.delete(project_id, branch_id, database_name)
    return (HTTPStatus.NO_CONTENT, {}) if deleted is None else (HTTPStatus.OK, _database(deleted))


def list_roles(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}/roles."""
    return HTTPStatus.OK, {"roles": [resources.role(row) for row in roles.of_branch(project_id, branch_id)]}


def create_role(request: HttpRequest, project_id: str, branch_id: str) -> Answer:
    """POST /projects/{project_id}/branches/{branch_id}/roles; the answer has the password."""
    wanted = wire.inside(request, "role")
    name, login = wire.identifier(wanted, "name", required=True), not wire.flag(wanted, "no_login")
    made = roles.create(project_id, branch_id, name, login=login)
    role, password, operations = made
    return HTTPStatus.CREATED, _role(role, operations, password if login else None)


def get_role(request: HttpRequest, project_id: str, branch_id: str, role_name: str) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}/roles/{role_name}; never with the password."""
    return HTTPStatus.OK, {"role": resources.role(roles.get(project_id, branch_id, role_name))}


def delete_role(request: HttpRequest, project_id: str, branch_id: str, role_name: str) -> Answer:
    """DELETE /projects/{project_id}/branches/{branch_id}/roles/{role_name}; 204 when there is none."""
    deleted = roles.delete(project_id, branch_id, role_name)
    return (HTTPStatus.NO_CONTENT, {}) if deleted is None else (HTTPStatus.OK, _role(*deleted))


def reveal_password(request: HttpRequest, project_id: str, branch_id: str, role_name: str) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}/roles/{role_name}/reveal_password."""
    return HTTPStatus.OK, {"password": roles.reveal_password(project_id, branch_id, role_name)}


def reset_password(request: HttpRequest, project_id: str, branch_id: str, role_name: str) -> Answer:
    """POST /projects/{project_id}/branches/{branch_id}/roles/{role_name}/reset_password."""
    role, password, operations = roles.reset_password(project_id, branch_id, role_name)
    return HTTPStatus.OK, _role(role, operations, password)


def _database(changed: tuple[Row, list[Row]]) -> Row:
    database, operations = changed
    return {"database": resources.database(database), "operations": resources.operations(operations)}


def _role(role: Row, operations: list[Row], password: str | None = None) -> Row:
    return {"role": resources.role(role, password), "operations": resources.operations(operations)}
