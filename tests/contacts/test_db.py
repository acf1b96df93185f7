import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from contacts import db, queries
from contacts.errors import Busy, Unavailable
from contacts.versions import FIRST
from tests.contacts.conftest import END_CONNECTIONS, on_server
from tests.contacts.everybody import everybody


def backend(connection):
    return connection.execute("SELECT pg_backend_pid()").fetchone()[0]


def end_connections(name):
    """End all connections to a database, and wait until they have ended."""
    while on_server(END_CONNECTIONS, parameters=[name]):
        time.sleep(0.001)


@pytest.fixture
def closed(name):
    """A function that closes the database to connections, as a restore does, and opens it after some seconds."""
    timers = []

    def close(seconds):
        on_server("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        end_connections(name)
        timer = threading.Timer(seconds, on_server, ("ALTER DATABASE {} ALLOW_CONNECTIONS true", name))
        timers.append(timer)
        timer.start()

    yield close
    for timer in timers:
        timer.join()


def test_a_connection_has_the_time_limits(uri):
    names = ("statement_timeout", "lock_timeout", "application_name")
    shown = [db.read(uri, lambda c, name=name: c.execute(f"SHOW {name}").fetchone()[0]) for name in names]
    assert shown == ["10s", "3s", "contacts"]


def test_options_of_the_uri_are_kept(uri):
    with_options = f"{uri}&options=-c%20timezone%3DAsia/Tokyo"
    shown = db.read(with_options, lambda c: c.execute("SHOW timezone").fetchone()[0])
    db.forget(with_options)
    assert shown == "Asia/Tokyo"


def test_a_connection_is_used_again(uri):
    assert db.read(uri, backend) == db.write(uri, backend)


def test_forget_closes_the_idle_connections(uri):
    before = db.read(uri, backend)
    db.forget(uri)
    assert db.read(uri, backend) != before


def test_nothing_is_prepared(uri):
    for _ in range(10):
        everybody(uri, FIRST)
    assert db.read(uri, lambda c: c.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()) == (0,)


def test_an_idle_connection_that_was_ended_is_not_used(uri, name):
    for run in (db.read, db.write):
        before = db.read(uri, backend)
        end_connections(name)
        assert run(uri, backend) != before


def test_a_read_that_is_cut_off_is_repeated(uri, name):
    calls = []

    def work(connection):
        calls.append(backend(connection))
        if len(calls) < 3:
            end_connections(name)
        return connection.execute("SELECT count(*) FROM contacts").fetchone()

    assert db.read(uri, work) == (3,)
    assert len(set(calls)) == 3


def test_a_write_that_is_cut_off_is_not_repeated(uri, name):
    calls = []

    def work(connection):
        calls.append(backend(connection))
        end_connections(name)
        connection.execute("DELETE FROM contacts")

    with pytest.raises(Unavailable):
        db.write(uri, work)
    assert len(calls) == 1
    assert len(everybody(uri, FIRST)) == 3


@pytest.mark.parametrize("run", [db.read, db.write])
def test_a_database_that_is_closed_for_a_moment_is_waited_for(uri, closed, run):
    db.read(uri, backend)
    closed(0.3)
    begin = time.monotonic()
    assert run(uri, lambda c: c.execute("SELECT count(*) FROM contacts").fetchone()) == (3,)
    assert 0.2 < time.monotonic() - begin < 1.5


def test_a_database_that_is_copied_is_waited_for_longer_than_others(uri, closed, monkeypatch):
    monkeypatch.setattr(db, "RETRY_SECONDS", 0.05)
    closed(0.4)
    assert len(everybody(uri, FIRST)) == 3


def test_each_reason_is_waited_for_by_itself(uri, monkeypatch):
    monkeypatch.setattr(db, "RETRY_SECONDS", 0.2)
    connect, began = db.connect, time.monotonic()

    def connect_in_the_end(uri):
        passed = time.monotonic() - began
        if passed < 0.5:
            raise Unavailable(f"cannot connect: {db.CLOSED}", passing=True)
        if passed < 0.6:
            raise Unavailable("cannot connect: too many clients", passing=True)
        return connect(uri)

    monkeypatch.setattr(db, "connect", connect_in_the_end)
    assert len(everybody(uri, FIRST)) == 3
    assert time.monotonic() - began > 0.6


def test_a_database_whose_name_is_gone_for_a_moment_is_waited_for(uri, name):
    on_server("ALTER DATABASE {} RENAME TO {}", name, f"{name}_old")
    timer = threading.Timer(0.2, on_server, ("ALTER DATABASE {} RENAME TO {}", f"{name}_old", name))
    timer.start()
    assert len(everybody(uri, FIRST)) == 3
    timer.join()


def test_waiting_has_an_end(uri, closed, monkeypatch):
    monkeypatch.setattr(db, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(db, "CLOSED_SECONDS", 0.1)
    closed(0.5)
    with pytest.raises(Unavailable, match="not currently accepting connections"):
        everybody(uri, FIRST)


def test_a_server_that_is_not_there_is_not_waited_for(uri):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        begin = time.monotonic()
        with pytest.raises(Unavailable, match="Connection refused"):
            db.read(f"postgresql://u:p@127.0.0.1:{taken.getsockname()[1]}/x", backend)
    assert time.monotonic() - begin < 1


def test_a_server_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(db, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.monotonic()
        with pytest.raises(Unavailable):
            db.read(f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/x", backend)
    assert time.monotonic() - begin < 3


def test_a_lock_of_others_makes_it_busy(uri, execute, monkeypatch):
    monkeypatch.setattr(db, "LOCK_SECONDS", 0.2)
    execute("BEGIN; LOCK TABLE contacts")
    with pytest.raises(Busy):
        queries.add(uri, FIRST, {"name": "x", "email": "x@example.com"})


def test_a_statement_that_takes_too_long_is_ended(uri, monkeypatch):
    monkeypatch.setattr(db, "STATEMENT_SECONDS", 0.2)
    with pytest.raises(Unavailable, match="QueryCanceled"):
        db.read(uri, lambda connection: connection.execute("SELECT pg_sleep(5)"))
    assert len(everybody(uri, FIRST)) == 3


def test_a_connection_that_is_left_in_a_transaction_is_closed(uri):
    connections = []

    def work(connection):
        connections.append(connection)
        connection.execute("BEGIN")

    db.read(uri, work)
    assert connections[0].closed


def test_an_error_of_the_program_passes_and_the_connection_stays(uri):
    before = db.read(uri, backend)
    with pytest.raises(ZeroDivisionError):
        db.read(uri, lambda connection: 1 / 0)
    assert db.read(uri, backend) == before


def test_idle_connections_are_bounded_and_the_least_recently_used_goes_first(uri):
    idle = db.IdleConnections(2)
    first, second, third = (db.connect(uri) for _ in range(3))
    idle.put("a", first)
    idle.put("b", second)
    assert idle.take("a") is first
    idle.put("a", first)
    idle.put("c", third)
    assert second.closed
    assert len(idle) == 2
    assert idle.take("b") is None
    idle.clear()
    assert first.closed
    assert third.closed


def test_the_pool_of_the_process_has_room_for_32():
    assert db.IDLE_LIMIT == 32


def test_uris_are_not_kept_in_the_pool(uri, databases):
    db.read(uri, backend)
    kept = repr(vars(db._idle))
    assert databases.password not in kept
    assert uri not in kept


def test_threads_share_the_pool(uri, name, databases, template):
    with databases.made(template) as other, ThreadPoolExecutor(12) as threads:
        uris = [uri, databases.uri(other)] * 100
        counts = threads.map(lambda one: len(everybody(one, FIRST)), uris)
        assert set(counts) == {3}
        assert len(db._idle) <= db.IDLE_LIMIT


def test_threads_survive_connections_that_are_ended_under_them(uri, name):
    with ThreadPoolExecutor(6) as threads:
        counts = threads.map(lambda _: len(everybody(uri, FIRST)), range(150))
        for _ in range(5):
            end_connections(name)
        assert set(counts) == {3}


def test_a_forked_process_leaves_the_connections_to_its_parent(uri):
    before = db.read(uri, backend)
    child = os.fork()
    if child == 0:
        code = 2
        try:
            code = int(db.read(uri, backend) == before)
        finally:
            os._exit(code)  # never on into pytest
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert db.read(uri, backend) == before


def test_a_restore_to_another_shape_does_not_confuse_a_connection(uri, execute):
    everybody(uri, FIRST)
    execute("ALTER TABLE contacts ALTER COLUMN name TYPE varchar(300)")
    execute("ALTER TABLE contacts ADD COLUMN extra int")
    assert len(everybody(uri, FIRST)) == 3
