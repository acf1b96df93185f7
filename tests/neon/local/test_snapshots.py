"""Snapshots: copies of a branch that nothing done later can change."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from neon.local import cluster
from tests.neon.local import plane
from tests.waiting import until

WRITTEN_UP_TO = "SELECT checkpoint_lsn::text FROM pg_control_checkpoint()"


def test_a_snapshot_is_of_the_branch_and_named(project):
    made = project.did("POST", f"/branches/{project.default['id']}/snapshot", params={"name": "before"})
    assert made["snapshot"]["name"] == "before"
    assert made["snapshot"]["source_branch_id"] == project.default["id"]
    assert [operation["action"] for operation in made["operations"]] == ["create_branch", "timeline_archive"]


def test_its_name_may_come_in_the_body_and_the_query_wins(project):
    path = f"/branches/{project.default['id']}/snapshot"
    assert project.did("POST", path, json={"name": "body"})["snapshot"]["name"] == "body"
    made = project.did("POST", path, json={"name": "body"}, params={"name": "query"})
    assert made["snapshot"]["name"] == "query"


def test_one_without_a_name_is_named_after_its_id(project):
    made = project.did("POST", f"/branches/{project.default['id']}/snapshot")["snapshot"]
    assert made["name"] == made["id"]


@pytest.mark.parametrize("parameter", ["timestamp", "lsn"])
def test_the_past_is_not_kept(project, parameter):
    answer = project.call("POST", f"/branches/{project.default['id']}/snapshot", params={parameter: "x"})
    assert answer.status_code == 501
    assert parameter in answer.json()["message"]


def test_snapshots_are_listed_newest_first(project):
    names = ["a", "b", "c"]
    for name in names:
        project.snapshot(name)
    assert [row["name"] for row in project.did("GET", "/snapshots")["snapshots"]] == names[::-1]


def test_sessions_end_and_can_come_back(project):
    with project.connect() as connection:
        project.snapshot()
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
    assert project.sql("SELECT 1") == [(1,)]


def _is_starting(project):
    """Tell whether a session of the project's holds its lock on the database, and is not shown to be of it yet."""
    return plane.memory(
        "SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_database d ON d.oid = l.objid"
        " WHERE l.locktype = 'object' AND l.classid = 'pg_database'::regclass"
        " AND a.state = 'starting' AND d.datname = %s",
        [project.parameters["database"]],
    )


def test_a_session_that_is_just_starting_ends_as_well(project):
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(project.connect, options="-c post_auth_delay=30")
        until(lambda: _is_starting(project))
        project.snapshot()
        with pytest.raises(psycopg.OperationalError), slow.result(timeout=5) as woken:
            woken.execute("SELECT 1")  # if some other signal had woken it
    assert project.sql("SELECT 1") == [(1,)]


def test_a_deleted_snapshot_cannot_be_restored(project):
    snapshot_id = project.snapshot()
    answer = project.call("DELETE", f"/snapshots/{snapshot_id}")
    assert answer.status_code == 202
    assert project.did("GET", "/snapshots")["snapshots"] == []
    assert project.call("DELETE", f"/snapshots/{snapshot_id}").status_code == 404
    answer = project.call("POST", f"/snapshots/{snapshot_id}/restore", json={"finalize_restore": True})
    assert answer.status_code == 404


def test_the_plans_limit_is_refused_with_its_code_and_changes_nothing(project, settings):
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 1
    first = project.snapshot("first")
    with project.connect() as connection:
        answer = project.call("POST", f"/branches/{project.default['id']}/snapshot")
        assert answer.status_code == 422
        assert answer.json()["code"] == "SNAPSHOTS_LIMIT_EXCEEDED"
        assert answer.json()["message"] == "snapshots limit exceeded"
        connection.execute("SELECT 1")
    project.did("DELETE", f"/snapshots/{first}")
    project.snapshot("second")


def test_a_failed_copy_opens_the_live_database_again(project, monkeypatch):
    branch_id = project.default["id"]
    monkeypatch.setattr(cluster, "copying", lambda *arguments: plane.DISK_FULL)
    assert project.call("POST", f"/branches/{branch_id}/snapshot").status_code == 507
    assert project.sql("SELECT 1") == [(1,)]
    assert project.did("GET", "/snapshots")["snapshots"] == []


@pytest.mark.parametrize(("large_from", "is_written"), [(0, True), (2**40, False)])
def test_what_a_copy_of_files_would_have_to_write_is_written_before_connections_are_refused(
    project, monkeypatch, large_from, is_written
):
    def close(*arguments):
        written.append(plane.memory(WRITTEN_UP_TO))
        return real(*arguments)

    real = cluster.closed
    monkeypatch.setattr(cluster, "closed", close)
    monkeypatch.setattr(cluster, "LARGE_BYTES", large_from)
    project.sql("CREATE TABLE t (n int)")
    written = [plane.memory(WRITTEN_UP_TO)]
    project.snapshot()
    assert (written[0] != written[1]) is is_written


def test_a_replaced_branch_can_be_snapshotted_with_its_properties(project):
    database = project.parameters["database"]
    project.sql(f"ALTER DATABASE {database} SET work_mem = '5MB'")
    project.sql(f"COMMENT ON DATABASE {database} IS 'the first'")
    project.sql("CREATE TABLE t AS SELECT 'replaced' AS world")
    empty = project.snapshot()
    project.sql("DROP TABLE t; CREATE TABLE t AS SELECT 'kept' AS world")
    replaced = project.default["id"]
    project.restore(empty)
    kept = project.snapshot("of the replaced", branch_id=replaced)
    assert [name for name in project.physical()["replaced"] if _accepts_connections(name)] == []
    project.sql(f"ALTER DATABASE {database} RESET work_mem")
    project.restore(kept)
    assert project.sql("SELECT world, current_setting('work_mem') FROM t") == [("kept", "5MB")]


def _accepts_connections(database):
    return plane.memory("SELECT datallowconn FROM pg_database WHERE datname = %s", [database])[0]["datallowconn"]


def test_snapshots_succeed_while_clients_reconnect_in_a_loop(project):
    stop = threading.Event()

    def reconnect():
        while not stop.is_set():
            with contextlib.suppress(psycopg.OperationalError):
                project.sql("SELECT 1")

    threads = [threading.Thread(target=reconnect) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            project.restore(project.snapshot())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
