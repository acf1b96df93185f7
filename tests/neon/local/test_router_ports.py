"""The ports of the router: listened at, forgotten, and left when something fails."""

import socket
import threading

import psycopg
import pytest

from neon.local import ports, router, server
from tests.neon.local import plane


@pytest.fixture(scope="module", autouse=True)
def served():
    """The plane, served by this process."""
    with server.serving("127.0.0.1", 0) as served:
        yield served


def test_a_port_is_forgotten_once_and_listened_at_anew(project, served):
    (endpoint,) = project.did("GET", "/endpoints")["endpoints"]
    assert served.router.port(endpoint["id"])
    threads = [threading.Thread(target=served.router._forget, args=[endpoint["id"]]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert endpoint["id"] not in served.router._listening
    served.router._forget("ep-unknown")
    assert served.router.port(endpoint["id"])
    assert plane.sql(project.uri_of(), "SELECT 1") == [(1,)]


def test_a_port_that_cannot_be_kept_is_closed(project, monkeypatch):
    bound = []
    bind = ports._bind

    def noted(*address):
        bound.append(bind(*address))
        return bound[-1]

    def fail(*_):
        raise psycopg.OperationalError("The server is away.")

    monkeypatch.setattr(ports, "_bind", noted)
    monkeypatch.setattr(ports, "_keep", fail)
    with pytest.raises(psycopg.OperationalError):
        ports.listen("127.0.0.1", "ep-new")
    assert [listener.fileno() for listener in bound if listener] == [-1]


def test_only_a_port_in_use_passes_for_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert ports._bind("127.0.0.1", taken.getsockname()[1]) is None

    def fail(*_):
        raise PermissionError(13, "not allowed")

    monkeypatch.setattr(socket.socket, "listen", fail)
    with pytest.raises(PermissionError):
        ports._bind("127.0.0.1", 0)


def test_a_router_that_cannot_start_leaves_nothing_behind(project, monkeypatch):
    monkeypatch.setattr(router, "_active", router.active())  # put back afterwards

    def threads():
        return [thread for thread in threading.enumerate() if thread.name == "router"]

    def fail(*_):
        raise OSError("no port is free")

    before = threads()
    monkeypatch.setattr(ports, "listen", fail)
    with pytest.raises(OSError, match="no port is free"), router.routing("127.0.0.1"):
        pytest.fail("It started.")
    assert threads() == before


def test_a_router_that_has_stopped_gives_no_port(served):
    stopped = router.Router("127.0.0.1")
    stopped.start()
    stopped.stop()
    assert stopped.port("ep-new") == 0
