"""The moment in which a restored branch takes its target's place, with the owner at work on the same database."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest

from neon.local import cluster, store
from neon.local.engine import restores
from tests.neon.local import plane

SECONDS = 0.3  # for the server to come to the owner's statement
MAY_CONNECT = "SELECT datallowconn FROM pg_database WHERE datname = %s"


@pytest.fixture
def changed(project):
    """A project whose table says "now", the id of a snapshot of when it said "then", and the URI of another branch."""
    project.sql("CREATE TABLE t AS SELECT 'then' AS said")
    snapshot_id = project.snapshot()
    project.sql("UPDATE t SET said = 'now'")
    return project, snapshot_id, project.uri_of(project.branch("dev")["id"])


def said_in(name):
    """Return what the table says in a closed database."""
    with store.connection() as connection, cluster.opened(connection, name), plane.superuser(name) as inside:
        return inside.execute("SELECT said FROM t").fetchall()


def test_a_drop_by_the_owner_meanwhile_destroys_nothing_that_is_kept(changed, monkeypatch):
    project, snapshot_id, elsewhere = changed
    reached, go_on = threading.Event(), threading.Event()
    real = cluster.rename

    def rename(connection, database, name):
        real(connection, database, name)
        if not reached.is_set():
            connection.execute("SELECT 1").fetchone()  # so that the server has come to it
            reached.set()
            assert go_on.wait(10)

    def drop():
        with suppress(psycopg.Error):
            plane.sql(elsewhere, f"DROP DATABASE {project.parameters['database']}")

    monkeypatch.setattr(cluster, "rename", rename)
    with ThreadPoolExecutor() as threads:
        restoring = threads.submit(project.restore, snapshot_id)
        assert reached.wait(10)
        dropping = threads.submit(drop)
        time.sleep(SECONDS)
        go_on.set()
        restoring.result()
        dropping.result()
    (replaced,) = project.physical()["replaced"]
    assert said_in(replaced) == [("now",)]
    project.restore(snapshot_id)
    assert plane.sql(project.uri_of(), "SELECT said FROM t") == [("then",)]


def test_nobody_stays_in_what_is_replaced_though_the_owner_opens_it(changed, monkeypatch):
    project, snapshot_id, elsewhere = changed
    came_in = []
    real = restores.take_place

    def take_place(connection, branch, target):
        plane.sql(elsewhere, f"ALTER DATABASE {project.parameters['database']} ALLOW_CONNECTIONS true")
        came_in.append(project.connect())
        real(connection, branch, target)

    monkeypatch.setattr(restores, "take_place", take_place)
    project.restore(snapshot_id)
    with pytest.raises(psycopg.OperationalError):
        came_in[0].execute("UPDATE t SET said = 'lost'")
    came_in[0].close()
    (replaced,) = project.physical()["replaced"]
    assert plane.memory(MAY_CONNECT, [replaced]) == [{"datallowconn": False}]
    assert said_in(replaced) == [("now",)]
    assert project.sql("SELECT said FROM t") == [("then",)]
