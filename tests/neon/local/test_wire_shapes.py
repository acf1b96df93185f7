"""Every answer of every endpoint that the plane serves has the shape that Neon's API promises."""

import json

import pytest
from django.conf import settings
from django.urls import get_resolver
from jsonschema import Draft202012Validator

from neon.local.transport import URLCONF
from tests.neon.local import plane

OPENAPI = settings.BASE_DIR.parent / "shared" / "neon" / "openapi.json"
pytestmark = pytest.mark.skipif(not OPENAPI.exists(), reason="Neon's openapi.json is not beside the repository")


@pytest.fixture(scope="module")
def openapi():
    """Neon's description of its API."""
    return json.loads(OPENAPI.read_text())


@pytest.fixture
def check(openapi):
    """A function that holds an answer against the description of its operation."""

    def resolve(node):
        while "$ref" in node:
            target = openapi
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def check(answer, path):
        responses = openapi["paths"][path][answer.request.method.lower()]["responses"]
        family = f"{answer.status_code // 100}XX"
        promised = responses.get(str(answer.status_code)) or responses.get(family) or responses["default"]
        content = resolve(promised).get("content")
        if not content:
            assert answer.content == b""
            return None
        schema = {**content["application/json"]["schema"], "components": openapi["components"]}
        errors = [error.message for error in Draft202012Validator(schema).iter_errors(answer.json())]
        assert errors == []
        return answer.json()

    return check


ERRORS = "4XX"
PROJECT = "/projects/{project_id}"
BRANCH = PROJECT + "/branches/{branch_id}"
SNAPSHOT = PROJECT + "/snapshots/{snapshot_id}"
SERVED = {
    ("GET", "/projects"),
    ("POST", "/projects"),
    ("GET", PROJECT),
    ("DELETE", PROJECT),
    ("GET", PROJECT + "/branches"),
    ("GET", BRANCH),
    ("DELETE", BRANCH),
    ("POST", BRANCH + "/snapshot"),
    ("GET", PROJECT + "/connection_uri"),
    ("GET", PROJECT + "/endpoints"),
    ("GET", PROJECT + "/operations"),
    ("GET", PROJECT + "/operations/{operation_id}"),
    ("GET", PROJECT + "/snapshots"),
    ("DELETE", SNAPSHOT),
    ("POST", SNAPSHOT + "/restore"),
}


@pytest.mark.parametrize("seconds", [0, 0.1])
def test_every_answer_has_its_shape(http, check, settings, seconds):
    settings.NEON_LOCAL_OPERATION_SECONDS = seconds
    seen = set()

    def call(method, path, status, **more):
        parameters = {name: more.pop(name) for name in list(more) if name.endswith("_id")}
        while (answer := http.request(method, path.format(**parameters)[1:], **more)).status_code == 423:
            check(answer, path)
        assert answer.status_code == status, answer.text
        seen.add((method, path))
        return check(answer, path)

    made = call("POST", "/projects", 201, json={"project": {"name": "shapes"}})
    ids = {"project_id": made["project"]["id"], "branch_id": made["branch"]["id"]}
    snapshot = call("POST", BRANCH + "/snapshot", 200, params={"name": "s"}, **ids)["snapshot"]
    ids["snapshot_id"] = snapshot["id"]
    restored = call("POST", SNAPSHOT + "/restore", 200, json={"finalize_restore": True}, **ids)
    ids["operation_id"] = restored["operations"][0]["id"]
    names = {"database_name": "neondb", "role_name": "neondb_owner"}
    for method, path in SERVED:
        if method == "GET":
            call(method, path, 200, params=names, **ids)
    call("DELETE", BRANCH, 200, **ids)
    call("DELETE", BRANCH, 204, **ids)
    call("DELETE", SNAPSHOT, 202, **ids)
    call("DELETE", PROJECT, 200, **ids)
    assert seen == SERVED


def test_errors_have_their_shape(http, check, project, settings):
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 1
    project.snapshot()
    refused = {
        (400, "/projects"): http.post("projects", json={}),
        (401, "/projects"): http.get("projects", headers={"Authorization": "Bearer no"}),
        (404, PROJECT): http.get("projects/none"),
        (422, BRANCH + "/snapshot"): project.call("POST", f"/branches/{project.default['id']}/snapshot"),
        (422, BRANCH): project.call("DELETE", f"/branches/{project.default['id']}"),
        (501, BRANCH): project.call("PATCH", f"/branches/{project.default['id']}", json={}),
    }
    for (status, path), answer in refused.items():
        assert answer.status_code == status
        if status < 500:
            check(answer, path)
        assert set(answer.json()) == {"request_id", "code", "message"}


def test_the_urls_are_the_endpoints_listed_here():
    """An endpoint that comes later has to be checked here, too."""
    paths = set()

    def walk(patterns, prefix):
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                walk(pattern.url_patterns, route)
            elif not route.endswith("^"):
                paths.add(route.replace("<", "{").replace(">", "}").removeprefix("api/v2"))

    walk(get_resolver(URLCONF).url_patterns, "")
    assert paths == {path for _, path in SERVED}


def test_statuses_and_states_are_neons_own(openapi, http):
    schemas = openapi["components"]["schemas"]
    with plane.project(http) as made:
        assert made.made["operations"][0]["status"] in schemas["OperationStatus"]["enum"]
        assert made.made["operations"][0]["action"] in schemas["OperationAction"]["enum"]
