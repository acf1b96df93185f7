"""Projects, and the connection string of one."""

import json
from datetime import UTC, datetime

import pytest
from httpx import Response

from neon.errors import UnexpectedResponse
from neon.types import Project
from tests.neon import payloads, wire

PROJECT = Project(payloads.PROJECT, "checkpoints-7-0a1b2c3d", created_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))


def test_create_sends_name_and_version(api, client):
    route = api.post("/projects").respond(201, json=payloads.created_project(payloads.operation()))

    created = client.create_project("checkpoints-7-0a1b2c3d")

    request = route.calls.last.request
    assert json.loads(request.content) == {"project": {"name": "checkpoints-7-0a1b2c3d"}}
    assert request.headers["Authorization"] == f"Bearer {wire.KEY}"
    assert created.project == PROJECT
    assert created.branch.id == payloads.BRANCH
    assert created.connection_uri == payloads.URI
    assert [operation.pending for operation in created.operations] == [True]


def test_create_names_the_organisation_if_there_is_one(api, time):
    route = api.post("/projects").respond(201, json=payloads.created_project())

    wire.client(time, org_id="org-still-sea-1").create_project("x")

    assert json.loads(route.calls.last.request.content) == {"project": {"name": "x", "org_id": "org-still-sea-1"}}


def test_create_without_a_stored_password_has_no_connection_string(api, client):
    api.post("/projects").respond(201, json=payloads.created_project(connection_uris=[]))

    assert client.create_project("x").connection_uri is None


def test_get(api, client):
    api.get(f"/projects/{payloads.PROJECT}").respond(json={"project": payloads.project()})

    assert client.get_project(payloads.PROJECT) == PROJECT


def test_delete(api, client):
    api.delete(f"/projects/{payloads.PROJECT}").respond(json={"project": payloads.project()})

    assert client.delete_project(payloads.PROJECT) == PROJECT


def test_list_ends_at_the_empty_page(api, client):
    first = [payloads.project(id="a"), payloads.project(id="b")]
    route = api.get("/projects").mock(
        side_effect=[
            Response(200, json=payloads.projects(*first)),
            Response(200, json=payloads.projects(payloads.project(id="c"))),
            Response(200, json=payloads.projects()),
        ]
    )

    assert [project.id for project in client.list_projects()] == ["a", "b", "c"]
    assert [dict(call.request.url.params) for call in route.calls] == [
        {"limit": "400"},
        {"limit": "400", "cursor": "b"},
        {"limit": "400", "cursor": "c"},
    ]


def test_list_asks_for_the_organisation_and_the_search_on_every_page(api, time):
    route = api.get("/projects").mock(
        side_effect=[
            Response(200, json=payloads.projects(payloads.project())),
            Response(200, json=payloads.projects()),
        ]
    )

    list(wire.client(time, org_id="org-still-sea-1").list_projects(search="a b&c"))

    for call in route.calls:
        assert call.request.url.params["org_id"] == "org-still-sea-1"
        assert call.request.url.params["search"] == "a b&c"


def test_list_ends_when_the_cursor_stands_still(api, client):
    route = api.get("/projects").respond(json=payloads.projects(payloads.project()))

    assert len(list(client.list_projects())) == 2
    assert route.call_count == 2


def test_list_fetches_a_page_only_when_it_is_needed(api, client):
    route = api.get("/projects").respond(json=payloads.projects(payloads.project()))

    assert next(client.list_projects()) == PROJECT
    assert route.call_count == 1


def test_connection_uri(api, client):
    route = api.get(f"/projects/{payloads.PROJECT}/connection_uri").respond(json={"uri": payloads.URI})

    assert client.connection_uri(payloads.PROJECT) == payloads.URI
    assert dict(route.calls.last.request.url.params) == {
        "database_name": "neondb",
        "role_name": "neondb_owner",
    }


def test_connection_uri_of_a_branch(api, client):
    route = api.get(f"/projects/{payloads.PROJECT}/connection_uri").respond(json={"uri": payloads.URI})

    client.connection_uri(payloads.PROJECT, database_name="d", role_name="r", branch_id="br-a-b-c")

    assert dict(route.calls.last.request.url.params) == {
        "database_name": "d",
        "role_name": "r",
        "branch_id": "br-a-b-c",
    }


@pytest.mark.parametrize("field", ["id", "name", "created_at"])
@pytest.mark.parametrize("value", [None, 5])
def test_a_needed_field_that_is_missing_or_wrong_is_named(api, client, field, value):
    body = {"project": payloads.project(**{field: value})}
    api.get("/projects/p").respond(json=body, headers={"x-neon-ret-request-id": "req-1"})

    with pytest.raises(UnexpectedResponse, match=rf"^GET /projects/p: 200 no usable field {field}$") as caught:
        client.get_project("p")

    assert (caught.value.status, caught.value.request_id) == (200, "req-1")


@pytest.mark.parametrize("body", [[], "text", None, {"projects": {}}, {"projects": ["text"]}])
def test_an_answer_of_another_shape_is_our_own_error(api, client, body):
    api.get("/projects").respond(json=body)

    with pytest.raises(UnexpectedResponse):
        list(client.list_projects())


def test_a_date_that_is_none_is_not_quoted(api, client):
    api.get("/projects/p").respond(json={"project": payloads.project(created_at="yesterday")})

    with pytest.raises(UnexpectedResponse, match=r"no usable field created_at$") as caught:
        client.get_project("p")

    assert "yesterday" not in repr(caught.value.__cause__)


def test_ids_are_quoted(api, client):
    route = api.get(url__regex=".*").respond(json={"project": payloads.project()})

    client.get_project("a/b?c#d%2Fe")

    assert route.calls.last.request.url.raw_path == b"/api/v2/projects/a%2Fb%3Fc%23d%252Fe"


@pytest.mark.parametrize("project_id", ["", ".", ".."])
def test_an_id_that_would_make_another_path_is_refused(client, project_id):
    with pytest.raises(ValueError, match="empty or dotted"):
        client.delete_project(project_id)
