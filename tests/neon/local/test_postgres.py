"""The embedded server: started by the first, stopped by the last, and started again whatever happened to it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from neon.local import postgres, store
from neon.local.address import address, answers, is_taken
from neon.local.postgres import EmbeddedPostgres, PostgresError

SPEEDY = {"fsync": "off"}
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="not root")
# Another process that uses the server of a folder, and leaves when its input ends.
USER = """
import sys
from pathlib import Path
from urllib.parse import urlsplit
from neon.local.postgres import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1]), {"fsync": "off"}).address()["port"], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a cluster in it that is not running."""
    folder = tmp_path_factory.mktemp("server") / "postgres"
    server = EmbeddedPostgres(folder, SPEEDY)
    server.address()
    server.leave()
    return folder


@pytest.fixture
def server(folder):
    """A server on that folder, which nobody has used yet."""
    made = EmbeddedPostgres(folder, SPEEDY)
    yield made
    made.leave()


def query(where, statement):
    with psycopg.connect(**where, dbname="postgres", autocommit=True) as superuser:
        return superuser.execute(statement).fetchone()[0]


def postmaster(folder):
    return int((folder / "cluster" / "postmaster.pid").read_text().split()[0])


def kill_all(folder):
    """Kill the server of the folder and its children, as a power cut would."""
    parent = postmaster(folder)
    for pid in [parent, *_children(parent)]:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while is_taken(int((folder / "port").read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _children(parent):
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


@contextmanager
def user_of(folder):
    """Lend another process that uses the server, and its idea of the port."""
    with subprocess.Popen(
        [sys.executable, "-c", USER, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
    ) as process:
        yield process, int(process.stdout.readline())


def test_it_is_postgres_18_without_a_socket_and_durable_unless_told_otherwise(server):
    where = server.address()
    assert query(where, "SHOW server_version").startswith("18.")
    assert query(where, "SHOW unix_socket_directories") == ""
    assert query(where, "SHOW listen_addresses") == "127.0.0.1"
    assert query(where, "SHOW fsync") == "off"
    assert "fsync" not in postgres.SERVER_SETTINGS


def test_everybody_needs_a_password(server):
    where = server.address()
    assert query(where, "SELECT bool_and(auth_method = 'scram-sha-256') FROM pg_hba_file_rules")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**{**where, "password": "wrong"}, dbname="postgres")


def test_the_password_is_in_no_repr_and_readable_to_its_owner_only(server, folder):
    password = server.address()["password"]
    assert password not in repr(server)
    assert (folder / "password").stat().st_mode & 0o777 == 0o600
    assert not (folder / "handover").exists()


def test_the_data_folder_is_closed_to_others(server, folder):
    server.address()
    assert (folder / "cluster").stat().st_mode & 0o777 == 0o700


@AS_ROOT
def test_as_root_it_runs_as_somebody_else(server, folder):
    server.address()
    assert Path(f"/proc/{postmaster(folder)}").stat().st_uid == (folder / "cluster").stat().st_uid != 0


def test_the_address_is_remembered_and_asked_for_again_when_told(server, monkeypatch):
    where = server.address()
    monkeypatch.setattr(postgres, "answers", lambda where: pytest.fail("looked at the server"))
    assert server.address() is where
    monkeypatch.undo()
    server.forget()
    assert server.address() == where


def test_the_port_is_kept_and_the_server_stops_with_its_user(server):
    where = server.address()
    assert answers(where)
    server.leave()
    assert not is_taken(where["port"])
    assert server.address() == where


def test_the_last_of_two_users_stops_it(server, folder):
    where = server.address()
    with user_of(folder) as (process, port):
        assert port == where["port"]
        server.leave()
        assert answers(where)
        process.stdin.close()
        assert process.wait(10) == 0
    assert not is_taken(where["port"])


def test_a_user_that_was_killed_does_not_keep_it_running(server, folder):
    where = server.address()
    with user_of(folder) as (process, _):
        process.kill()
    server.leave()
    assert not is_taken(where["port"])


def test_threads_that_come_at_once_start_one_server(server, folder):
    ports = set()
    threads = [threading.Thread(target=lambda: ports.add(server.address()["port"])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ports) == 1


def test_a_killed_server_is_started_again_with_its_data(server, folder):
    where = server.address()
    with psycopg.connect(**where, dbname="postgres") as superuser:
        superuser.execute("CREATE TABLE kept AS SELECT 1 AS n")
    kill_all(folder)
    server.forget()
    assert query(server.address(), "SELECT n FROM kept") == 1


def test_a_process_id_that_belongs_to_somebody_else_by_now_does_not_matter(server, folder):
    pid_file = folder / "cluster" / "postmaster.pid"
    server.address()
    lines = pid_file.read_text().splitlines()
    kill_all(folder)
    account = (folder / "cluster").stat()
    with subprocess.Popen(["sleep", "60"], user=account.st_uid, group=account.st_gid) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        server.forget()
        try:
            assert answers(server.address())
            assert stranger.poll() is None
        finally:
            stranger.kill()


@contextmanager
def stranger_on(port, greeting=b""):
    """Listen on the port, answer every message with the same bytes, and collect what is sent there."""
    heard = []

    def listen():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(1)
                try:
                    heard.append(client.recv(4096))
                    client.sendall(greeting)
                    heard.append(client.recv(4096) if greeting else b"")
                except OSError:
                    pass

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_taken_port_is_left_for_another(server):
    taken = server.address()["port"]
    server.leave()
    with stranger_on(taken):
        moved = server.address()
        assert moved["port"] != taken
        assert answers(moved)
    server.leave()
    assert server.address()["port"] == moved["port"]


@pytest.mark.parametrize("asks", [b"R\0\0\0\x08\0\0\0\x03", b"R\0\0\0\x08\0\0\0\0"], ids=["password", "nothing"])
def test_a_stranger_on_the_port_gets_no_password_and_is_not_taken_for_the_server(asks):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with stranger_on(port, asks) as heard:
        assert not answers(address(port, "postgres", "very-secret"))
    assert heard[0]
    assert b"very-secret" not in b"".join(heard)


def test_what_is_missing_after_a_kill_at_first_start_is_made_by_the_next(server, folder):
    with psycopg.connect(**server.address(), dbname="postgres", autocommit=True) as superuser:
        superuser.execute(f"DROP DATABASE {postgres.PLANE_DATABASE}")
        superuser.execute("GRANT CONNECT ON DATABASE template1 TO PUBLIC")
    (folder / "port").write_text("")
    server.leave()
    where = server.address()
    assert query(where, f"SELECT count(*) FROM pg_database WHERE datname = '{postgres.PLANE_DATABASE}'") == 1
    assert query(where, "SELECT NOT has_database_privilege('pg_monitor', 'template1', 'CONNECT')")


def test_a_first_start_copes_with_an_odd_path_a_closed_parent_and_half_a_cluster(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    folder = closed / "it's a näme"
    (folder / "cluster.new").mkdir(parents=True)
    (folder / "cluster.new" / "PG_VERSION").touch()  # a kill in the middle of initdb
    server = EmbeddedPostgres(folder, SPEEDY)
    try:
        assert answers(server.address())
        assert closed.stat().st_mode & 0o777 in {0o700, 0o701}
    finally:
        server.leave()


@pytest.mark.parametrize("place", ["file", "file/below", "dev"])
def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path, place):
    (tmp_path / "file").touch()
    folder = Path("/dev/null/postgres") if place == "dev" else tmp_path / place
    with pytest.raises(PostgresError) as caught:
        EmbeddedPostgres(folder, SPEEDY).address()
    assert str(caught.value).startswith(f"Postgres cannot use {folder}: ")
    assert "\n" not in str(caught.value)


def test_a_server_that_does_not_start_says_why_in_one_sentence(folder):
    server = EmbeddedPostgres(folder, {"shared_buffers": "1000TB"})
    try:
        with pytest.raises(PostgresError, match=r"^pg_ctl failed: .*shared_buffers") as caught:
            server.address()
        assert "\n" not in str(caught.value)
    finally:
        server.leave()


def in_a_child(check):
    """Call *check* in a forked child, and return whether it was true there."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def test_a_forked_child_has_a_use_of_its_own(server):
    where = server.address()

    def leave_as_well():
        answered = server.address() == where and answers(where)
        server.leave()
        return answered

    assert in_a_child(leave_as_well)
    assert answers(where)


def test_a_forked_child_does_not_keep_the_server_from_stopping(server):
    where = server.address()
    ours, childs = socket.socketpair()
    with ours, childs:
        child = os.fork()
        if child == 0:
            childs.send(b"here")
            childs.recv(1)
            os._exit(0)
        ours.recv(4)
        server.leave()
        taken = is_taken(where["port"])
        ours.send(b".")
        os.waitpid(child, 0)
    assert not taken


def test_a_forked_child_does_not_touch_its_parents_connections(project):
    assert in_a_child(lambda: project.default["name"] == "main" and project.snapshot())
    assert len(project.did("GET", "/snapshots")["snapshots"]) == 1


@pytest.fixture
def elsewhere(server, monkeypatch):
    """The site and the plane on a server of this module, which may be harmed."""
    store.close()
    monkeypatch.setattr(postgres, "embedded", lambda: server)
    yield server
    store.close()


def test_the_site_and_the_plane_follow_a_server_that_moved(elsewhere, folder, http, django_db_blocker):
    names = {"database_name": "neondb", "role_name": "neondb_owner"}
    made = http.post("projects", json={"project": {"name": "moving"}}).json()
    before = elsewhere.address()["port"]
    kill_all(folder)
    with stranger_on(before), django_db_blocker.unblock():
        uri = http.get(f"projects/{made['project']['id']}/connection_uri", params=names).json()["uri"]
        assert urlsplit(uri).port == elsewhere.address()["port"] != before
        with psycopg.connect(uri) as moved:
            assert moved.execute("SELECT 1").fetchone() == (1,)
        site = connection.copy()
        site.settings_dict["NAME"] = postgres.META_DATABASE  # whatever database the tests before have made
        with site.cursor() as cursor:
            cursor.execute("SELECT inet_server_port()")
            assert cursor.fetchone() == (elsewhere.address()["port"],)
        site.close()
    assert http.delete(f"projects/{made['project']['id']}").status_code == 200
