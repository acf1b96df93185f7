"""Processes beside the test's own: they share its server and its test database, and can be killed."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

from django.conf import settings
from django.db import connection


class Process:
    """A process in a session of its own, on the test's database."""

    def __init__(self, *arguments, **variables):
        own = {
            "DJANGO_SETTINGS_MODULE": "tests.settings_child",
            "DATA_DIR": str(settings.DATA_DIR),
            "TEST_DATABASE": connection.settings_dict["NAME"],
        }
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=os.environ | own | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def ask(self, line):
        """Write a line to the process, and return the one that it answers."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def is_alive(self):
        """Tell whether the process has not ended."""
        return self._process.poll() is None

    def terminate(self):
        """Ask the process to stop, and return its exit code."""
        self._process.terminate()
        return self._process.wait(10)

    def kill(self):
        """End the process at once, with all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def worker(**variables):
    """Start a worker."""
    return Process("manage.py", "worker", **variables)
