"""What a project can take of what all share on the server, and what the plane does about it."""

import time

import psycopg
import pytest

from neon.local import cluster, guard
from tests.neon.local import plane

TAKE = "SELECT count(pg_advisory_lock(n)) FROM generate_series(1, %s) AS n"


def test_whoever_fills_the_table_of_locks_is_ended_and_the_others_get_in_again(project, other, monkeypatch):
    monkeypatch.setattr(guard, "LOOK_SECONDS", 0.5)
    with guard.watching(), project.connect() as greedy:
        time.sleep(1.2)  # the guard is connected
        greedy.execute(TAKE, [7_000])
        with pytest.raises(psycopg.OperationalError):
            greedy.execute(TAKE, [1_000_000])
        deadline = time.monotonic() + 10
        while True:
            try:
                assert other.sql("SELECT 1") == [(1,)]
                break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
        other.snapshot()
    with plane.superuser(other.parameters["database"]) as superuser:
        superuser.execute("CREATE EXTENSION vector")


def test_locks_are_counted_for_all_sessions_of_a_role_and_honest_use_is_left_alone(project, other):
    with (
        plane.superuser("postgres") as superuser,
        project.connect() as first,
        project.connect() as second,
        other.connect() as honest,
    ):
        honest.execute(TAKE, [guard.LOCKS_PER_ROLE - 1_000])
        for number, session in enumerate((first, second)):
            session.execute("SELECT count(pg_advisory_lock(%s, n)) FROM generate_series(1, 5000) AS n", [number])
        guard._look(superuser)
        assert honest.execute("SELECT 1").fetchone() == (1,)
        for session in (first, second):
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")


def test_a_role_has_so_many_connections_and_no_more_while_others_and_the_plane_get_in(project, other):
    taken = []
    try:
        for _ in range(cluster.ROLE_CONNECTION_LIMIT):
            taken.append(project.connect())
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            project.connect()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            taken[0].execute("ALTER ROLE CURRENT_USER CONNECTION LIMIT 100")
        assert other.sql("SELECT 1") == [(1,)]
        project.snapshot()
    finally:
        for connection in taken:
            connection.close()


def test_one_statement_cannot_fill_the_disk(project):
    with project.connect() as connection:
        assert connection.execute("SHOW temp_file_limit").fetchone() == ("1GB",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET temp_file_limit = -1")
