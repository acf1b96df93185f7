"""A snapshot of a branch that nobody can connect to shares its databases instead of copying them."""

import pytest

from neon.local.engine import upkeep
from tests.neon.local import plane


@pytest.fixture
def replaced(project):
    """The id of a branch that a restore has replaced, with a row that came after the snapshot."""
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    snapshot = project.snapshot()
    project.sql("INSERT INTO t VALUES (2)")
    before = project.default["id"]
    project.restore(snapshot)
    return before


@pytest.fixture
def shared(project, replaced):
    """A snapshot of that branch."""
    return project.snapshot("shared", replaced)


def rows(project):
    """Return what the table holds."""
    return [n for (n,) in project.sql("SELECT n FROM t ORDER BY n")]


def physical(condition, argument):
    """Return the names in the cluster of a branch's or a snapshot's databases."""
    query = {
        "branch": "SELECT physical_name FROM databases WHERE branch_id = %s",
        "snapshot": "SELECT physical_name FROM databases WHERE snapshot_id = %s",
    }[condition]
    return [row["physical_name"] for row in plane.memory(query, [argument])]


def test_nothing_is_copied(project, replaced):
    before = plane.names_in_cluster()
    snapshot = project.snapshot("shared", replaced)
    assert plane.names_in_cluster() == before
    assert physical("snapshot", snapshot) == physical("branch", replaced)


def test_it_outlives_the_branch(project, replaced, shared):
    project.did("DELETE", f"/branches/{replaced}")
    upkeep.run()
    project.restore(shared)
    assert rows(project) == [1, 2]


def test_the_branch_outlives_it(project, replaced, shared):
    project.did("DELETE", f"/snapshots/{shared}")
    upkeep.run()
    again = project.snapshot("again", replaced)
    project.restore(again)
    assert rows(project) == [1, 2]


def test_when_both_are_gone_nothing_is_left(project, replaced, shared):
    (name,) = physical("branch", replaced)
    project.did("DELETE", f"/snapshots/{shared}")
    project.did("DELETE", f"/branches/{replaced}")
    upkeep.run()
    assert name not in plane.names_in_cluster()


def test_who_opens_the_branch_writes_to_a_copy(project, replaced, shared):
    project.did("POST", "/endpoints", json={"endpoint": {"branch_id": replaced, "type": "read_write"}})
    assert physical("branch", replaced) != physical("snapshot", shared)
    uri = project.uri_of(replaced)
    assert plane.sql(uri, "SELECT n FROM t ORDER BY n") == [(1,), (2,)]
    plane.sql(uri, "TRUNCATE t")
    project.restore(shared)
    assert rows(project) == [1, 2]


def test_a_deleted_project_leaves_nothing(project, replaced, shared):
    names = {*physical("branch", replaced), *physical("snapshot", shared), *physical("branch", project.default["id"])}
    project.did("DELETE", "")
    upkeep.run()
    assert not names & plane.names_in_cluster()
