"""The router in trouble: a server that is away, silent or false, and names that are guessed."""

import re
import socket
import ssl
import struct
import threading
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from neon.local import cluster, login, postgres, router, routes, server, store
from neon.local.startup import Refusal, message_of
from tests.neon.local import plane
from tests.neon.local.packets import say, startup

ROLE = """
SELECT physical_name FROM memberships JOIN branches b ON b.id = branch_id WHERE project_id = %s LIMIT 1
"""


@pytest.fixture(scope="module", autouse=True)
def served():
    """The plane, served by this process, so that its URIs lead to the router."""
    with server.serving("127.0.0.1", 0) as served:
        yield served


class Answers:
    """A Postgres server of the plane's, which is said to be elsewhere at each look."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.forgotten = 0
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def address(self):
        answer = self.answers.pop(0)
        if not self.answers:  # the last look takes its time
            self._wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def forget(self):
        self._wait()
        self.forgotten += 1

    def _wait(self):
        self.asked.set()
        assert self.may_answer.wait(20)


@pytest.fixture
def looks(monkeypatch):
    """Let the router alone, and not the plane's memory, find the server where a test says."""

    def found(*answers):
        made = Answers(*answers)
        monkeypatch.setattr(
            router, "postgres", SimpleNamespace(server=lambda: made, PostgresError=postgres.PostgresError)
        )
        return made

    return found


@pytest.fixture
def stranger():
    """A server that says what a test wants, to everybody, and notes how it was left."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = SimpleNamespace(port=listener.getsockname()[1], says=None, left=[])

        def serve():
            while True:
                try:
                    visitor, _ = listener.accept()
                except OSError:
                    return
                with visitor:
                    visitor.settimeout(10)
                    try:
                        visitor.recv(4096)
                        if made.says is not None:
                            visitor.sendall(made.says)
                            continue
                        made.left.append(visitor.recv(1))
                    except OSError as error:
                        made.left.append(error)

        threading.Thread(target=serve, daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)


def where(**other):
    return {**postgres.server().address(), **other}


def nowhere():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return where(port=probe.getsockname()[1])


def connect(project):
    """Connect once: without a wish libpq tries again in the clear when it is not let in."""
    return project.connect(sslmode="require")


@pytest.mark.parametrize("trouble", ["away", "dead"])
def test_a_server_that_is_not_there_is_looked_for_once_more(project, looks, trouble):
    found = looks(nowhere() if trouble == "away" else postgres.PostgresError("It is dead."), where())
    assert project.sql("SELECT 1") == [(1,)]
    assert (found.forgotten, found.answers) == (1, [])


@pytest.mark.parametrize("trouble", ["away", "dead"])
def test_a_server_that_stays_away_is_a_refusal(project, looks, trouble):
    looks(*[nowhere() if trouble == "away" else postgres.PostgresError("It is dead.")] * 2)
    with pytest.raises(psycopg.OperationalError, match="the Postgres server of the local control plane cannot be"):
        connect(project).close()


@pytest.mark.parametrize("waits", ["address", "forget"])
def test_others_are_served_while_the_server_is_looked_for(project, looks, waits):
    found = looks(*([] if waits == "address" else [postgres.PostgresError("It is dead.")]), where())
    found.may_answer.clear()
    connected = []
    client = threading.Thread(target=lambda: connected.append(project.sql("SELECT 1")))
    client.start()
    assert found.asked.wait(5)
    assert b"C0A000\0" in say(urlsplit(project.uri).port, struct.pack("!ii", 8, 2 << 16))
    found.may_answer.set()
    client.join(5)
    assert connected == [[(1,)]]


def test_a_server_that_never_answers_is_given_up_and_left(project, looks, stranger, monkeypatch):
    monkeypatch.setattr(router, "OPENING_SECONDS", 1)
    looks(*[where(port=stranger.port, sslmode="require")] * 2)
    with pytest.raises(psycopg.OperationalError, match="cannot be reached"):
        connect(project).close()
    deadline = time.monotonic() + 5
    while len(stranger.left) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not [error for error in stranger.left if isinstance(error, TimeoutError)]


@pytest.mark.parametrize(
    "says",
    [
        None,
        b"",
        message_of(b"R", struct.pack("!i", 0)),  # lets everybody in
        message_of(b"R", struct.pack("!i", 3)),  # wants the password in the clear
        message_of(b"R", b""),
        message_of(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0")
        + message_of(b"R", struct.pack("!i", 11) + b"\xff"),
    ],
)
def test_trouble_at_the_log_in_is_no_wrong_password(project, looks, stranger, monkeypatch, caplog, says):
    monkeypatch.setattr(router, "OPENING_SECONDS", 1)
    stranger.says = says
    looks(where(port=stranger.port))
    with pytest.raises(psycopg.OperationalError, match="the router could not log in at the Postgres server"):
        connect(project).close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_what_the_server_itself_says_is_handed_on(project, looks, stranger, caplog):
    stranger.says = Refusal("53300", "sorry, too many clients already").packet
    looks(where(port=stranger.port))
    with pytest.raises(psycopg.OperationalError, match="too many clients already") as caught:
        connect(project).close()
    assert "router" not in str(caught.value)
    assert not caplog.records


def test_a_password_that_was_kept_in_another_way_is_said_so(project):
    with store.connection() as connection:
        role = sql.Identifier(plane.memory(ROLE, [project.id])[0]["physical_name"])
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, "md5" + "0" * 32))
    with pytest.raises(psycopg.OperationalError, match='of user "neondb_owner" is not kept for SCRAM-SHA-256'):
        connect(project).close()


def test_a_wait_looks_less_often_the_longer_it_takes(project, monkeypatch):
    looked = []
    resolve = routes.resolve
    monkeypatch.setattr(routes, "resolve", lambda *names: looked.append(names) or resolve(*names))
    (name,) = project.physical()["live"]
    with store.connection() as lent:
        cluster.allow_connections(lent, name, False)
        client = threading.Thread(target=project.sql, args=["SELECT 1"])
        client.start()
        time.sleep(1)
        cluster.allow_connections(lent, name, True)
    client.join(5)
    assert not client.is_alive()
    assert 2 <= len(looked) <= 15


def test_a_root_certificate_verifies_whatever_the_mode(served):
    path = str(served.router.certificate.path)
    for mode in ("require", "verify-ca", "verify-full"):
        context = login._context(where(sslmode=mode, sslrootcert=path))
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, mode == "verify-full")
    assert login._context(where(sslmode="require")).verify_mode == ssl.CERT_NONE


# Names that are guessed


def asked(project, user):
    """Return the salt, the count of iterations and the refusal that somebody gets to hear."""
    first = b"n,,n=,r=abc"
    hello = message_of(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
    heard = say(
        urlsplit(project.uri).port,
        startup(user=user, database="neondb"),
        hello,
        message_of(b"p", b"c=biws,r=abc,p=AAAA"),
    )
    salt, iterations = re.search(rb",s=([^,]+),i=(\d+)", heard).groups()
    return salt, iterations, heard[heard.index(b"SFATAL") :].replace(user.encode(), b"")


def test_whether_there_is_a_role_cannot_be_told_without_a_password(project, other):
    known, nobody = asked(project, "neondb_owner"), asked(project, "nobody")
    assert nobody[1:] == known[1:]
    assert len(nobody[0]) == len(known[0])
    assert asked(project, "nobody") == nobody  # as a role's salt stays the same
    assert len({nobody[0], asked(project, "nobody2")[0], asked(other, "nobody")[0]}) == 3
