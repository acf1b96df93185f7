"""Every answer of every endpoint that the plane serves has the shape that Neon's API promises."""

import pytest
from django.urls import get_resolver

from neon.local.engine import upkeep
from neon.local.transport import URLCONF
from tests.neon.local import openapi, plane

pytestmark = openapi.NEEDED


def check(answer):
    """Hold an answer against Neon's description of its operation, and return its body, if it has one."""
    request = answer.request
    found = openapi.faults(
        request.method, request.url.raw_path.decode(), answer.status_code, answer.headers, answer.content
    )
    assert found == []
    return answer.json() if answer.content else None


PROJECT = "/projects/{project_id}"
BRANCH = PROJECT + "/branches/{branch_id}"
DATABASE = BRANCH + "/databases/{database_name}"
ROLE = BRANCH + "/roles/{role_name}"
ENDPOINT = PROJECT + "/endpoints/{endpoint_id}"
SNAPSHOT = PROJECT + "/snapshots/{snapshot_id}"
LATER = "2099-01-01T00:00:00.000Z"


def served():
    """Return the methods and paths that the plane serves."""
    found = set()

    def walk(patterns, prefix):
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                walk(pattern.url_patterns, route)
            else:
                path = route.replace("<", "{").replace(">", "}").removeprefix("api/v2")
                found.update((method, path) for method in pattern.callback.methods)

    walk(get_resolver(URLCONF).url_patterns, "")
    return found


class Calls:
    """Calls that have to succeed, with answers of the right shape, and which they were."""

    def __init__(self, http):
        self.http = http
        self.seen = set()
        self.names = {}

    def __call__(self, method, path, status=200, **more):
        """Send a request with the names that are known by now, again while operations run."""
        address = path.format(**self.names)[1:]
        while (answer := self.http.request(method, address, **more)).status_code == 423:
            check(answer)
        assert answer.status_code == status, answer.text
        self.seen.add((method, path))
        return check(answer)


def account(call):
    """What does not belong to a project."""
    for path in ("/users/me", "/users/me/organizations", "/regions", "/projects/shared"):
        call("GET", path)


def projects(call):
    """A project comes, with all that the calls after this need to know, and is looked at."""
    made = call("POST", "/projects", 201, json={"project": {"name": "shapes"}})
    call.names = {
        "project_id": made["project"]["id"],
        "branch_id": made["branch"]["id"],
        "endpoint_id": made["endpoints"][0]["id"],
        "database_name": "neondb",
        "role_name": "neondb_owner",
    }
    call("GET", "/projects")
    call("GET", PROJECT)
    call("PATCH", PROJECT, json={"project": {"name": "renamed"}})
    call("GET", PROJECT + "/connection_uri", params={"database_name": "neondb", "role_name": "neondb_owner"})
    found = call("GET", PROJECT + "/operations")
    call.names["operation_id"] = found["operations"][0]["id"]
    call("GET", PROJECT + "/operations/{operation_id}")


def branches(call):
    """A branch comes and goes."""
    main, wanted = call.names["branch_id"], {"name": "dev", "expires_at": LATER}
    body = {"branch": wanted, "endpoints": [{"type": "read_write"}]}
    dev = call("POST", PROJECT + "/branches", 201, json=body)["branch"]["id"]
    call("GET", PROJECT + "/branches")
    call("GET", PROJECT + "/branches/count")
    call.names["branch_id"] = dev
    call("GET", BRANCH)
    call("GET", BRANCH + "/endpoints")
    call("GET", BRANCH + "/backup_schedule")
    call("GET", BRANCH + "/schema", params={"db_name": "neondb"})
    call("GET", BRANCH + "/compare_schema", params={"db_name": "neondb"})
    call("POST", BRANCH + "/restore", json={"source_branch_id": main})
    for expires_at in (LATER, None):
        call("PATCH", BRANCH, json={"branch": {"name": "development", "protected": False, "expires_at": expires_at}})
    call("POST", BRANCH + "/set_as_default")
    call.names["branch_id"] = main
    call("POST", BRANCH + "/set_as_default")
    call.names["branch_id"] = dev
    call("DELETE", BRANCH)
    call("DELETE", BRANCH, 204)
    call.names["branch_id"] = main


def databases_and_roles(call):
    """A role and a database come and go."""
    owner = call.names["role_name"]
    call.names |= {"database_name": "library", "role_name": "reader"}
    call("POST", BRANCH + "/roles", 201, json={"role": {"name": "reader"}})
    call("GET", BRANCH + "/roles")
    call("GET", ROLE)
    call("GET", ROLE + "/reveal_password")
    call("POST", ROLE + "/reset_password")
    call("POST", BRANCH + "/databases", 201, json={"database": {"name": "library", "owner_name": "reader"}})
    call("GET", BRANCH + "/databases")
    call("GET", DATABASE)
    call("PATCH", DATABASE, json={"database": {"owner_name": owner}})
    for path in (DATABASE, ROLE):
        call("DELETE", path)
        call("DELETE", path, 204)


def endpoints(call):
    """An endpoint sleeps, wakes, goes, and another one comes."""
    call("GET", PROJECT + "/endpoints")
    call("GET", ENDPOINT)
    for action in ("suspend", "start", "restart"):
        call("POST", f"{ENDPOINT}/{action}")
    call("DELETE", ENDPOINT)
    call("DELETE", ENDPOINT, 204)
    wanted = {"branch_id": call.names["branch_id"], "type": "read_write", "name": "another"}
    call("POST", PROJECT + "/endpoints", 201, json={"endpoint": wanted})


def snapshots(call):
    """A snapshot comes, is restored in one step and in two, and goes."""
    wanted = {"name": "s", "slug": "slug", "expires_at": LATER}
    call.names["snapshot_id"] = call("POST", BRANCH + "/snapshot", params=wanted)["snapshot"]["id"]
    call("GET", PROJECT + "/snapshots")
    call("PATCH", SNAPSHOT, json={"snapshot": {"name": "t", "expires_at": None}})
    for finalized in (True, False):
        body = {"finalize_restore": finalized, "target_branch_id": call.names["branch_id"]}
        call.names["branch_id"] = call("POST", SNAPSHOT + "/restore", json=body)["branch"]["id"]
    call("GET", PROJECT + "/branches")
    call("POST", BRANCH + "/finalize_restore")
    call("GET", PROJECT + "/operations")
    call("DELETE", SNAPSHOT, 202)


def goodbye(call):
    """The project goes, comes back, and goes for good."""
    call("DELETE", PROJECT)
    call("GET", "/projects", params={"recoverable": "true"})
    call("POST", PROJECT + "/recover")
    call("DELETE", PROJECT)


@pytest.mark.parametrize("seconds", [0, 0.1])
def test_every_answer_has_its_shape(http, settings, seconds):
    settings.NEON_LOCAL_OPERATION_SECONDS = seconds
    settings.NEON_LOCAL_RECOVERY_SECONDS = 3600
    call = Calls(http)
    for part in (account, projects, branches, databases_and_roles, endpoints, snapshots, goodbye):
        part(call)
    settings.NEON_LOCAL_RECOVERY_SECONDS = 0
    upkeep.run()
    assert call.seen == served()


def test_errors_have_their_shape(http, project, settings):
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 1
    project.snapshot()
    refused = {
        (400, "/projects"): http.post("projects", json={}),
        (401, "/projects"): http.get("projects", headers={"Authorization": "Bearer no"}),
        (404, PROJECT): http.get("projects/none"),
        (422, BRANCH + "/snapshot"): project.call("POST", f"/branches/{project.default['id']}/snapshot"),
        (422, BRANCH): project.call("DELETE", f"/branches/{project.default['id']}"),
        (409, PROJECT + "/branches"): project.call("POST", "/branches", json={"branch": {"name": "main"}}),
        (501, BRANCH + "/backup_schedule"): project.call(
            "PUT", f"/branches/{project.default['id']}/backup_schedule", json={"schedule": []}
        ),
    }
    for (status, _), answer in refused.items():
        assert answer.status_code == status
        check(answer)
        assert set(answer.json()) == {"request_id", "code", "message"}


def test_all_that_is_served_is_neons():
    assert [each for each in served() if openapi.operation(*each) is None] == []


def test_statuses_and_states_are_neons_own(http):
    schemas = openapi.description()["components"]["schemas"]
    with plane.project(http) as made:
        assert made.made["operations"][0]["status"] in schemas["OperationStatus"]["enum"]
        assert made.made["operations"][0]["action"] in schemas["OperationAction"]["enum"]
