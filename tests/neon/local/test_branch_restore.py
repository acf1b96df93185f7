"""A branch restored from another one: its content changes, and id, name, endpoint and connection string stay."""

import time

import psycopg
import pytest

from neon.local.engine import upkeep
from tests.neon.local import plane

SECONDS = 0.3


def fill(project):
    """Let the main branch say "main", and a branch dev say "dev"; returns both the project and dev."""
    project.sql("CREATE TABLE t AS SELECT 'main' AS world")
    dev = project.branch("dev")
    plane.sql(project.uri_of(dev["id"]), "UPDATE t SET world = 'dev'")
    return project, dev


@pytest.fixture
def two(project):
    """A project with the two branches, and dev."""
    return fill(project)


@pytest.fixture(scope="module")
def lasting(http):
    """The same, for what changes nothing."""
    with plane.project(http) as made:
        yield fill(made)


def restore(project, branch_id, source_branch_id, **more):
    """Restore a branch from another one, and return the answer whatever it is."""
    body = {"source_branch_id": source_branch_id, **more}
    return project.call("POST", f"/branches/{branch_id}/restore", json=body)


def world(uri):
    """Return what a branch says."""
    ((said,),) = plane.sql(uri, "SELECT world FROM t")
    return said


def test_a_child_is_reset_to_its_parent(two):
    project, dev = two
    uri, main = project.uri_of(dev["id"]), project.default
    before = project.did("GET", f"/branches/{dev['id']}/endpoints")["endpoints"]
    answer = restore(project, dev["id"], main["id"])
    assert answer.status_code == 200, answer.text
    branch = answer.json()["branch"]
    assert (branch["id"], branch["name"], branch["parent_id"]) == (dev["id"], "dev", main["id"])
    assert branch["current_state"] == "ready"
    assert branch["last_reset_at"]
    assert set(project.branches()) == {"main", "dev"}
    after = project.did("GET", f"/branches/{dev['id']}/endpoints")["endpoints"]
    assert [(row["id"], row["host"]) for row in after] == [(row["id"], row["host"]) for row in before]
    assert project.uri_of(dev["id"]) == uri
    assert (world(uri), world(project.uri)) == ("main", "main")


def test_open_connections_of_the_target_end_and_nothing_is_left_over(two):
    project, dev = two
    with psycopg.connect(project.uri_of(dev["id"]), autocommit=True) as connection:
        assert restore(project, dev["id"], project.default["id"]).status_code == 200
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
    upkeep.run()
    assert len(project.physical()["live"]) == 2
    assert project.physical()["replaced"] == []
    assert plane.names_in_cluster() == plane.names_in_memory()


def test_what_it_held_is_preserved_under_a_name(two):
    project, dev = two
    restore(project, dev["id"], project.default["id"], preserve_under_name="kept")
    kept = project.branches()["kept"]
    assert kept["id"] != dev["id"]
    assert (kept["default"], kept["current_state"]) == (False, "ready")
    assert "restore_status" not in kept
    assert project.did("GET", f"/branches/{kept['id']}/endpoints")["endpoints"] == []
    project.did("POST", "/endpoints", json={"endpoint": {"branch_id": kept["id"], "type": "read_write"}})
    assert world(project.uri_of(kept["id"])) == "dev"
    assert world(project.uri_of(dev["id"])) == "main"


def test_a_branch_with_children_needs_the_name_and_the_children_move_to_it(two):
    project, dev = two
    main = project.default
    refused = restore(project, main["id"], dev["id"])
    assert (refused.status_code, "preserve_under_name" in refused.json()["message"]) == (422, True)
    assert restore(project, main["id"], dev["id"], preserve_under_name="dev").status_code == 409
    assert world(project.uri) == "main"
    answer = restore(project, main["id"], dev["id"], preserve_under_name="kept")
    assert answer.status_code == 200, answer.text
    after = project.branches()
    assert (after["main"]["id"], after["main"]["default"]) == (main["id"], True)
    assert after["main"]["parent_id"] == dev["id"]
    assert after["dev"]["parent_id"] == after["kept"]["id"]
    assert "parent_id" not in after["kept"]
    assert world(project.uri) == "dev"


def test_until_the_operations_have_finished_a_connection_reaches_the_old_data(two, settings):
    project, dev = two
    uri, main = project.uri_of(dev["id"]), project.default
    settings.NEON_LOCAL_OPERATION_SECONDS = SECONDS
    answer = restore(project, dev["id"], main["id"], preserve_under_name="kept").json()
    assert answer["branch"]["current_state"] == "resetting"
    assert answer["branch"]["pending_state"] == "ready"
    assert answer["operations"][0]["status"] == "running"
    assert project.branches().keys() == {"main", "dev"}
    assert world(uri) == "dev"
    assert restore(project, dev["id"], main["id"]).status_code == 423
    assert project.call("PATCH", f"/branches/{dev['id']}", json={"branch": {"name": "x"}}).status_code == 423
    time.sleep(SECONDS)
    assert project.branches()["dev"]["current_state"] == "ready"
    assert "kept" in project.branches()
    assert world(uri) == "main"


def test_upkeep_finishes_one_that_nobody_looks_at(two, settings):
    project, dev = two
    uri, main = project.uri_of(dev["id"]), project.default
    settings.NEON_LOCAL_OPERATION_SECONDS = 0.05
    restore(project, dev["id"], main["id"])
    time.sleep(0.05)
    assert world(uri) == "dev"
    upkeep.run()
    assert world(uri) == "main"


def test_databases_and_roles_of_the_source_come_and_those_of_the_target_go(two):
    project, dev = two
    main = project.default
    for branch, name in ((main, "ours"), (dev, "theirs")):
        project.did("POST", f"/branches/{branch['id']}/roles", json={"role": {"name": f"{name}_role"}})
        database = {"name": name, "owner_name": f"{name}_role"}
        project.did("POST", f"/branches/{branch['id']}/databases", json={"database": database})
    theirs = project.uri_of(dev["id"], "theirs", "theirs_role")
    assert restore(project, dev["id"], main["id"]).status_code == 200

    def names(kind):
        return {row["name"] for row in project.did("GET", f"/branches/{dev['id']}/{kind}")[kind]}

    assert names("databases") == {"neondb", "ours"}
    assert names("roles") == {"neondb_owner", "ours_role"}
    assert plane.sql(project.uri_of(dev["id"], "ours", "ours_role"), "SELECT 1") == [(1,)]
    with plane.refused(match=rf"{plane.CLOSED}|password authentication failed"):
        plane.sql(theirs, "SELECT 1")
    upkeep.run()
    assert plane.names_in_cluster() == plane.names_in_memory()


def test_neither_side_needs_an_endpoint(two):
    project, _ = two
    closed = project.branch("closed", endpoint=False)
    project.sql("UPDATE t SET world = 'later'")
    assert restore(project, closed["id"], project.default["id"]).status_code == 200
    project.sql("UPDATE t SET world = 'last'")
    (live,) = {row["id"] for row in project.branches().values()} - {closed["id"], project.default["id"]}
    assert restore(project, live, closed["id"]).status_code == 200
    assert world(project.uri_of(live)) == "later"
    project.did("POST", "/endpoints", json={"endpoint": {"branch_id": closed["id"], "type": "read_write"}})
    assert world(project.uri_of(closed["id"])) == "later"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"source_branch_id": None}, 400),
        ({"source_branch_id": 5}, 400),
        ({"source_branch_id": "br-not-there-12345678"}, 404),
        ({"source_branch_id": "{main}", "source_timestamp": "2026-01-01T00:00:00Z"}, 501),
        ({"source_branch_id": "{main}", "source_lsn": "0/16B3748"}, 501),
        ({"source_branch_id": "{dev}"}, 501),
        ({"source_branch_id": "{dev}", "preserve_under_name": "kept"}, 501),
        ({"source_branch_id": "{main}", "preserve_under_name": ""}, 400),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(lasting, body, status):
    project, dev = lasting
    ids = {"{main}": project.default["id"], "{dev}": dev["id"]}
    wanted = {name: ids.get(value, value) for name, value in body.items()}
    answer = project.call("POST", f"/branches/{dev['id']}/restore", json=wanted)
    assert answer.status_code == status, answer.text
    assert set(project.branches()) == {"main", "dev"}
    assert world(project.uri_of(dev["id"])) == "dev"


def test_a_branch_that_is_not_there_cannot_be_restored(lasting):
    project, _ = lasting
    assert restore(project, "br-not-there-12345678", project.default["id"]).status_code == 404
