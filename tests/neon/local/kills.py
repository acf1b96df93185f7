"""Another process whose calls of the engine can be killed, and what must be true of the cluster afterwards."""

import json
import os
import signal
import subprocess
import sys
import time

from django.conf import settings

from neon.local.engine import upkeep
from tests.neon.local import plane

# A call takes some tens of milliseconds; a kill after its end shows nothing.
LONGEST = 0.06


class Victim:
    """The other process."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.neon.local.victim", settings.DATA_DIR],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=settings.BASE_DIR,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "SECRET_KEY": settings.SECRET_KEY,
                "NEON_LOCAL_SPARE_FROM_BYTES": "0",
            },
        )

    def call(self, verb, *, kill_after=None, **arguments):
        """Make a call in a child, and kill it after so many seconds, whether it has finished or not."""
        self.process.stdin.write(json.dumps([verb, arguments, kill_after is not None]) + "\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, signal.SIGKILL)
        assert self.process.stdout.readline() == "gone\n"
        _wait_for_the_sessions_of_the_dead()


def _wait_for_the_sessions_of_the_dead():
    """Wait until the server has noticed: a session goes on with its statement, and with its locks, until the end."""
    deadline = time.monotonic() + 10
    while plane.memory("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' LIMIT 1"):
        assert time.monotonic() < deadline
        time.sleep(0.002)


def check_the_cluster():
    """Hold the plane's rows against the cluster, after upkeep."""
    upkeep.run()
    assert plane.memory("SELECT * FROM leftovers") == []
    assert plane.names_in_cluster() == plane.names_in_memory()
