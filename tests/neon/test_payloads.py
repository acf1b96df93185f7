"""The bodies that the tests of our own client are given are bodies that Neon's API could send."""

import json

import pytest

from tests.neon import payloads
from tests.neon.local import openapi

pytestmark = openapi.NEEDED

PROJECT = "/projects/p"
BRANCH = PROJECT + "/branches/b"
RUNNING = payloads.operation(1)
FAILED = payloads.operation(2, "failed", error="out of memory", retry_at=payloads.MOMENT)
BODIES = [
    ("GET", "/projects", 200, payloads.projects(payloads.project())),
    ("GET", "/projects?cursor=last", 200, payloads.projects()),
    ("POST", "/projects", 201, payloads.created_project(RUNNING, FAILED)),
    ("GET", PROJECT, 200, {"project": payloads.project()}),
    ("GET", PROJECT, 404, payloads.error("project not found", request_id="0")),
    ("GET", PROJECT + "/branches", 200, payloads.branches(payloads.branch())),
    ("GET", PROJECT + "/branches?cursor=last", 200, payloads.branches(following=None)),
    ("GET", PROJECT + "/endpoints", 200, {"endpoints": [payloads.endpoint()]}),
    ("GET", PROJECT + "/operations", 200, payloads.operations(RUNNING, FAILED)),
    ("GET", PROJECT + "/operations/o", 200, {"operation": RUNNING}),
    ("GET", PROJECT + "/snapshots", 200, {"snapshots": [payloads.snapshot()]}),
    ("POST", BRANCH + "/snapshot", 200, payloads.created_snapshot(RUNNING)),
    ("POST", PROJECT + "/snapshots/s/restore", 200, payloads.restored(payloads.BRANCH, RUNNING)),
]


@pytest.mark.parametrize(("method", "path", "status", "body"), BODIES, ids=lambda value: None)
def test_a_body_keeps_to_neons_description(method, path, status, body):
    headers = {"content-type": "application/json"}
    assert openapi.faults(method, path, status, headers, json.dumps(body).encode()) == []


def test_a_body_that_lacks_a_field_would_be_found():
    body = {"project": payloads.project()}
    del body["project"]["owner_id"]
    headers = {"content-type": "application/json"}
    (fault,) = openapi.faults("GET", PROJECT, 200, headers, json.dumps(body).encode())
    assert "'owner_id' is a required property" in fault
