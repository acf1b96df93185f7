"""What the plane does by itself while a process attends to it: restores are finished when their time has come."""

import contextlib
import time

import psycopg
import pytest

from neon.local import background
from neon.local.engine import restores
from tests.neon.local import plane
from tests.waiting import until

SECONDS = 0.6
# A busy machine may need so long, which is less than until somebody would look unasked.
PATIENCE_SECONDS = 5
assert PATIENCE_SECONDS < background.AGAIN_SECONDS


@pytest.fixture
def scheduled(settings):
    """A function that schedules a restore of a project to what it held before."""

    def schedule(project):
        settings.NEON_LOCAL_OPERATION_SECONDS = 0
        project.sql("CREATE TABLE t AS SELECT 'old' AS world")
        before = project.snapshot()
        project.sql("UPDATE t SET world = 'new'")
        settings.NEON_LOCAL_OPERATION_SECONDS = SECONDS
        project.restore(before)

    return schedule


@contextlib.contextmanager
def attended():
    """Let the plane be attended to, and wait until it is."""
    with background.working():
        listening = "SELECT 1 FROM pg_stat_activity WHERE query = %s AND state = 'idle'"
        until(lambda: plane.memory(listening, [f"LISTEN {restores.CHANNEL}"]), PATIENCE_SECONDS)
        yield


def world(project):
    """Return which world a connection reaches that the plane knows nothing of; none during the swap."""
    try:
        return plane.sql(project.uri, "SELECT world FROM t")
    except psycopg.OperationalError:
        return []


def test_a_restore_is_finished_in_time_although_nobody_looks(project, scheduled):
    with attended():
        scheduled(project)
        assert world(project) == [("new",)]
        until(lambda: world(project) == [("old",)], PATIENCE_SECONDS)


def test_its_operations_take_as_much_longer_as_it_takes(project, scheduled):
    with attended():
        scheduled(project)
        query = "SELECT finalize_at FROM branches WHERE project_id = %s AND finalize_at IS NOT NULL"
        (planned,) = plane.memory(query, [project.id])
        until(lambda: world(project) == [("old",)], PATIENCE_SECONDS)
    operations = project.did("GET", "/operations")["operations"]
    assert {operation["status"] for operation in operations} == {"finished"}
    query = "SELECT finish_at FROM operations WHERE project_id = %s ORDER BY created_at DESC LIMIT 3"
    ends = {row["finish_at"] for row in plane.memory(query, [project.id])}
    assert len(ends) == 1
    assert 0 < (ends.pop() - planned["finalize_at"]).total_seconds() < PATIENCE_SECONDS


def test_one_that_cannot_be_finished_is_left_to_upkeep(project, other, scheduled, monkeypatch):
    finish, tries = restores._finish, []

    def fail(connection, branch):
        if branch["project_id"] == project.id:
            tries.append(branch["id"])
            raise RuntimeError
        finish(connection, branch)

    with monkeypatch.context() as patched, attended():
        patched.setattr(restores, "_finish", fail)
        scheduled(project)
        until(lambda: tries, PATIENCE_SECONDS)
        time.sleep(1)
        scheduled(other)
        until(lambda: world(other) == [("old",)], PATIENCE_SECONDS)
        assert len(tries) == 1
        assert world(project) == [("new",)]
    project.did("GET", "/operations")
    assert world(project) == [("old",)]


def test_one_that_somebody_is_at_is_left_to_them(project, other, scheduled):
    with attended():
        scheduled(project)
        with plane.locked(project.id):
            scheduled(other)
            until(lambda: world(other) == [("old",)], PATIENCE_SECONDS)
        assert world(project) == [("new",)]
    project.did("GET", "/operations")
    assert world(project) == [("old",)]
