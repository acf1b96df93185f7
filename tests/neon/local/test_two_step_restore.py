"""A restore in two steps: a preview with a way in of its own, which takes the target's place when it is finalized."""

import time

import psycopg
import pytest

from neon.local.engine import upkeep
from tests.neon.local import plane

SECONDS = 0.3


def change(project):
    """Let a table say "new", and a snapshot "old"; returns the project and the snapshot's id."""
    project.sql("CREATE TABLE t AS SELECT 'old' AS world")
    snapshot_id = project.snapshot()
    project.sql("UPDATE t SET world = 'new'")
    return project, snapshot_id


@pytest.fixture
def changed(project):
    """A project with the table, and the snapshot's id."""
    return change(project)


@pytest.fixture(scope="module")
def lasting(http):
    """The same, for what changes nothing."""
    with plane.project(http) as made:
        yield change(made)


def preview(project, snapshot_id, **more):
    """Begin a restore in two steps, over the default branch unless another is named."""
    body = {"finalize_restore": False, "target_branch_id": project.default["id"], **more}
    return project.did("POST", f"/snapshots/{snapshot_id}/restore", json=body)


def finalize(project, branch_id, name=None):
    """Finalize, and return the answer whatever it is."""
    body = {} if name is None else {"json": {"name": name}}
    return project.call("POST", f"/branches/{branch_id}/finalize_restore", **body)


def world(uri):
    """Return what a branch says."""
    ((said,),) = plane.sql(uri, "SELECT world FROM t")
    return said


def test_the_preview_is_a_branch_of_its_own_with_a_way_in(changed):
    project, snapshot_id = changed
    target = project.default
    made = preview(project, snapshot_id, name="preview")
    branch = made["branch"]
    assert (branch["name"], branch["default"], "parent_id" in branch) == ("preview", False, False)
    assert branch["restore_status"] == "restored"
    assert (branch["restored_from"], branch["restored_as"]) == (snapshot_id, target["id"])
    assert [row["action"] for row in made["operations"]] == ["timeline_unarchive", "create_branch", "start_compute"]
    assert made["endpoints"][0]["branch_id"] == branch["id"]
    assert made["endpoints"] == project.did("GET", f"/branches/{branch['id']}/endpoints")["endpoints"]
    uri = project.uri_of(branch["id"])
    assert (world(uri), world(project.uri)) == ("old", "new")
    plane.sql(uri, "UPDATE t SET world = 'looked at'")
    assert world(project.uri) == "new"
    assert project.default == target


def test_without_finalize_restore_it_has_two_steps(changed):
    project, snapshot_id = changed
    made = project.did("POST", f"/snapshots/{snapshot_id}/restore")
    assert made["branch"]["restore_status"] == "restored"
    assert made["branch"]["restored_as"] == project.default["id"]
    assert world(project.uri) == "new"


def test_finalizing_puts_the_preview_in_the_targets_place(changed):
    project, snapshot_id = changed
    target = project.default
    (endpoint,) = project.did("GET", "/endpoints")["endpoints"]
    made = preview(project, snapshot_id)
    uri = project.uri_of(made["branch"]["id"])
    plane.sql(uri, "UPDATE t SET world = 'looked at'")
    with psycopg.connect(uri, autocommit=True) as previewing, project.connect() as live:
        answer = finalize(project, made["branch"]["id"])
        assert answer.status_code == 200, answer.text
        assert [row["status"] for row in answer.json()["operations"]] == ["finished"] * 2
        for connection in (previewing, live):
            with pytest.raises(psycopg.errors.AdminShutdown):
                connection.execute("SELECT 1")
    after = project.branches()
    assert set(after) == {"main", "main (old)"}
    assert after["main"]["id"] == made["branch"]["id"]
    assert (after["main"]["default"], after["main"]["restore_status"]) == (True, "finalized")
    assert (after["main (old)"]["id"], after["main (old)"]["default"]) == (target["id"], False)
    (moved,) = project.did("GET", "/endpoints")["endpoints"]
    assert (moved["id"], moved["host"], moved["branch_id"]) == (endpoint["id"], endpoint["host"], after["main"]["id"])
    assert project.uri_of() == project.uri
    assert world(project.uri) == "looked at"
    with plane.refused():
        plane.sql(uri, "SELECT 1")


def test_the_replaced_branch_may_be_given_a_name(changed):
    project, snapshot_id = changed
    branch = preview(project, snapshot_id)["branch"]
    assert finalize(project, branch["id"], "main").status_code == 409
    assert finalize(project, branch["id"], "").status_code == 400
    assert finalize(project, branch["id"], "before").status_code == 200
    assert set(project.branches()) == {"main", "before"}


def test_only_a_preview_can_be_finalized_and_only_once(changed):
    project, snapshot_id = changed
    branch = preview(project, snapshot_id)["branch"]
    other = project.branch("other", endpoint=False)
    for wrong in (other["id"], project.default["id"]):
        assert finalize(project, wrong).status_code == 422
    assert finalize(project, "br-not-there-12345678").status_code == 404
    assert finalize(project, branch["id"]).status_code == 200
    assert finalize(project, branch["id"]).status_code == 422
    project.restore(snapshot_id)
    assert finalize(project, project.default["id"]).status_code == 422
    assert set(project.branches()) == {"main", "main (old)", "main (old 2)", "other"}


def test_a_preview_is_discarded_by_deleting_it(changed):
    project, snapshot_id = changed
    branch = preview(project, snapshot_id)["branch"]
    uri = project.uri_of(branch["id"])
    assert project.did("DELETE", f"/branches/{branch['id']}")["branch"]["id"] == branch["id"]
    with plane.refused():
        plane.sql(uri, "SELECT 1")
    upkeep.run()
    assert set(project.branches()) == {"main"}
    assert {kind: len(names) for kind, names in project.physical().items()} == {
        "snapshots": 1,
        "live": 1,
        "replaced": 0,
    }
    assert world(project.uri) == "new"
    assert finalize(project, branch["id"]).status_code == 404


def test_until_the_operations_have_finished_the_target_is_what_it_was(changed, settings):
    project, snapshot_id = changed
    target = project.default["id"]
    settings.NEON_LOCAL_OPERATION_SECONDS = SECONDS
    made = preview(project, snapshot_id)
    assert made["branch"]["current_state"] == made["endpoints"][0]["current_state"] == "init"
    assert finalize(project, made["branch"]["id"]).status_code == 423
    time.sleep(SECONDS)
    assert project.did("GET", f"/branches/{made['branch']['id']}")["branch"]["current_state"] == "ready"
    answer = finalize(project, made["branch"]["id"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["operations"][0]["status"] == "running"
    assert project.default["id"] == target
    assert project.did("GET", f"/branches/{made['branch']['id']}")["branch"]["restore_status"] == "restored"
    assert world(project.uri) == "new"
    assert finalize(project, made["branch"]["id"]).status_code == 423
    assert project.call("DELETE", f"/branches/{made['branch']['id']}").status_code == 423
    time.sleep(SECONDS)
    assert project.default["id"] == made["branch"]["id"]
    assert world(project.uri) == "old"


def test_a_target_that_was_deleted_meanwhile_is_not_found_and_the_preview_stays(changed):
    project, snapshot_id = changed
    target = project.branch("target")
    made = preview(project, snapshot_id, target_branch_id=target["id"])
    project.did("DELETE", f"/branches/{target['id']}")
    assert finalize(project, made["branch"]["id"]).status_code == 404
    upkeep.run()
    assert world(project.uri_of(made["branch"]["id"])) == "old"
    assert project.did("GET", "/branches")["branches"]


def test_another_branch_than_the_default_one_may_be_the_target(changed):
    project, snapshot_id = changed
    main, target = project.default, project.branch("dev", protected=True)
    uri = project.uri_of(target["id"])
    made = preview(project, snapshot_id, target_branch_id=target["id"])
    assert finalize(project, made["branch"]["id"]).status_code == 200
    after = project.branches()
    assert set(after) == {"main", "dev", "dev (old)"}
    assert after["dev"]["id"] == made["branch"]["id"]
    assert (after["dev"]["protected"], after["dev (old)"]["protected"]) == (True, False)
    assert project.default["id"] == main["id"]
    assert project.uri_of(made["branch"]["id"]) == uri
    assert (world(uri), world(project.uri)) == ("old", "new")
    project.did("DELETE", f"/branches/{target['id']}")


def test_a_preview_that_became_the_default_branch_stays_it(changed):
    project, snapshot_id = changed
    made = preview(project, snapshot_id)
    project.did("POST", f"/branches/{made['branch']['id']}/set_as_default")
    assert finalize(project, made["branch"]["id"]).status_code == 200
    assert project.default["id"] == made["branch"]["id"]
    assert (project.default["name"], world(project.uri_of())) == ("main", "old")


def test_a_target_without_an_endpoint_stays_closed(changed):
    project, snapshot_id = changed
    target = project.branch("dev", endpoint=False)
    made = preview(project, snapshot_id, target_branch_id=target["id"])
    uri = project.uri_of(made["branch"]["id"])
    assert finalize(project, made["branch"]["id"]).status_code == 200
    assert project.did("GET", f"/branches/{made['branch']['id']}/endpoints")["endpoints"] == []
    with plane.refused():
        plane.sql(uri, "SELECT 1")
    project.did("POST", "/endpoints", json={"endpoint": {"branch_id": made["branch"]["id"], "type": "read_write"}})
    assert world(project.uri_of(made["branch"]["id"])) == "old"


def test_a_preview_whose_endpoint_was_deleted_is_finalized_all_the_same(changed):
    project, snapshot_id = changed
    made = preview(project, snapshot_id)
    project.did("DELETE", f"/endpoints/{made['endpoints'][0]['id']}")
    assert finalize(project, made["branch"]["id"]).status_code == 200
    assert world(project.uri) == "old"


@pytest.mark.parametrize("finalized", [False, True])
def test_the_plans_limit_of_root_branches_is_refused_with_its_code(changed, settings, finalized):
    project, snapshot_id = changed
    settings.NEON_LOCAL_ROOT_BRANCH_LIMIT = 2
    project.branch("child", endpoint=False)
    first = preview(project, snapshot_id)["branch"]
    body = {"finalize_restore": finalized, "target_branch_id": project.default["id"]}
    answer = project.call("POST", f"/snapshots/{snapshot_id}/restore", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "ROOT_BRANCHES_LIMIT_EXCEEDED")
    assert set(project.branches()) == {"main", "child", first["name"]}
    assert world(project.uri) == "new"
    assert finalize(project, first["id"]).status_code == 200
    for name in ("child", "main (old)"):
        project.did("DELETE", f"/branches/{project.branches()[name]['id']}")
    preview(project, snapshot_id)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "main"}, 409),
        ({"name": ""}, 400),
        ({"name": 5}, 400),
        ({"target_branch_id": 5}, 400),
        ({"target_branch_id": "br-not-there-12345678"}, 404),
        ({"finalize_restore": "true"}, 400),
        ({"finalize_restore": 1}, 400),
    ],
)
def test_what_makes_no_sense_is_refused_and_makes_nothing(lasting, body, status):
    project, snapshot_id = lasting
    answer = project.call("POST", f"/snapshots/{snapshot_id}/restore", json=body)
    assert answer.status_code == status, answer.text
    assert set(project.branches()) == {"main"}
