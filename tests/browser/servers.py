"""The processes that browser tests talk to: a demo, and the control plane over HTTP as a stand-in for Neon."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from django.conf import settings

from neon.local import address

T = TypeVar("T")

START_SECONDS = 90
STOP_SECONDS = 60
KEY = "key-of-the-stand-in"


class Server:
    """A process with a data folder of its own, and what it has written so far."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="checkpoints-browser-", ignore_cleanup_errors=True)
        self._output = Path(self._folder.name, "output")
        self._arguments, self._variables = arguments, variables
        self.start()

    def start(self) -> None:
        """Start the process, for the first time or again with the same data."""
        # The settings module of the tests would give the child a data folder of its own choice.
        own = {"DJANGO_SETTINGS_MODULE": "config.settings", "DATA_DIR": self._folder.name, "NEON_API_KEY": ""}
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments],
                cwd=settings.BASE_DIR,
                env=os.environ | own | self._variables,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, pattern: str) -> str:
        """Return the first group of *pattern* as soon as the process has written it."""
        return self._wait(lambda: re.search(pattern, self._output.read_text()))[1]

    def ask_to_stop(self) -> None:
        """Say what Ctrl-C would."""
        self._process.send_signal(signal.SIGINT)

    def finish(self) -> None:
        """Wait until the process that was asked to stop has stopped, and remove its data."""
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._folder.cleanup()

    def kill(self) -> None:
        """End the process without a word; its data stays."""
        self._process.kill()
        self._process.wait()

    def _wait(self, look: Callable[[], T | None]) -> T:
        """Return what *look* finds as soon as it finds it; a process that does not come so far is stopped."""
        deadline = time.monotonic() + START_SECONDS
        while (found := look()) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                output = self._output.read_text()
                self.ask_to_stop()
                self.finish()
                pytest.fail(f"{' '.join(self._arguments)} did not come up:\n{output}")
            time.sleep(0.05)
        return found


class Demo(Server):
    """``manage.py start_demo`` on a port of its own."""

    def __init__(self, **variables: str) -> None:
        super().__init__("manage.py", "start_demo", "--port", str(free_port()), **variables)
        self.checkpoint = self.wait_for(r"Checkpoint +(\S+)\n")
        self.sign_in = self.wait_for(r"Sign in +(\S+)\n")
        self.url = self.sign_in.partition("/demo/")[0]

    def connect(self, database: str = address.PLANE_DATABASE) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect to a database of its server as the superuser, to the control plane's unless another is named."""
        folder = Path(self._folder.name, "postgres")
        where = address.address(int((folder / "port").read_text()), "postgres", (folder / "password").read_text())
        return psycopg.connect(**where, dbname=database)

    def psql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run SQL in the newest app database, as its owner but past the site, and return its rows, if it has any."""
        newest = (
            "SELECT physical_name FROM databases JOIN endpoints USING (branch_id) JOIN branches b ON b.id = branch_id"
            " WHERE b.is_default ORDER BY endpoints.created_at DESC"  # a replaced one is looked at for a moment
        )
        with self.connect() as plane:
            (name,) = plane.execute(newest).fetchone() or ("",)
        with self.connect(name) as app:
            app.execute(
                "SELECT set_config('role', datdba::regrole::text, false) FROM pg_database WHERE datname = %s", [name]
            )
            cursor = app.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


class Plane(Server):
    """The control plane's views over HTTP."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api/v2"
        super().__init__(
            *("-m", "django", "runserver", "--noreload", str(self.port)),
            DJANGO_SETTINGS_MODULE="tests.browser.plane_settings",
            NEON_LOCAL_API_KEY=KEY,
        )

    def start(self) -> None:
        """Start it, and wait until it listens."""
        super().start()
        self._wait(self._connection).close()

    def _connection(self) -> socket.socket | None:
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", self.port), timeout=1)
        return None


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
