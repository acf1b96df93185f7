"""The plane while its server is away, full, or was killed: it says so in Neon's way, and leaves nothing half made."""

import contextlib
import os
import signal
import threading
import time

import psycopg
import pytest

from neon.errors import NoSpace, ServerError, kind_of
from neon.local import cluster, postgres, store
from neon.local.address import PostgresError
from neon.local.engine import upkeep
from neon.local.postgres import EmbeddedPostgres
from tests.neon.local import plane

SPEEDY = {"fsync": "off"}
BUSY = "SELECT count(*) FROM generate_series(1, 10000000000)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a server of its own has its data."""
    return tmp_path_factory.mktemp("server") / "postgres"


@pytest.fixture
def server(folder):
    """A server of its own, which runs."""
    made = EmbeddedPostgres(folder, SPEEDY)
    made.address()
    yield made
    made.leave()


def kill(folder):
    """Kill the server, and nobody else."""
    os.kill(int((folder / "cluster" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


def test_a_server_that_is_away_is_503_which_may_be_repeated_and_says_nothing_about_itself(project, monkeypatch):
    def fail():
        raise PostgresError("pg_ctl failed: something about 10.0.0.1")

    monkeypatch.setattr(store, "_connect", fail)
    store.close()
    answer = project.call("GET", "")
    assert (answer.status_code, "10.0.0.1" in answer.text) == (503, False)
    assert not ServerError("", status=503).effect_unknown
    monkeypatch.undo()
    assert project.call("GET", "").status_code == 200


@pytest.mark.parametrize("verb", ["snapshot", "restore", "branch"])
def test_a_full_disk_is_507_and_nothing_half_made_is_left(project, monkeypatch, verb):
    upkeep.run()
    snapshot_id = project.snapshot()
    before = plane.names_in_cluster()
    real = cluster.copying

    def copying(*arguments):
        with store.connection() as connection:
            connection.execute(real(*arguments))
        return plane.DISK_FULL

    monkeypatch.setattr(cluster, "copying", copying)
    answer = {
        "snapshot": lambda: project.call("POST", f"/branches/{project.default['id']}/snapshot"),
        "restore": lambda: project.call("POST", f"/snapshots/{snapshot_id}/restore", json={"finalize_restore": True}),
        "branch": lambda: project.call("POST", "/branches", json={}),
    }[verb]()
    assert (answer.status_code, "somewhere" in answer.text) == (507, False)
    assert kind_of(507, "", "") is NoSpace
    assert not NoSpace("").effect_unknown
    monkeypatch.undo()
    assert project.sql("SELECT 1") == [(1,)]
    assert (len(project.did("GET", "/snapshots")["snapshots"]), len(project.branches())) == (1, 1)
    upkeep.run()
    assert plane.names_in_cluster() == before
    project.restore(snapshot_id)


def test_a_long_query_does_not_keep_a_killed_server_from_being_started_again(server, folder):
    with psycopg.connect(**server.address(), dbname="postgres") as session:

        def work():
            with contextlib.suppress(psycopg.OperationalError):
                session.execute(BUSY)

        busy = threading.Thread(target=work)
        busy.start()
        time.sleep(0.3)
        kill(folder)
        server.forget()
        with psycopg.connect(**server.address(), dbname="postgres") as again:
            assert again.execute("SELECT 1").fetchone() == (1,)
        busy.join()


def test_a_start_that_failed_is_not_tried_again_by_everybody_at_once(server, folder, monkeypatch):
    tries = []

    def fail(*_):
        tries.append(1)
        raise PostgresError("pg_ctl failed: no room.")

    kill(folder)
    server.forget()
    monkeypatch.setattr(EmbeddedPostgres, "_launch", fail)
    for _ in range(5):
        with pytest.raises(PostgresError, match="no room"):
            server.address()
    assert len(tries) == 1
    monkeypatch.undo()
    monkeypatch.setattr(postgres, "PAUSE_SECONDS", 0)
    assert server.address()


def test_nobody_waits_long_for_whoever_starts_it(server, monkeypatch):
    monkeypatch.setattr(postgres, "WAIT_SECONDS", 0.05)
    with server._mutex, pytest.raises(PostgresError, match="still starting"):
        server.address()
    assert server.address()
