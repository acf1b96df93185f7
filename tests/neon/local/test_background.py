"""What the plane does by itself while a process attends to it: restores are finished when their time has come."""

import time

import psycopg
import pytest

from neon.local import background
from neon.local.engine import restores
from tests.neon.local import plane

SECONDS = 0.3
# A busy machine may need so long beyond it.
PATIENCE_SECONDS = 10


@pytest.fixture
def restoring(project, settings):
    """A restore is under way, to what the project held before; returns the project."""
    project.sql("CREATE TABLE t AS SELECT 'old' AS world")
    before = project.snapshot("before")
    project.sql("UPDATE t SET world = 'new'")

    def restore():
        settings.NEON_LOCAL_OPERATION_SECONDS = SECONDS
        project.restore(before)
        return project

    return restore


def world(project):
    """Return which world a connection reaches that the plane knows nothing of; none during the swap."""
    try:
        return plane.sql(project.uri, "SELECT world FROM t")
    except psycopg.OperationalError:
        return []


def wait_until(found):
    """Look again and again whether it is so, for a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_restore_is_finished_in_time_although_nobody_looks(restoring):
    with background.working():
        project = restoring()
        assert world(project) == [("new",)]
        wait_until(lambda: world(project) == [("old",)])


def test_its_operations_end_with_it(restoring):
    with background.working():
        project = restoring()
        (due,) = plane.memory("SELECT finalize_at FROM branches WHERE finalize_at IS NOT NULL")
        wait_until(lambda: world(project) == [("old",)])
    ends = plane.memory(
        "SELECT o.finish_at, b.updated_at FROM operations o JOIN branches b ON b.id = o.branch_id"
        " WHERE o.project_id = %s AND o.action = 'create_branch' AND b.restored_from IS NOT NULL",
        [project.id],
    )
    assert [row["finish_at"] > row["updated_at"] > due["finalize_at"] for row in ends] == [True]
    operations = project.did("GET", "/operations")["operations"]
    assert {operation["status"] for operation in operations} == {"finished"}


def test_one_that_cannot_be_finished_is_not_tried_all_the_time(restoring, monkeypatch):
    tries = []

    def fail(connection, branch):
        tries.append(branch["id"])
        raise RuntimeError

    with monkeypatch.context() as patched, background.working():
        patched.setattr(restores, "_finish", fail)
        project = restoring()
        wait_until(lambda: tries)
        time.sleep(SECONDS)
        assert len(tries) == 1
        assert world(project) == [("new",)]
    project.did("GET", "/operations")
    assert world(project) == [("old",)]
