"""The database goes away under a running demo, and comes back: nothing is lost, and nobody has to do anything."""

import os
import signal
import time

import psycopg
import pytest

from neon.local.postgres import EmbeddedPostgres
from tests.checkpoints import outages
from tests.checkpoints.html import Page
from tests.checkpoints.outages import HONEST, clicking

pytestmark = [pytest.mark.kill, pytest.mark.timeout(600)]

KILLS = int(os.environ.get("OUTAGE_KILLS", "3"))
# What is said when a restart could not be helped, of the app database and of the whole site.
AWAY = "The site cannot reach its database right now. Nothing that was saved is lost."


def test_a_killed_server_is_started_again_by_the_site_itself(tmp_path, record_property):
    with outages.demo(tmp_path) as visitor:
        with outages.superuser(tmp_path, "checkpoints") as connection:
            before = outages.meta(connection)
        ready, lasted = [], []
        with clicking(visitor) as (tried, confirmed, statuses):
            for _ in range(KILLS):
                time.sleep(1)
                os.kill(outages.postmaster(tmp_path), signal.SIGKILL)
                begun = time.monotonic()
                assert visitor.status("/") in HONEST
                lasted.append(time.monotonic() - begun)
                ready.append(visitor.ready_after())
        found = outages.contacts(tmp_path)
        assert confirmed <= found
        assert set(statuses) <= HONEST
        assert len(confirmed) > KILLS
        with outages.superuser(tmp_path, "checkpoints") as connection:
            assert outages.meta(connection) == before
        assert visitor.act("advance") == ""
        figures = {status: statuses.count(status) for status in sorted(set(statuses))}
        print(
            f"\n{KILLS} kills of the server; answers {figures}; first page after {max(lasted):.1f} s at most, ready"
            f" after {max(ready):.1f} s; contacts tried {len(tried)}, confirmed {len(confirmed)},"
            f" lost {len(confirmed - found)}"
        )


def test_a_meta_database_that_is_stopped_is_waited_for(tmp_path):
    meta = EmbeddedPostgres(tmp_path / "meta", {})
    try:
        where = meta.address()
        url = f"postgres://{where['user']}:{where['password']}@{where['host']}:{where['port']}/checkpoints"
        with outages.demo(tmp_path, DATABASE_URL=url) as visitor:
            stylesheet = Page(visitor.http.get("/")).one("link", rel="stylesheet")["href"]
            visitor.open()
            with psycopg.connect(**where, dbname="checkpoints") as connection:
                before = outages.meta(connection)
            meta.leave()
            for path in ("/", visitor.checkpoint, "/accounts/email/", "/readyz"):
                assert visitor.status(path) == 503, path
            assert AWAY in outages.sentences(visitor.http.get("/"))
            assert visitor.add("nobody").status_code == 503
            assert visitor.status("/healthz") == visitor.status(stylesheet) == 200
            time.sleep(8)  # longer than a worker that kept ending would be borne with
            assert visitor.status("/healthz") == 200
            assert meta.address() == where
            print(f"\nready {visitor.ready_after():.1f} s after the meta database was back")
            assert visitor.status("/") == 200
            with psycopg.connect(**where, dbname="checkpoints") as connection:
                assert outages.meta(connection) == before
            assert visitor.act("advance") == ""
    finally:
        meta.leave()


def test_a_full_disk_is_said_and_survived(tmp_path):
    with outages.small_disk(tmp_path, 200), outages.demo(tmp_path) as visitor:
        visitor.open()
        emails, databases = outages.contacts(tmp_path), outages.databases(tmp_path)
        filling = outages.fill(tmp_path)
        assert visitor.http.get("/readyz").json()["disk"] is False

        # The server runs, and what needs room is refused.
        said = visitor.act("advance")
        assert "no room left" in said or "disk of the database server is full" in said.lower()
        confirmed = set()
        for number in range(200):
            answer = visitor.add(f"{number:0>60}")
            if answer.status_code != 302:
                assert answer.status_code in HONEST
                break
            confirmed.add(f"{number:0>60}@example.com")

        # The server dies, as it cannot log any more, and cannot be started.
        with outages.superuser(tmp_path, "postgres") as connection, pytest.raises(psycopg.OperationalError):
            connection.execute(
                "SELECT pg_logical_emit_message(false, '', repeat('x', 1000000)) FROM generate_series(1, 200)"
            )
        deadline = time.monotonic() + 60
        while visitor.status("/") != 503:
            assert time.monotonic() < deadline
        assert AWAY in outages.sentences(visitor.http.get("/"))
        assert visitor.status("/readyz") == 503
        assert visitor.status("/healthz") == 200
        time.sleep(8)

        filling.unlink()
        print(f"\nready {visitor.ready_after():.1f} s after there was room again")
        assert outages.contacts(tmp_path) == emails | confirmed
        deadline = time.monotonic() + 30
        while outages.databases(tmp_path) != databases:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert visitor.act("advance") == ""
