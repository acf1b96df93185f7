"""Projects: a database and a role each, connected to with the URI that the API gives."""

from contextlib import ExitStack
from urllib.parse import urlsplit

import psycopg
import pytest

from neon.local import postgres
from neon.local.engine import upkeep
from tests.neon.local import plane


def test_a_project_has_a_real_database_of_its_role(project):
    assert project.sql("SELECT current_user, current_database()") == [
        (project.parameters["role"], project.parameters["database"])
    ]
    project.sql("CREATE SCHEMA extra")
    project.sql("CREATE TABLE public.t (id int)")


def test_the_role_is_nothing_but_a_log_in(project):
    query = (
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolconnlimit"
        " FROM pg_roles WHERE rolname = current_user"
    )
    assert project.sql(query) == [(False, False, False, False, False, 60)]


def test_a_wrong_password_is_refused(project):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        project.connect(password="wrong")


def test_the_password_is_kept_as_scram_in_the_cluster_and_encrypted_in_memory(project):
    (kept,) = plane.memory("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [project.parameters["role"]])
    assert kept["rolpassword"].startswith("SCRAM-SHA-256$")
    (row,) = plane.memory("SELECT password FROM roles WHERE project_id = %s", [project.id])
    assert project.parameters["password"] not in row["password"]


def test_the_connection_uri_endpoint_gives_the_same_uri(project):
    names = {"database_name": "neondb", "role_name": "neondb_owner"}
    assert project.did("GET", "/connection_uri", params=names)["uri"] == project.uri
    named = {**names, "branch_id": project.default["id"]}
    assert project.did("GET", "/connection_uri", params=named)["uri"] == project.uri


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"database_name": "other"}, 404),
        ({"role_name": "other"}, 404),
        ({"branch_id": "br-not-there-12345678"}, 404),
        ({"role_name": ""}, 400),
    ],
)
def test_a_connection_uri_of_something_else_is_refused(project, wrong, status):
    names = {"database_name": "neondb", "role_name": "neondb_owner", **wrong}
    assert project.call("GET", "/connection_uri", params=names).status_code == status


def test_the_connection_limit_holds(project):
    with ExitStack() as held:
        for _ in range(60):
            held.enter_context(project.connect())
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            project.connect()


def test_ids_have_neons_form(project):
    assert len(project.id.rpartition("-")[2]) == 8
    assert project.made["branch"]["id"].startswith("br-")
    assert project.made["endpoints"][0]["id"].startswith("ep-")
    assert project.made["project"]["name"] == "test"


def test_a_project_without_a_name_is_named_after_its_id(http):
    made = http.post("projects", json={"project": {}}).json()["project"]
    http.delete(f"projects/{made['id']}")
    assert made["name"] == made["id"]


SIZES = {"autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 4, "suspend_timeout_seconds": 0}


def test_how_large_its_computes_are_has_no_meaning_here(http, project):
    wanted = {"default_endpoint_settings": {**SIZES, "pg_settings": {}}, "branch": {"annotations": {}}, "org_id": ""}
    made = http.post("projects", json={"project": wanted})
    assert made.status_code == 201, made.text
    http.delete(f"projects/{made.json()['project']['id']}")
    project.did("PATCH", "", json={"project": {"default_endpoint_settings": SIZES}})


@pytest.mark.parametrize(
    "wanted",
    [
        {"settings": {"allowed_ips": {"ips": ["127.0.0.1"]}}},
        {"history_retention_seconds": 3600},
        {"default_endpoint_settings": {"pg_settings": {"work_mem": "1MB"}}},
        {"default_endpoint_settings": {"pgbouncer_settings": {"default_pool_size": "5"}}},
        {"default_endpoint_settings": {"suspend_timeout_seconds": 300}},
    ],
)
def test_a_change_that_needs_a_cloud_is_refused_and_changes_nothing(project, wanted):
    before = project.did("GET", "")
    answer = project.call("PATCH", "", json={"project": {"name": "cloud", **wanted}})
    assert answer.status_code == 501
    assert project.did("GET", "") == before


def test_projects_are_listed_page_by_page_and_found_by_name(http, project, other):
    seen, cursor = [], ""
    while (page := http.get("projects", params={"limit": 1, "cursor": cursor}).json())["projects"]:
        seen += [row["id"] for row in page["projects"]]
        cursor = page["pagination"]["cursor"]
    assert "pagination" not in page
    assert {project.id, other.id} <= set(seen)
    assert len(seen) == len(set(seen))
    found = http.get("projects", params={"search": "othe"}).json()["projects"]
    assert [row["id"] for row in found] == [other.id]


def test_a_deleted_project_is_gone_at_once(http, project):
    connection = project.connect()
    project.snapshot()
    deleted = project.did("DELETE", "")
    assert deleted["project"]["id"] == project.id
    assert project.call("GET", "").status_code == 404
    assert project.call("DELETE", "").status_code == 404
    with pytest.raises(psycopg.errors.AdminShutdown):
        connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        project.connect()


def test_upkeep_leaves_nothing_of_a_deleted_project(project):
    project.restore(project.snapshot())
    made = {name for names in project.physical().values() for name in names} | {project.parameters["role"]}
    assert len(made) == 4
    project.did("DELETE", "")
    upkeep.run()
    assert not made & (plane.names_in_cluster() | plane.names_in_memory())


def test_a_failed_creation_leaves_nothing(http, monkeypatch):
    monkeypatch.setattr("neon.local.engine.projects.DEFAULT_BRANCH", None)
    before = plane.names_in_cluster()
    assert http.post("projects", json={"project": {"name": "x"}}).status_code == 500
    assert plane.names_in_cluster() > before
    upkeep.run()
    assert plane.names_in_cluster() == plane.names_in_memory()


def test_the_endpoint_names_the_servers_address(project):
    host = project.made["endpoints"][0]["host"]
    assert host == urlsplit(project.uri).netloc.rpartition("@")[2]
    assert int(host.partition(":")[2]) == postgres.server().address()["port"]
