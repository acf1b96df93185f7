"""The transport: httpx requests reach the plane's views in this process, whatever they hold."""

import httpx
import psycopg
import pytest
from django.db import connection, transaction

from neon.local import postgres
from neon.local.transport import LocalTransport
from tests.neon.local import plane


@pytest.fixture
def stranger():
    """An HTTP client of the plane without a key."""
    with httpx.Client(base_url="http://plane/api/v2", transport=LocalTransport()) as client:
        yield client


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic {key}", "{key}"])
def test_a_missing_or_wrong_key_is_refused(stranger, settings, authorization):
    headers = {}
    if authorization is not None:
        headers["Authorization"] = authorization.format(key=settings.NEON_LOCAL_API_KEY)
    for path in ("projects", "no/such/path"):
        answer = stranger.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["message"]


def test_without_a_key_in_the_settings_nobody_gets_in(stranger, settings):
    settings.NEON_LOCAL_API_KEY = ""
    assert stranger.get("projects", headers={"Authorization": "Bearer "}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "api_keys"),
        ("GET", "projects/x/nothing"),
        ("PATCH", "projects/x/endpoints/y"),
        ("PUT", "projects"),
        ("OPTIONS", "projects"),
        ("PUT", "projects/x/branches/y/backup_schedule"),
        ("GET", "projects/x%0Ay/nothing"),
        ("GET", ""),
    ],
)
def test_what_the_plane_does_not_serve_is_not_implemented(http, method, path):
    answer = http.request(method, path)
    assert answer.status_code == 501
    assert "not part of the local control plane" in answer.json()["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b'{"project": 1}', b"{}"])
def test_a_body_that_is_not_what_it_should_be_is_a_bad_request(http, body):
    answer = http.post("projects", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("invalid request")


@pytest.mark.parametrize("limit", ["0", "-1", "401", "x", "9" * 5000, "1.5"])
def test_a_limit_out_of_range_is_a_bad_request(http, limit):
    assert http.get("projects", params={"limit": limit}).status_code == 400


def test_the_list_of_operations_has_a_limit_of_its_own(project):
    assert project.call("GET", "/operations", params={"limit": 1000}).status_code == 200
    assert project.call("GET", "/operations", params={"limit": 1001}).status_code == 400


@pytest.mark.parametrize("cursor", ["yesterdayish", "2026-13-45", "\0"])
def test_a_cursor_that_is_not_a_time_is_a_bad_request(project, cursor):
    assert project.call("GET", "/operations", params={"cursor": cursor}).status_code == 400


ODD = ["a%00b", "%E2%82%AC", "%2E%2E", "a%0Ab", "a%2Fb", "'; DROP TABLE projects; --", "x" * 3000, "%F0%9F%90%98"]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_id_is_not_found_and_nothing_worse(project, odd):
    for path in (f"projects/{odd}", f"projects/{project.id}/branches/{odd}", f"projects/{project.id}/operations/{odd}"):
        assert project.http.get(path).status_code in {404, 501}
    assert project.call("POST", f"/snapshots/{odd}/restore", json={"finalize_restore": True}).status_code in {404, 501}


def test_a_nul_in_a_parameter_is_a_bad_request(project):
    assert project.http.get("projects", params={"search": "a\0b"}).status_code == 400
    assert project.http.get("projects", params={"cursor": "a\0b"}).status_code == 400
    assert project.http.post("projects", json={"project": {"name": "a\0b"}}).status_code == 400
    names = {"database_name": "neon\0db", "role_name": "neondb_owner"}
    assert project.call("GET", "/connection_uri", params=names).status_code == 400
    assert project.call("POST", f"/branches/{project.default['id']}/snapshot", params={"name": "\0"}).status_code == 400


@pytest.mark.parametrize("wrong", [5, ["x"], {"id": "x"}, True, "\0"])
def test_a_parameter_of_the_wrong_type_is_a_bad_request(project, wrong):
    body = {"finalize_restore": True, "target_branch_id": wrong}
    assert project.call("POST", f"/snapshots/{project.snapshot()}/restore", json=body).status_code == 400
    assert project.http.post("projects", json={"project": {"name": wrong}}).status_code == 400


def test_a_name_may_hold_anything_else(http):
    name = 'Zoë\'s 🐘 "demo" \\ %s {} \n'
    with plane.project(http, name) as made:
        assert made.made["project"]["name"] == name
        assert http.get("projects", params={"search": name}).json()["projects"][0]["id"] == made.id


def test_an_answer_carries_its_request_id(http):
    answer = http.get("projects/none")
    assert answer.json()["request_id"] == answer.headers["x-neon-ret-request-id"]


def test_a_fault_is_a_500_that_says_nothing_of_its_cause(http, monkeypatch, caplog):
    def fail(*arguments, **more):
        raise psycopg.OperationalError("connection to postgresql://u:secret@h/db failed")

    monkeypatch.setattr("neon.local.engine.projects.get", fail)
    answer = http.get("projects/x")
    assert answer.status_code == 500
    assert answer.json()["message"] == "internal error"
    assert "secret" not in answer.text
    assert answer.json()["request_id"] in caplog.text


def test_connections_that_were_ended_are_replaced(http, project):
    address = postgres.server().address()
    with psycopg.connect(**address, dbname="postgres", autocommit=True) as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'neon_local'"
        )
    assert project.default["name"] == "main"


def test_the_callers_transaction_is_not_joined(http, project, db):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        snapshot_id = project.snapshot()
        transaction.set_rollback(True)
    assert [row["id"] for row in project.did("GET", "/snapshots")["snapshots"]] == [snapshot_id]
