"""The processes that the site consists of: kept alive, and ended with all that they started."""

import os
import socket
import time

import pytest

from checkpoints import processes
from checkpoints.processes import Child
from tests.waiting import until

SLEEPS = "import time; print(flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
LISTENS = """
import signal, socket, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""
HAS_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {LISTENS!r}])"


@pytest.fixture
def child(capfd):
    """A function that starts a child, and returns it with what it says first, if it is one that says something."""
    children = []

    def start(program):
        children.append(Child("child", "-c", program))
        said = until(lambda: capfd.readouterr().out) if "print" in program else ""
        return children[-1], said

    yield start
    for one in children:
        one.stop()


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)


def pid(child):
    return child._process.pid


def test_a_child_that_runs_is_left_alone(child):
    sleeper, _ = child(SLEEPS)
    before = pid(sleeper)
    assert sleeper.revive()
    assert pid(sleeper) == before


def test_a_child_that_ended_is_started_again(child):
    sleeper, _ = child(SLEEPS)
    before = pid(sleeper)
    os.kill(before, 9)
    sleeper._process.wait()
    assert sleeper.revive()
    assert pid(sleeper) != before
    assert sleeper._process.poll() is None


def test_a_child_that_keeps_ending_at_once_is_given_up(child):
    short, _ = child("")
    for worth_another in (True, True, False):
        short._process.wait()
        assert short.revive() is worth_another


def test_a_child_that_listens_stops_when_asked(child):
    sleeper, _ = child(SLEEPS)
    sleeper.ask_to_stop()
    assert sleeper._process.wait(2) == -15


def test_a_child_that_does_not_listen_is_ended_in_time(child):
    deaf, _ = child(DEAF)
    begun = time.monotonic()
    deaf.ask_to_stop()
    deaf.stop()
    assert 0.2 <= time.monotonic() - begun < 1
    assert deaf._process.returncode == -9


def test_what_a_child_started_goes_with_it(child):
    parent, said = child(HAS_A_CHILD)
    assert processes.answers("127.0.0.1", int(said))
    parent.ask_to_stop()
    parent.stop()
    until(lambda: not processes.answers("127.0.0.1", int(said)), seconds=2)


def test_to_stop_twice_is_harmless(child):
    short, _ = child(SLEEPS)
    for _ in range(2):
        short.ask_to_stop()
        short.stop()


def test_a_port_that_is_taken_is_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert processes.answers("127.0.0.1", port)
        found = processes.free_port("127.0.0.1", port)
        assert port < found < port + 50
        assert not processes.answers("127.0.0.1", found)
        assert processes.free_port("127.0.0.1", port, tries=1) is None


def test_there_is_no_port_after_the_last():
    with socket.create_server(("127.0.0.1", 65535)):
        assert processes.free_port("127.0.0.1", 65535) is None
