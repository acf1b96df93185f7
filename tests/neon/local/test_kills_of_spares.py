"""Kills while spares are built, moved into a restore, or dropped: nothing is lost, nothing is left."""

import os
import random

import pytest

from neon.local.engine import snapshots, spares, upkeep
from tests.neon.local import plane
from tests.neon.local.kills import LONGEST, check_the_cluster

KILLS = 6 if os.environ.get("KILL_POINTS") == "few" else 25

pytestmark = [pytest.mark.kill, pytest.mark.timeout(300)]


@pytest.fixture
def world(project, settings):
    """A project that stands at a later snapshot than the one to be restored; both have a spare."""
    settings.NEON_LOCAL_SPARE_FROM_BYTES = 0
    project.sql("CREATE TABLE t AS SELECT 'restored' AS world")
    project.first = project.snapshot("first")
    project.sql("UPDATE t SET world = 'kept'")
    project.snapshot("second")
    spares.build()
    return project


def moments():
    """Return after how many seconds to kill, the whole length of a call at random."""
    return [random.Random(number).uniform(0, LONGEST) for number in range(KILLS)]


def state(project):
    """Return what the project's table says."""
    return project.sql("SELECT world FROM t")[0][0]


def spared(project):
    """Return how many spares the project's snapshots have: other tests of this cluster may have left some of theirs."""
    query = "SELECT 1 FROM spares JOIN databases d ON d.id = database_id JOIN snapshots s ON s.id = d.snapshot_id"
    return len(plane.memory(f"{query} WHERE s.project_id = %s", [project.id]))


def check(project):
    """Hold rows against the cluster; every spare is there and closed, and the database is whole."""
    check_the_cluster()
    wrong = "SELECT 1 FROM spares LEFT JOIN pg_database ON datname = physical_name WHERE datallowconn IS NOT false"
    assert plane.memory(wrong) == []
    assert state(project) in ("kept", "restored")


@pytest.mark.parametrize("moment", moments())
def test_while_they_are_built(world, victim, settings, moment):
    with_none(settings)
    victim.call("spares.build", kill_after=moment * 3)  # there are two, each copied and connected to
    check(world)
    assert state(world) == "kept"
    spares.build()
    assert spared(world) == 2
    world.restore(world.first)
    assert state(world) == "restored"


@pytest.mark.parametrize("moment", moments())
def test_while_one_is_moved_into_a_restore(world, victim, moment):
    arguments = {"target_branch_id": world.default["id"], "finalize": True}
    victim.call("snapshots.restore", kill_after=moment, project_id=world.id, snapshot_id=world.first, **arguments)
    check(world)
    snapshots.restore(world.id, world.first, target_branch_id=world.default["id"], finalize=True)
    assert state(world) == "restored"
    upkeep.run()
    check(world)


@pytest.mark.parametrize("moment", moments())
def test_while_they_are_dropped(world, victim, moment):
    victim.call("snapshots.delete", kill_after=moment / 4, project_id=world.id, snapshot_id=world.first)
    victim.call("upkeep.run", kill_after=moment)
    check(world)
    assert state(world) == "kept"
    (second,) = [row["id"] for row in world.did("GET", "/snapshots")["snapshots"] if row["name"] == "second"]
    world.restore(second)
    assert state(world) == "kept"


def with_none(settings):
    """Let no snapshot have a spare."""
    given, settings.NEON_LOCAL_SPARE_BYTES = settings.NEON_LOCAL_SPARE_BYTES, 0
    spares.build()
    settings.NEON_LOCAL_SPARE_BYTES = given
