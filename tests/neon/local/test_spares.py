"""Spares: copies of the snapshots that are most likely to be restored, made before somebody waits for them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from neon.local import background, cluster, postgres, store
from neon.local.address import PLANE_DATABASE
from neon.local.engine import copies, snapshots, spares, upkeep
from tests.neon.local import plane
from tests.waiting import until

SPARES = """
SELECT s.name, spares.physical_name FROM spares
JOIN databases d ON d.id = database_id JOIN snapshots s ON s.id = d.snapshot_id ORDER BY s.name
"""


@pytest.fixture(autouse=True)
def of_any_size(settings, monkeypatch):
    """Also the smallest databases get spares; the projects that other tests have left have none."""
    monkeypatch.setattr(spares, "RANKED", spares.RANKED.replace("WHERE", "WHERE p.name = 'test' AND"))
    settings.NEON_LOCAL_SPARE_BYTES = 0
    spares.build()
    upkeep.run()
    settings.NEON_LOCAL_SPARE_FROM_BYTES = 0
    settings.NEON_LOCAL_SPARE_BYTES = 10 * 1024**3


@pytest.fixture
def room_for(settings):
    """Set the bytes so that so many spares of a small database fit."""

    def set_room(count):
        spares.build()
        ((most,),) = [row.values() for row in plane.memory("SELECT max(bytes) FROM databases")]
        settings.NEON_LOCAL_SPARE_BYTES = most * count + most // 2

    return set_room


@pytest.fixture
def no_copies(monkeypatch):
    """Nothing is copied any more."""

    def copying(source, target, size):
        raise AssertionError("copied")

    return lambda: monkeypatch.setattr(cluster, "copying", copying)


def snapshot(project, name):
    """Put the name into the table and take a snapshot of that name."""
    project.sql("CREATE TABLE IF NOT EXISTS t (world text)")
    project.sql("INSERT INTO t VALUES (%s)", [name])
    return project.snapshot(name)


def worlds(project):
    """Return what the table holds."""
    return [world for (world,) in project.sql("SELECT world FROM t ORDER BY world")]


def spared():
    """Return the names of the snapshots that have a spare."""
    return [row["name"] for row in plane.memory(SPARES)]


def test_a_session_finds_in_a_spare_what_the_first_one_works_out(project, monkeypatch):
    monkeypatch.setattr(cluster, "COPY_SMALL", psycopg.sql.SQL("WAL_LOG"))  # which leaves out what is no table
    for name in ("one", "two", "three"):
        snapshot(project, name)
    spares.build()
    names = [row["physical_name"] for row in plane.memory(SPARES)]
    query = (
        "SELECT datallowconn, (pg_stat_file(format('base/%%s/pg_internal.init', oid), true)).size > 0"
        " FROM pg_database WHERE datname = ANY(%s)"
    )
    with plane.superuser("postgres") as connection:
        found = connection.execute(query, [names]).fetchall()
    # Postgres does not keep it if somebody changes what all databases share at that very moment.
    assert sorted(found, key=str) in ([(False, True)] * 3, [(False, None)] + [(False, True)] * 2)


def test_a_restore_takes_the_spare_and_copies_nothing(project, no_copies):
    first = snapshot(project, "a")
    snapshot(project, "b")
    assert spares.build()
    (spare,) = [row["physical_name"] for row in plane.memory(SPARES) if row["name"] == "a"]
    oid = "SELECT oid FROM pg_database WHERE datname = %s"
    before = plane.memory(oid, [spare])
    no_copies()
    project.restore(first)
    assert worlds(project) == ["a"]
    assert plane.memory(oid, project.physical()["live"]) == before
    assert spared() == ["b"]


def test_what_was_restored_from_a_spare_is_its_owners(project):
    database = project.parameters["database"]
    first = snapshot(project, "a")
    project.sql(f"ALTER DATABASE {database} SET work_mem = '7MB'")
    second = snapshot(project, "b")
    spares.build()
    project.restore(second)
    assert project.sql("SHOW work_mem") == [("7MB",)]
    project.restore(first)
    assert project.sql("SHOW work_mem") != [("7MB",)]
    project.sql("CREATE SCHEMA more")
    project.sql("ALTER TABLE t ADD COLUMN n int")


def test_without_a_spare_a_restore_copies(project):
    first = snapshot(project, "a")
    project.restore(first)
    assert worlds(project) == ["a"]


def test_the_snapshots_next_to_where_the_project_stands_come_first(project, room_for):
    first, *_ = [snapshot(project, name) for name in "abcd"]
    room_for(1)
    spares.build()
    assert spared() == ["c"]
    project.restore(first)
    spares.build()
    assert spared() == ["b"]


def test_then_those_that_were_used_last(project, room_for):
    _, second, *_ = [snapshot(project, name) for name in "abcdef"]
    project.restore(second)
    room_for(3)
    spares.build()
    assert spared() == ["a", "b", "c"]


def test_when_one_in_the_middle_is_deleted_the_one_before_it_is_next(project, room_for):
    _, second, _ = [snapshot(project, name) for name in "abc"]
    project.did("DELETE", f"/snapshots/{second}")
    room_for(1)
    spares.build()
    assert spared() == ["a"]


def test_a_copy_of_another_branch_stands_where_that_one_stands(project, room_for):
    snapshot(project, "a")
    dev = project.branch("dev")
    for name in "bcd":
        snapshot(project, name)
    body = {"source_branch_id": dev["id"], "preserve_under_name": "before"}
    project.did("POST", f"/branches/{project.default['id']}/restore", json=body)
    room_for(1)
    spares.build()
    assert spared() == ["b"]


def test_small_databases_have_none(project, settings):
    settings.NEON_LOCAL_SPARE_FROM_BYTES = 1024**3
    snapshot(project, "a")
    assert spares.build()
    assert spared() == []


def test_all_together_take_no_more_than_the_setting_says(project, settings):
    for name in "abcd":
        snapshot(project, name)
    spares.build()
    assert spared() == ["a", "b", "c", "d"]
    sizes = plane.memory("SELECT bytes FROM databases WHERE bytes IS NOT NULL")
    settings.NEON_LOCAL_SPARE_BYTES = max(row["bytes"] for row in sizes) * 2
    names = plane.names_in_cluster()
    spares.build()
    assert spared() == ["c", "d"]
    assert len(names - plane.names_in_cluster()) == 2


def test_a_database_too_large_for_the_bytes_does_not_stand_in_the_way(project, room_for):
    snapshot(project, "a")
    room_for(1)
    project.sql("CREATE TABLE large AS SELECT g, repeat('x', 1000) FROM generate_series(1, 20000) AS g")
    project.snapshot("large")
    spares.build()
    assert spared() == ["a"]


def test_no_spare_fills_the_disk(project, monkeypatch):
    snapshot(project, "a")
    monkeypatch.setattr(type(postgres.server()), "has_room", lambda server, more=0: more == 0)
    spares.build()
    assert spared() == []


def test_a_spare_goes_with_its_snapshot(project):
    first = snapshot(project, "a")
    spares.build()
    before = plane.names_in_cluster()
    project.did("DELETE", f"/snapshots/{first}")
    assert plane.memory("SELECT * FROM spares") == []
    upkeep.run()
    assert len(before - plane.names_in_cluster()) == 2


def test_a_spare_goes_with_its_project(http, settings):
    settings.NEON_LOCAL_RECOVERY_SECONDS = 0
    with plane.project(http) as project:
        snapshot(project, "a")
        spares.build()
    upkeep.run()
    assert plane.memory("SELECT * FROM spares") == []
    assert plane.names_in_cluster() == plane.names_in_memory()


def test_none_is_made_of_a_snapshot_that_is_deleted_meanwhile(project, monkeypatch):
    first = snapshot(project, "a")
    copy = cluster.copy

    def copy_and_delete(*arguments):
        copy(*arguments)
        snapshots.delete(project.id, first)
        upkeep.run()

    monkeypatch.setattr(cluster, "copy", copy_and_delete)
    assert not spares.build()
    upkeep.run()
    assert plane.memory("SELECT * FROM spares") == []
    assert plane.names_in_cluster() == plane.names_in_memory()


def locks():
    """Return the modes of the locks that sessions of the plane hold."""
    query = (
        "SELECT mode FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory' AND datname = %s"
    )
    return [row["mode"] for row in plane.memory(query, [PLANE_DATABASE])]


def test_whoever_builds_and_does_not_end_keeps_a_snapshot_from_being_taken_and_no_lock_is_left(project, monkeypatch):
    monkeypatch.setattr(spares, "GIVE_UP_SECONDS", 0)
    with store.connection() as builder, store.lock(builder, spares.COPYING, wait=True):
        assert project.call("POST", f"/branches/{project.default['id']}/snapshot").status_code == 423
        assert locks() == ["ExclusiveLock"]
    snapshot(project, "a")
    assert locks() == []


def test_a_copy_that_cannot_begin_leaves_no_lock(project, monkeypatch):
    failing = copies.REGISTER.replace("pg_database_size(name)", "1 / length(left(name, 0))")
    with monkeypatch.context() as patched:
        patched.setattr(copies, "REGISTER", failing)
        assert project.call("POST", f"/branches/{project.default['id']}/snapshot").status_code == 500
    assert locks() == []
    snapshot(project, "a")


@pytest.mark.parametrize(
    ("module", "name", "failing"),
    [
        (cluster, "copying", lambda *arguments: plane.DISK_FULL),
        (copies, "RECORD", copies.RECORD + " RETURNING 1 / 0"),
    ],
    ids=["the copy", "what is recorded behind it"],
)
def test_a_copy_that_fails_leaves_no_lock_and_goes(project, monkeypatch, module, name, failing):
    with monkeypatch.context() as patched:
        patched.setattr(module, name, failing)
        assert not project.call("POST", "/branches", json={"endpoints": [{"type": "read_write"}]}).is_success
    assert locks() == []
    upkeep.run()
    assert plane.memory("SELECT * FROM leftovers") == []
    snapshot(project, "a")
    assert locks() == []


def test_its_project_cannot_touch_a_spare(project):
    snapshot(project, "a")
    spares.build()
    (spare,) = plane.memory(SPARES)
    with project.connect() as connection:
        for attack in plane.ATTACKS:
            with pytest.raises(psycopg.Error):
                connection.execute(attack.format(spare["physical_name"]))
    with plane.refused():
        psycopg.connect(project.uri, dbname=spare["physical_name"])


def test_building_gives_way_to_whoever_copies(project, monkeypatch):
    snapshot(project, "a")
    copy, copying = cluster.copy, threading.Event()

    def forever(connection, *arguments):
        copying.set()
        connection.execute("SELECT pg_sleep(60)")

    with ThreadPoolExecutor() as threads:
        monkeypatch.setattr(cluster, "copy", forever)
        building = threads.submit(spares.build)
        assert copying.wait(5)
        monkeypatch.setattr(cluster, "copy", copy)
        began = time.monotonic()
        snapshot(project, "b")
        assert time.monotonic() - began < 5
        assert building.result(5) is False
    assert spares.build()
    assert spared() == ["a", "b"]


def test_a_builder_that_does_not_give_way_is_ended(project):
    with psycopg.connect(**postgres.server().address(), dbname=PLANE_DATABASE, autocommit=True) as stuck:
        stuck.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [spares.COPYING])
        snapshot(project, "a")
        with pytest.raises(psycopg.OperationalError):
            stuck.execute("SELECT 1")


def test_a_builder_whose_session_is_ended_gives_way(project, monkeypatch):
    snapshot(project, "one")

    def end_session(connection, database):
        with plane.superuser("postgres") as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])

    with monkeypatch.context() as patch:
        patch.setattr(cluster, "warm", end_session)
        assert spares.build() is False
    assert spared() == []
    assert spares.build() is True
    assert spared() == ["one"]


def test_a_restore_waits_for_the_spare_that_is_just_being_built(project, monkeypatch):
    first = snapshot(project, "a")
    copying, copied = cluster.copying, []

    def slowly(*arguments):
        time.sleep(0.3)
        copied.append(threading.current_thread())
        return copying(*arguments)

    monkeypatch.setattr(cluster, "copying", slowly)
    with ThreadPoolExecutor() as threads:
        building = threads.submit(spares.build)
        wait_for_builder()
        project.restore(first)
        building.result(5)
    assert worlds(project) == ["a"]
    assert copied
    assert threading.current_thread() not in copied
    assert plane.memory("SELECT 1 FROM leftovers") == []


def test_one_at_a_time_is_built(project):
    snapshot(project, "a")
    with store.connection() as connection, store.lock(connection, spares.COPYING, wait=True):
        assert not spares.build()
    assert spared() == []


def test_a_thread_builds_what_becomes_useful(project):
    with background.working():
        snapshot(project, "a")
        until(lambda: spared() == ["a"], seconds=10)


def wait_for_builder():
    """Wait until somebody builds a spare, as the leftover that it is until it is done."""
    until(lambda: plane.memory("SELECT 1 FROM leftovers"), seconds=5)
