"""The processes that browser tests talk to: a demo, and the control plane over HTTP as a stand-in for Neon."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from django.conf import settings

START_SECONDS = 40
STOP_SECONDS = 15
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
        deadline = time.monotonic() + START_SECONDS
        while not (found := re.search(pattern, self._output.read_text())):
            assert self._process.poll() is None, self._output.read_text()
            assert time.monotonic() < deadline, self._output.read_text()
            time.sleep(0.05)
        return found[1]

    def stop(self) -> None:
        """Stop the process as Ctrl-C would, and remove its data."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._folder.cleanup()

    def kill(self) -> None:
        """End the process without a word; its data stays."""
        self._process.kill()
        self._process.wait()


class Demo(Server):
    """``manage.py start_demo`` on a port of its own."""

    def __init__(self, **variables: str) -> None:
        super().__init__("manage.py", "start_demo", "--port", str(free_port()), **variables)
        self.checkpoint = self.wait_for(r"Checkpoint +(\S+)\n")
        self.sign_in = self.wait_for(r"Sign in +(\S+)\n")
        self.url = self.sign_in.partition("/demo/")[0]


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
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            assert self._process.poll() is None, self._output.read_text()
            assert time.monotonic() < deadline, self._output.read_text()
            time.sleep(0.05)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
