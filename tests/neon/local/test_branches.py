"""Branches: copies of a parent's databases, independent of it from then on."""

import psycopg
import pytest

from neon.local.engine import upkeep
from tests.neon.local import plane


@pytest.fixture(scope="module")
def several(http):
    """A project with branches that only are looked at."""
    with plane.project(http) as made:
        for name in ("dev/ada", "dev/alan", "other"):
            made.branch(name, endpoint=False)
        yield made


def test_a_branch_holds_what_its_parent_holds_now(project):
    project.sql("CREATE TABLE t AS SELECT 'then' AS world")
    dev = project.branch("dev")
    assert dev["parent_id"] == project.default["id"]
    assert (dev["name"], dev["default"], dev["current_state"]) == ("dev", False, "ready")
    assert plane.sql(project.uri_of(dev["id"]), "SELECT world FROM t") == [("then",)]


def test_parent_and_children_are_independent(project):
    project.sql("CREATE TABLE t AS SELECT 'main' AS world")
    uris = {name: project.uri_of(project.branch(name)["id"]) for name in ("a", "b")}
    for name, uri in uris.items():
        plane.sql(uri, "UPDATE t SET world = %s", [name])
    assert project.sql("SELECT world FROM t") == [("main",)]
    assert {name: plane.sql(uri, "SELECT world FROM t") for name, uri in uris.items()} == {
        "a": [("a",)],
        "b": [("b",)],
    }


def test_the_parent_may_be_another_branch(project):
    dev = project.branch("dev")
    plane.sql(project.uri_of(dev["id"]), "CREATE TABLE t AS SELECT 'dev' AS world")
    child = project.branch("child", parent_id=dev["id"])
    assert child["parent_id"] == dev["id"]
    assert plane.sql(project.uri_of(child["id"]), "SELECT world FROM t") == [("dev",)]


def test_the_answer_has_all_that_a_branch_comes_with(project):
    endpoint = {"type": "read_write", "settings": {}, "suspend_timeout_seconds": 0, "autoscaling_limit_max_cu": 4}
    body = {"branch": {"name": "dev"}, "endpoints": [endpoint], "annotation_value": {}}
    made = project.did("POST", "/branches", json=body)
    assert [row["name"] for row in made["roles"]] == ["neondb_owner"]
    assert [row["name"] for row in made["databases"]] == ["neondb"]
    assert [row["action"] for row in made["operations"]] == ["create_branch", "start_compute"]
    assert made["endpoints"][0]["branch_id"] == made["branch"]["id"]
    (details,) = made["connection_uris"]
    assert plane.sql(details["connection_uri"], "SELECT 1") == [(1,)]
    assert details["connection_uri"] == project.uri_of(made["branch"]["id"])


@pytest.mark.parametrize("body", [None, {}, {"branch": None}, {"branch": {}, "endpoints": []}])
def test_without_an_endpoint_there_is_no_way_in(project, body):
    made = project.did("POST", "/branches", json=body)
    assert (made["endpoints"], made["connection_uris"]) == ([], [])
    assert made["branch"]["name"] == made["branch"]["id"]
    names = {"database_name": "neondb", "role_name": "neondb_owner", "branch_id": made["branch"]["id"]}
    assert project.call("GET", "/connection_uri", params=names).status_code == 404
    (copy,) = project.physical()["replaced"]
    with plane.refused():
        project.connect(dbname=copy)


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"branch": {"name": "main"}}, 409),
        ({"branch": {"parent_id": "br-not-there-12345678"}}, 404),
        ({"branch": {"parent_lsn": "0/1"}}, 501),
        ({"branch": {"parent_timestamp": "2026-01-01T00:00:00Z"}}, 501),
        ({"branch": {"init_source": "schema-only"}}, 501),
        ({"branch": {"init_source": "nothing"}}, 400),
        ({"endpoints": [{"type": "read_only"}]}, 501),
        ({"endpoints": [{"type": "read_write"}, {"type": "read_write"}]}, 501),
        ({"endpoints": [{"type": "both"}]}, 400),
        ({"endpoints": [{}]}, 400),
        ({"endpoints": [{"type": "read_write", "settings": {"pg_settings": {"work_mem": "1MB"}}}]}, 501),
        ({"endpoints": [{"type": "read_write", "suspend_timeout_seconds": 300}]}, 501),
        ({"annotation_value": {"who": "ada"}}, 501),
        ({"annotation_value": "ada"}, 400),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_is_made(several, wanted, status):
    before = several.branches()
    answer = several.call("POST", "/branches", json=wanted)
    assert answer.status_code == status, answer.text
    assert several.branches() == before


def test_another_projects_branches_are_not_found(several, project):
    theirs = several.branches()["other"]["id"]
    for method, path, body in (
        ("GET", f"/branches/{theirs}", None),
        ("PATCH", f"/branches/{theirs}", {"branch": {"name": "x"}}),
        ("GET", f"/branches/{theirs}/databases", None),
        ("GET", f"/branches/{theirs}/roles/neondb_owner/reveal_password", None),
        ("GET", f"/branches/{theirs}/schema?db_name=neondb", None),
        ("POST", f"/branches/{theirs}/set_as_default", None),
        ("POST", f"/branches/{theirs}/snapshot", None),
        ("POST", f"/branches/{theirs}/restore", {"source_branch_id": project.default["id"]}),
        ("POST", f"/branches/{project.default['id']}/restore", {"source_branch_id": theirs}),
        ("POST", "/branches", {"branch": {"parent_id": theirs}}),
        ("POST", "/endpoints", {"endpoint": {"branch_id": theirs, "type": "read_write"}}),
    ):
        assert project.call(method, path, json=body).status_code == 404, path
    assert project.call("DELETE", f"/branches/{theirs}").status_code == 204
    assert several.branches()["other"]["id"] == theirs


def test_they_are_searched_counted_and_sorted(several):
    def names(**query):
        return [row["name"] for row in several.did("GET", "/branches", params=query)["branches"]]

    assert sorted(names(search="dev/")) == ["dev/ada", "dev/alan"]
    assert names(search=several.branches()["other"]["id"]) == ["other"]
    assert names(search="nothing") == []
    assert names(sort_by="created_at", sort_order="asc") == ["main", "dev/ada", "dev/alan", "other"]
    assert names(sort_by="name", sort_order="desc") == ["other", "main", "dev/alan", "dev/ada"]
    assert several.did("GET", "/branches/count") == {"count": 4}
    assert several.did("GET", "/branches/count", params={"search": "dev/"}) == {"count": 2}


@pytest.mark.parametrize(
    "query", [{"sort_by": "size"}, {"sort_order": "up"}, {"limit": 0}, {"limit": 10001}, {"limit": "x"}]
)
def test_a_list_that_makes_no_sense_is_refused(several, query):
    assert several.call("GET", "/branches", params=query).status_code == 400


def test_one_is_renamed_and_its_way_in_stays(project):
    dev = project.branch("dev")
    uri = project.uri_of(dev["id"])
    renamed = project.did("PATCH", f"/branches/{dev['id']}", json={"branch": {"name": "development"}})["branch"]
    assert (renamed["id"], renamed["name"]) == (dev["id"], "development")
    assert set(project.branches()) == {"main", "development"}
    assert project.uri_of(dev["id"]) == uri
    same = project.call("PATCH", f"/branches/{dev['id']}", json={"branch": {"name": "development"}})
    taken = project.call("PATCH", f"/branches/{dev['id']}", json={"branch": {"name": "main"}})
    empty = project.call("PATCH", f"/branches/{dev['id']}", json={"branch": {"name": ""}})
    assert [answer.status_code for answer in (same, taken, empty)] == [200, 409, 400]


def test_one_is_protected_and_may_then_not_be_deleted(project):
    dev = project.branch("dev", endpoint=False, protected=True)
    path = f"/branches/{dev['id']}"
    assert dev["protected"] is True
    assert project.call("DELETE", path).status_code == 422
    assert project.did("PATCH", path, json={"branch": {"protected": False}})["branch"]["protected"] is False
    assert project.did("DELETE", path)["branch"]["id"] == dev["id"]


def test_a_deleted_one_is_closed_at_once_and_upkeep_drops_it(project):
    dev = project.branch("dev")
    uri = project.uri_of(dev["id"])
    physical = set(project.physical()["live"])
    with psycopg.connect(uri, autocommit=True) as connection:
        deleted = project.did("DELETE", f"/branches/{dev['id']}")
        assert [row["action"] for row in deleted["operations"]] == ["delete_timeline"]
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
    with plane.refused():
        plane.sql(uri, "SELECT 1")
    assert project.call("GET", f"/branches/{dev['id']}").status_code == 404
    assert project.call("DELETE", f"/branches/{dev['id']}").status_code == 204
    upkeep.run()
    assert len(physical & plane.names_in_cluster()) == 1
    assert project.sql("SELECT 1") == [(1,)]


def test_one_with_children_may_not_be_deleted(project):
    dev = project.branch("dev", endpoint=False)
    child = project.branch("child", endpoint=False, parent_id=dev["id"])
    assert project.call("DELETE", f"/branches/{dev['id']}").status_code == 422
    for branch in (child, dev):
        project.did("DELETE", f"/branches/{branch['id']}")
    assert set(project.branches()) == {"main"}


def test_there_is_one_default_branch_and_the_uri_without_a_branch_follows_it(project):
    dev = project.branch("dev", expires_at="2099-01-01T00:00:00.000Z")
    before = project.default["id"]
    made = project.did("POST", f"/branches/{dev['id']}/set_as_default")["branch"]
    assert (made["default"], made["primary"], "expires_at" in made) == (True, True, False)
    assert project.default["id"] == dev["id"]
    assert project.uri_of() == project.uri_of(dev["id"]) != project.uri
    assert project.call("DELETE", f"/branches/{dev['id']}").status_code == 422
    again = project.did("POST", f"/branches/{before}/set_as_default")["branch"]
    assert project.default["id"] == again["id"] == before
    assert project.uri_of() == project.uri


def test_an_expired_one_goes_with_upkeep_but_not_what_is_needed(project):
    gone = project.branch("gone", expires_at="2098-01-01T00:00:00Z")
    uri = project.uri_of(gone["id"])
    parent = project.branch("parent", endpoint=False, expires_at="2098-01-01T00:00:00Z")
    project.branch("child", endpoint=False, parent_id=parent["id"])
    later = project.branch("later", endpoint=False, expires_at="2099-01-01T00:00:00Z")
    assert later["expires_at"] == "2099-01-01T00:00:00Z"
    kept = project.branch("kept", endpoint=False, expires_at="2098-01-01T00:00:00Z")
    plane.memory(
        "UPDATE branches SET expires_at = clock_timestamp() WHERE project_id = %s AND expires_at < %s RETURNING id",
        [project.id, later["expires_at"]],
    )
    unset = project.did("PATCH", f"/branches/{kept['id']}", json={"branch": {"expires_at": None}})["branch"]
    assert "expires_at" not in unset
    upkeep.run()
    assert set(project.branches()) == {"main", "parent", "child", "later", "kept"}
    with plane.refused():
        plane.sql(uri, "SELECT 1")


def test_an_end_that_has_passed_is_refused(several):
    before = several.branches()
    past = {"name": "past", "expires_at": "2020-01-01T00:00:00Z"}
    for answer in (
        several.call("POST", "/branches", json={"branch": past}),
        several.call("PATCH", f"/branches/{before['other']['id']}", json={"branch": past}),
    ):
        assert answer.status_code == 400
        assert "expires_at must be in the future" in answer.json()["message"]
    assert several.branches() == before


def test_the_default_one_cannot_expire(project):
    answer = project.call("PATCH", f"/branches/{project.default['id']}", json={"branch": {"expires_at": "2099-01-01"}})
    assert answer.status_code == 422


def test_the_last_moment_of_the_calendar_is_a_time_too(project):
    made = project.branch("eternal", endpoint=False, expires_at="9999-12-31T23:59:59Z")
    assert project.branches()["eternal"]["expires_at"] == made["expires_at"] == "9999-12-31T23:59:59Z"
