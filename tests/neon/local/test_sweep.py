"""Kills: whatever moment a process dies at, the old world or the new one is there, and upkeep leaves no trace."""

import os
import random

import pytest

from neon.local import store
from neon.local.engine import leftovers, upkeep
from tests.neon.local import plane
from tests.neon.local.kills import LONGEST, check_the_cluster

CALLS = ["projects.create", "snapshots.create", "snapshots.restore", "branches.delete", "projects.delete"]


def kill_and_repeat(victim, project, call, kill_after):
    """Kill a call, look at the world that is left, and make the call again."""
    snapshot_id = project.did("GET", "/snapshots")["snapshots"][-1]["id"]
    before = project.default["id"]
    project.restore(snapshot_id)
    project.sql("UPDATE t SET world = 'new'")
    target = project.default["id"]
    arguments = {
        "projects.create": {"name": "killed"},
        "snapshots.create": {"project_id": project.id, "branch_id": target, "name": "killed"},
        "snapshots.restore": {
            "project_id": project.id,
            "snapshot_id": snapshot_id,
            "target_branch_id": target,
            "finalize": True,
        },
        "branches.delete": {"project_id": project.id, "branch_id": before},
        "projects.delete": {"project_id": project.id},
    }[call]
    victim.call(call, kill_after=kill_after, **arguments)
    check_the_cluster()
    if call == "projects.delete" and project.call("GET", "").status_code == 404:
        return
    swapped = project.default["id"] != target
    assert project.sql("SELECT world FROM t") == [("old" if swapped else "new",)]
    assert call == "snapshots.restore" or not swapped
    if call == "snapshots.restore":
        arguments["target_branch_id"] = project.default["id"]
    victim.call(call, **arguments)
    if call == "projects.delete":
        assert project.call("GET", "").status_code == 404
    else:
        assert project.sql("SELECT world FROM t") == [("old" if call == "snapshots.restore" else "new",)]


def kill_at(moments, victim, http, call):
    """Kill a call at each of the moments, in seconds; what is deleted is made anew for the next."""
    for moment in moments:
        with plane.project(http) as project:
            project.sql("CREATE TABLE t AS SELECT 'old' AS world")
            project.snapshot()
            kill_and_repeat(victim, project, call, moment)
    for row in http.get("projects", params={"search": "killed"}).json()["projects"]:
        http.delete(f"projects/{row['id']}")
    check_the_cluster()


@pytest.mark.parametrize("call", CALLS)
def test_a_kill_at_any_moment_leaves_one_world_and_no_trace(victim, http, call):
    kill_at([random.uniform(0, LONGEST)], victim, http, call)


@pytest.mark.kill
@pytest.mark.timeout(300)
@pytest.mark.parametrize("call", CALLS)
def test_many_kills(victim, http, call):
    count = 6 if os.environ.get("KILL_POINTS") == "few" else 40
    kill_at([number * LONGEST / count for number in range(count)], victim, http, call)


def test_upkeep_leaves_alone_what_is_just_being_made(http):
    with store.connection() as maker, leftovers.making(maker, {"db_being_made": "database"}):
        upkeep.run()
        assert plane.memory("SELECT physical_name FROM leftovers") == [{"physical_name": "db_being_made"}]
    upkeep.run()
    assert plane.memory("SELECT physical_name FROM leftovers") == []


def test_upkeep_opens_a_live_database_that_was_left_closed(project):
    (live,) = project.physical()["live"]
    with store.connection() as connection:
        connection.execute(f"ALTER DATABASE {live} ALLOW_CONNECTIONS false")
    upkeep.run()
    assert project.sql("SELECT 1") == [(1,)]


def test_the_next_change_opens_it_too(project):
    (live,) = project.physical()["live"]
    with store.connection() as connection:
        connection.execute(f"ALTER DATABASE {live} ALLOW_CONNECTIONS false")
    project.snapshot()
    assert project.sql("SELECT 1") == [(1,)]


def test_upkeep_does_not_open_what_somebody_is_copying(project):
    (live,) = project.physical()["live"]
    with store.connection() as connection, store.lock(connection, project.id, wait=True):
        connection.execute(f"ALTER DATABASE {live} ALLOW_CONNECTIONS false")
        upkeep.run()
        (state,) = plane.memory("SELECT datallowconn FROM pg_database WHERE datname = %s", [live])
        assert state == {"datallowconn": False}
    upkeep.run()
    assert project.sql("SELECT 1") == [(1,)]
