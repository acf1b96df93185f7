"""Operations: they take their time, lock the project meanwhile, and what they do is seen when they have finished."""

import time

import psycopg
import pytest
from psycopg import sql

from neon.local import cluster, store
from neon.local.engine import upkeep
from tests.neon.local import plane

SECONDS = 0.3


@pytest.fixture
def replaced(project):
    """A project whose table says "new" and whose snapshot says "old"; its id and the snapshot's."""
    project.sql("CREATE TABLE t AS SELECT 'old' AS world")
    snapshot_id = project.snapshot()
    project.sql("UPDATE t SET world = 'new'")
    return project, snapshot_id


def statuses(project, made):
    """Return the statuses of the operations that an answer named, in its order."""
    now = {row["id"]: row["status"] for row in project.did("GET", "/operations")["operations"]}
    return [now[operation["id"]] for operation in made["operations"]]


def test_without_a_duration_operations_have_finished_with_the_answer(project):
    made = project.restore(project.snapshot())
    assert [row["status"] for row in made["operations"]] == ["finished"] * 3
    assert made["branch"]["default"] is True
    assert made["branch"]["current_state"] == "ready"


def test_the_first_runs_and_the_others_wait_until_all_have_finished(replaced, settings):
    project, snapshot_id = replaced
    settings.NEON_LOCAL_OPERATION_SECONDS = SECONDS
    made = project.restore(snapshot_id)
    assert [row["action"] for row in made["operations"]] == ["timeline_unarchive", "create_branch", "start_compute"]
    assert statuses(project, made) == ["running", "scheduling", "scheduling"]
    time.sleep(SECONDS)
    assert statuses(project, made) == ["finished"] * 3


def test_a_new_project_has_operations_too(http, settings):
    settings.NEON_LOCAL_OPERATION_SECONDS = SECONDS
    with plane.project(http) as made:
        assert [(row["action"], row["status"]) for row in made.made["operations"]] == [
            ("create_timeline", "running"),
            ("start_compute", "scheduling"),
        ]
        time.sleep(SECONDS)


def test_the_project_is_locked_while_they_run(replaced, settings):
    project, snapshot_id = replaced
    branch_id = project.default["id"]
    settings.NEON_LOCAL_OPERATION_SECONDS = SECONDS
    project.restore(snapshot_id)
    for method, path, body in (
        ("POST", f"/snapshots/{snapshot_id}/restore", {"finalize_restore": True}),
        ("POST", f"/branches/{branch_id}/snapshot", {}),
        ("DELETE", f"/branches/{branch_id}", None),
        ("DELETE", f"/snapshots/{snapshot_id}", None),
        ("DELETE", "", None),
    ):
        answer = project.call(method, path, json=body)
        assert answer.status_code == 423
        assert "already has running conflicting operations" in answer.json()["message"]
    time.sleep(SECONDS)
    settings.NEON_LOCAL_OPERATION_SECONDS = 0
    project.snapshot()


def test_the_old_data_is_there_until_they_have_finished(replaced, settings):
    project, snapshot_id = replaced
    settings.NEON_LOCAL_OPERATION_SECONDS = SECONDS
    before = project.default["id"]
    with project.connect() as connection:
        made = project.restore(snapshot_id)
        assert made["branch"]["default"] is False
        assert made["branch"]["current_state"] == "init"
        assert project.default["id"] == before
        assert connection.execute("SELECT world FROM t").fetchall() == [("new",)]
        assert project.sql("SELECT world FROM t") == [("new",)]
        time.sleep(SECONDS)
        connection.execute("SELECT 1")  # nobody has looked yet
        assert statuses(project, made) == ["finished"] * 3
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
    assert project.sql("SELECT world FROM t") == [("old",)]
    assert project.default["id"] == made["branch"]["id"]


def test_writes_until_then_stay_on_the_replaced_branch(replaced, settings):
    project, snapshot_id = replaced
    settings.NEON_LOCAL_OPERATION_SECONDS = SECONDS
    before = project.default["id"]
    project.restore(snapshot_id)
    project.sql("UPDATE t SET world = 'late'")
    time.sleep(SECONDS)
    settings.NEON_LOCAL_OPERATION_SECONDS = 0
    assert project.default["id"] != before
    late = project.snapshot(branch_id=before)
    assert project.sql("SELECT world FROM t") == [("old",)]
    project.restore(late)
    assert project.sql("SELECT world FROM t") == [("late",)]


@pytest.mark.parametrize("path", ["", "/branches", "/endpoints", "/operations", "/snapshots"])
def test_whoever_looks_first_finishes_a_due_restore(replaced, settings, path):
    project, snapshot_id = replaced
    settings.NEON_LOCAL_OPERATION_SECONDS = 0.05
    project.restore(snapshot_id)
    time.sleep(0.05)
    project.did("GET", path)
    assert project.sql("SELECT world FROM t") == [("old",)]


def test_upkeep_finishes_it_when_the_process_that_began_it_is_gone(replaced, settings):
    project, snapshot_id = replaced
    settings.NEON_LOCAL_OPERATION_SECONDS = 0.05
    project.restore(snapshot_id)
    store.close()
    time.sleep(0.05)
    upkeep.run()
    assert project.sql("SELECT world FROM t") == [("old",)]


def test_upkeep_leaves_one_that_is_not_due(replaced, settings):
    project, snapshot_id = replaced
    settings.NEON_LOCAL_OPERATION_SECONDS = SECONDS
    project.restore(snapshot_id)
    upkeep.run()
    assert project.sql("SELECT world FROM t") == [("new",)]
    time.sleep(SECONDS)


def test_they_are_listed_newest_first_and_paged_by_time(project):
    project.restore(project.snapshot())
    everything = project.did("GET", "/operations")["operations"]
    assert [row["action"] for row in everything] == [
        *("start_compute", "create_branch", "timeline_unarchive"),
        *("timeline_archive", "create_branch"),
        *("start_compute", "create_timeline"),
    ]
    paged, cursor = [], ""
    while page := project.did("GET", "/operations", params={"limit": 2, "cursor": cursor}):
        if not page["operations"]:
            break
        paged += page["operations"]
        cursor = page["pagination"]["cursor"]
    assert paged == everything


def test_one_is_had_by_its_id(project):
    (operation, *_) = project.did("GET", "/operations")["operations"]
    assert project.did("GET", f"/operations/{operation['id']}")["operation"] == operation


@pytest.mark.parametrize("operation_id", ["not-a-uuid", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_one_is_not_found(project, operation_id):
    assert project.call("GET", f"/operations/{operation_id}").status_code == 404


def test_one_of_another_project_is_not_found(project, other):
    assert project.call("GET", f"/operations/{other.made['operations'][0]['id']}").status_code == 404


def test_finished_ones_are_forgotten_after_a_week(project):
    with store.connection() as connection:
        connection.execute(
            "UPDATE operations SET finish_at = now() - interval '8 days' WHERE project_id = %s AND position = 0",
            [project.id],
        )
    upkeep.run()
    assert [row["action"] for row in project.did("GET", "/operations")["operations"]] == ["start_compute"]


def test_what_is_copied_before_they_are_recorded_is_part_of_them(project, monkeypatch, settings):
    settings.NEON_LOCAL_OPERATION_SECONDS = SECONDS
    copying = cluster.copying

    def slowly(*arguments):
        with store.connection() as connection:
            connection.execute(copying(*arguments))
        return sql.SQL("SELECT pg_sleep({})").format(SECONDS)

    monkeypatch.setattr(cluster, "copying", slowly)
    made = project.did("POST", f"/branches/{project.default['id']}/snapshot")
    time.sleep(SECONDS)
    ended = [project.did("GET", f"/operations/{row['id']}")["operation"] for row in made["operations"]]
    assert [row["status"] for row in ended] == ["finished"] * 2
    assert all(row["total_duration_ms"] >= 2000 * SECONDS for row in ended)
    assert made["snapshot"]["created_at"] == ended[0]["created_at"]


def test_so_is_the_making_of_a_new_project_s_database(http, monkeypatch):
    create = cluster.create

    def slowly(*arguments):
        time.sleep(SECONDS)
        create(*arguments)

    monkeypatch.setattr(cluster, "create", slowly)
    with plane.project(http) as made:
        assert all(row["total_duration_ms"] >= 1000 * SECONDS for row in made.made["operations"])


def test_and_the_swap_of_a_restore_that_is_done_with_the_answer(replaced, monkeypatch):
    project, snapshot_id = replaced
    rename = cluster.rename

    def slowly(*arguments):
        time.sleep(SECONDS)
        rename(*arguments)

    monkeypatch.setattr(cluster, "rename", slowly)
    made = project.restore(snapshot_id)
    assert [row["status"] for row in made["operations"]] == ["finished"] * 3
    assert all(row["total_duration_ms"] >= 2000 * SECONDS for row in made["operations"])  # two names
