"""Faults on request that operations have: what does not finish leaves everything as it was."""

import time

import pytest

from neon.local.engine import upkeep
from tests.neon.local import plane
from tests.neon.local.asking import asking, snapshots

pytestmark = pytest.mark.usefixtures("faults_on")


def states(project):
    """Return status, count of failures and whether a retry is to come of the newest operations, in their order."""
    rows = project.did("GET", "/operations")["operations"]
    return [(row["status"], row["failures_count"], "retry_at" in row) for row in reversed(rows)]


@pytest.fixture
def replaced(project):
    """A project whose table says "new" and whose snapshot says "old"; and the snapshot's id."""
    project.sql("CREATE TABLE t AS SELECT 'old' AS world")
    snapshot_id = project.snapshot()
    project.sql("UPDATE t SET world = 'new'")
    return project, snapshot_id


def restore(project, snapshot_id, fault):
    """Restore over the default branch, with a fault."""
    body = {"finalize_restore": True, "target_branch_id": project.default["id"]}
    return project.did("POST", f"/snapshots/{snapshot_id}/restore", json=body, **asking(fault))


@pytest.mark.parametrize(
    ("outcome", "failures"), [("failed", 1), ("error", 1), ("cancelled", 0)], ids=["failed", "error", "cancelled"]
)
def test_a_restore_whose_operations_do_not_finish_leaves_everything_as_it_was(replaced, outcome, failures):
    project, snapshot_id = replaced
    branches = project.branches()
    made = restore(project, snapshot_id, f"operations={outcome}")
    first, *others = made["operations"]
    assert (first["status"], first["failures_count"], "retry_at" in first) == (outcome, failures, False)
    assert ("error" in first) == bool(failures)
    assert {row["status"] for row in others} == {"cancelled"}
    assert project.branches() == branches
    assert project.sql("SELECT world FROM t") == [("new",)]
    upkeep.run()
    assert plane.names_in_cluster() == plane.names_in_memory()
    project.restore(snapshot_id)
    assert project.sql("SELECT world FROM t") == [("old",)]


def test_what_fails_holds_the_project_until_it_has(replaced):
    project, snapshot_id = replaced
    restore(project, snapshot_id, "operations=failed; seconds=0.3")
    assert states(project)[-3:] == [("running", 0, False), ("scheduling", 0, False), ("scheduling", 0, False)]
    assert len(project.branches()) == 2
    assert project.call("DELETE", f"/snapshots/{snapshot_id}").status_code == 423
    time.sleep(0.3)
    assert states(project)[-3:] == [("failed", 1, False), ("cancelled", 0, False), ("cancelled", 0, False)]
    assert project.branches().keys() == {"main"}
    assert project.call("DELETE", f"/snapshots/{snapshot_id}").status_code == 202


def test_upkeep_takes_away_what_failed_when_nobody_looks(replaced):
    project, snapshot_id = replaced
    restore(project, snapshot_id, "operations=failed; seconds=0.05")
    time.sleep(0.05)
    upkeep.run()
    assert len(plane.memory("SELECT 1 FROM branches WHERE project_id = %s", [project.id])) == 1
    assert plane.names_in_cluster() == plane.names_in_memory()


def test_one_that_is_retried_shows_as_failed_until_it_has_worked(replaced):
    project, snapshot_id = replaced
    made = restore(project, snapshot_id, "operations=retried; seconds=0.3")
    assert made["operations"][0]["retry_at"] > made["operations"][0]["created_at"]
    assert states(project)[-3:] == [("failed", 1, True), ("scheduling", 0, False), ("scheduling", 0, False)]
    assert project.call("DELETE", f"/snapshots/{snapshot_id}").status_code == 423
    assert project.sql("SELECT world FROM t") == [("new",)]
    time.sleep(0.3)
    assert states(project)[-3:] == [("finished", 1, False), ("finished", 0, False), ("finished", 0, False)]
    assert project.sql("SELECT world FROM t") == [("old",)]


def test_a_retry_takes_long_enough_to_be_seen(project):
    path = f"/branches/{project.default['id']}/snapshot"
    project.did("POST", path, **asking("operations=retried"))
    assert states(project)[-2:] == [("failed", 1, True), ("scheduling", 0, False)]
    time.sleep(1)


def test_operations_take_the_time_that_was_asked_for(replaced):
    project, snapshot_id = replaced
    restore(project, snapshot_id, "operations=finished; seconds=0.2")
    assert states(project)[-3][0] == "running"
    time.sleep(0.2)
    assert project.sql("SELECT world FROM t") == [("new",)]
    assert states(project)[-3][0] == "finished"
    assert project.sql("SELECT world FROM t") == [("old",)]


@pytest.mark.parametrize("outcome", ["failed", "error", "cancelled"])
def test_a_snapshot_whose_operations_do_not_finish_is_not_there(project, outcome):
    path = f"/branches/{project.default['id']}/snapshot"
    made = project.did("POST", path, params={"name": "vain"}, **asking(f"operations={outcome}"))
    assert made["snapshot"]["name"] == "vain"
    assert made["operations"][0]["status"] == outcome
    assert snapshots(project) == set()
    upkeep.run()
    assert plane.names_in_cluster() == plane.names_in_memory()
    project.sql("SELECT 1")
    project.snapshot("second")
    assert snapshots(project) == {"second"}


def test_a_branch_whose_operations_do_not_finish_is_answered_and_not_there(project):
    body = {"branch": {"name": "vain"}, "endpoints": [{"type": "read_write"}]}
    made = project.did("POST", "/branches", json=body, **asking("operations=failed"))
    assert [row["status"] for row in made["operations"]] == ["failed", "cancelled"]
    assert len(made["connection_uris"]) == 1
    assert "vain" not in project.branches()


def test_a_deletion_whose_operations_do_not_finish_deletes_nothing(replaced):
    project, snapshot_id = replaced
    project.restore(snapshot_id)
    old = project.branches()["main (old)"]["id"]
    for path in (f"/branches/{old}", f"/snapshots/{snapshot_id}"):
        made = project.did("DELETE", path, **asking("operations=failed"))
        assert made["operations"][0]["status"] == "failed"
    assert project.branches().keys() == {"main", "main (old)"}
    assert len(snapshots(project)) == 1
    for path in (f"/branches/{old}", f"/snapshots/{snapshot_id}"):
        project.did("DELETE", path)
    assert project.branches().keys() == {"main"}
    assert snapshots(project) == set()


def test_a_project_whose_operations_do_not_finish_is_there_all_the_same(http):
    answer = http.post("projects", json={"project": {"name": "vain"}}, **asking("operations=failed"))
    assert answer.status_code == 201
    project = plane.Project(http, answer.json())
    assert [row["status"] for row in project.made["operations"]] == ["failed", "cancelled"]
    assert project.did("GET", "")["project"]["name"] == "vain"
    project.did("DELETE", "")


def test_calls_that_begin_no_operations_pass_and_are_not_counted(project):
    fault = asking("operations=failed; times=1")
    path = f"/branches/{project.default['id']}/snapshot"
    assert project.did("GET", "/branches", **fault)["branches"]
    assert project.call("POST", "/branches/br-no-such-one/snapshot", **fault).status_code == 404
    assert [project.did("POST", path, **fault)["operations"][0]["status"] for _ in range(2)] == ["failed", "finished"]


def test_the_fault_of_one_call_is_not_that_of_the_next(project):
    path = f"/branches/{project.default['id']}/snapshot"
    project.did("POST", path, **asking("operations=failed"))
    assert project.did("POST", path)["operations"][0]["status"] == "finished"
