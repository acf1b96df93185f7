"""Snapshots' ends, names and slugs."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from neon.local.engine import upkeep
from tests.neon.local import plane

PAST, FUTURE = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


@pytest.fixture
def path(project):
    """Where a project's default branch is snapshotted."""
    return f"/branches/{project.default['id']}/snapshot"


def names(project):
    """Return the names of a project's snapshots."""
    return [row["name"] for row in project.did("GET", "/snapshots")["snapshots"]]


def patch(project, snapshot_id, **changes):
    """Change a snapshot, and return it."""
    return project.did("PATCH", f"/snapshots/{snapshot_id}", json={"snapshot": changes})["snapshot"]


@pytest.mark.parametrize("where", ["params", "json"])
def test_one_may_have_an_end_and_a_slug(project, path, where):
    wanted = {"name": "s", "slug": "s-1", "expires_at": "2099-01-01T02:00:00.000+02:00"}
    made = project.did("POST", path, **{where: wanted})["snapshot"]
    assert (made["name"], made["slug"], made["expires_at"]) == ("s", "s-1", FUTURE)
    assert project.did("GET", "/snapshots")["snapshots"] == [made]


def test_an_expired_one_vanishes_at_once_and_from_the_cluster_with_upkeep(project, path):
    made = project.did("POST", path, params={"name": "short", "expires_at": FUTURE})["snapshot"]
    project.snapshot("kept")
    physical = set(project.physical()["snapshots"])
    plane.memory("UPDATE snapshots SET expires_at = %s WHERE id = %s RETURNING id", [PAST, made["id"]])
    assert names(project) == ["kept"]
    for method, below, body in (
        ("POST", "/restore", {"finalize_restore": True}),
        ("PATCH", "", {"snapshot": {"expires_at": None}}),
        ("DELETE", "", None),
    ):
        answer = project.call(method, f"/snapshots/{made['id']}{below}", json=body)
        assert answer.status_code == 404
    assert physical <= plane.names_in_cluster()
    upkeep.run()
    assert names(project) == ["kept"]
    assert physical & plane.names_in_cluster() == set(project.physical()["snapshots"])
    assert plane.names_in_cluster() == plane.names_in_memory()


def test_upkeep_leaves_one_alone_while_its_project_is_at_work(project, path, settings):
    made = project.did("POST", path, params={"expires_at": FUTURE})["snapshot"]
    plane.memory("UPDATE snapshots SET expires_at = %s WHERE id = %s RETURNING id", [PAST, made["id"]])
    with plane.locked(project.id):
        upkeep.run()
        assert len(project.physical()["snapshots"]) == 1
    upkeep.run()
    assert project.physical()["snapshots"] == []


def test_an_end_is_set_moved_and_removed(project):
    snapshot_id = project.snapshot("s")
    assert patch(project, snapshot_id, expires_at=FUTURE)["expires_at"] == FUTURE
    assert patch(project, snapshot_id, name="t")["expires_at"] == FUTURE
    assert patch(project, snapshot_id, expires_at="2098-01-01T00:00:00Z")["expires_at"] == "2098-01-01T00:00:00Z"
    assert "expires_at" not in patch(project, snapshot_id, expires_at=None)
    upkeep.run()
    assert names(project) == ["t"]
    soon = datetime.now(UTC) + timedelta(seconds=1)
    assert "expires_at" in patch(project, snapshot_id, expires_at=soon.isoformat())
    time.sleep(max(0, (soon - datetime.now(UTC)).total_seconds()))
    assert names(project) == []


@pytest.mark.parametrize("where", ["params", "json"])
def test_an_end_that_has_passed_is_refused(project, path, where):
    snapshot_id = project.snapshot("s")
    for answer in (
        project.call("POST", path, **{where: {"name": "past", "expires_at": PAST}}),
        project.call("PATCH", f"/snapshots/{snapshot_id}", json={"snapshot": {"name": "past", "expires_at": PAST}}),
    ):
        assert answer.status_code == 400
        assert "expires_at must be in the future" in answer.json()["message"]
    assert names(project) == ["s"]


def test_expired_ones_count_neither_for_the_limit_nor_for_the_slug(project, path, settings):
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 1
    made = project.did("POST", path, params={"slug": "one"})["snapshot"]
    assert project.call("POST", path).status_code == 422
    plane.memory("UPDATE snapshots SET expires_at = %s WHERE id = %s RETURNING id", [PAST, made["id"]])
    assert project.did("POST", path, params={"slug": "one"})["snapshot"]["slug"] == "one"


def test_a_slug_is_taken_only_in_its_project(project, other, path):
    project.did("POST", path, params={"slug": "one"})
    assert project.call("POST", path, params={"slug": "one"}).status_code == 409
    other.did("POST", f"/branches/{other.default['id']}/snapshot", params={"slug": "one"})
    assert len(names(project)) == 1


def test_a_name_is_changed_and_may_be_another_ones(project):
    first, _ = project.snapshot("a"), project.snapshot("b")
    assert patch(project, first, name="b")["name"] == "b"
    assert names(project) == ["b", "b"]


def test_only_root_branches_have_snapshots(project):
    child = project.branch("child", endpoint=False)
    answer = project.call("POST", f"/branches/{child['id']}/snapshot")
    assert answer.status_code == 422
    assert "root branches" in answer.json()["message"]
    assert names(project) == []


def test_its_operations_are_on_a_branch_that_nobody_sees(project, path, settings):
    settings.NEON_LOCAL_OPERATION_SECONDS = 30
    made = project.did("POST", path)
    assert [(row["action"], row["status"]) for row in made["operations"]] == [
        ("create_branch", "running"),
        ("timeline_archive", "scheduling"),
    ]
    assert project.default["current_state"] == "ready"
    assert project.default["id"] not in {row["branch_id"] for row in made["operations"]}
    plane.end_operations(project.id)


@pytest.mark.parametrize(
    "changes",
    [{"expires_at": "tomorrow"}, {"expires_at": 5}, {"expires_at": False}, {"name": ""}, {"name": 5}, {"name": []}],
)
def test_a_change_that_makes_no_sense_is_refused(project, changes):
    snapshot_id = project.snapshot("s")
    answer = project.call("PATCH", f"/snapshots/{snapshot_id}", json={"snapshot": changes})
    assert answer.status_code == 400, answer.text
    assert names(project) == ["s"]


@pytest.mark.parametrize("wanted", [{"expires_at": "tomorrow"}, {"name": 5}, {"slug": ["a"]}, {"name": "x" * 257}])
def test_one_that_makes_no_sense_is_not_made(project, path, wanted):
    assert project.call("POST", path, json=wanted).status_code == 400
    assert names(project) == []


def test_one_of_another_project_is_not_found(project, other):
    theirs = other.snapshot()
    answer = project.call("PATCH", f"/snapshots/{theirs}", json={"snapshot": {"name": "mine"}})
    assert answer.status_code == 404
    assert project.call("DELETE", f"/snapshots/{theirs}").status_code == 404
    assert names(other) == ["s"]
