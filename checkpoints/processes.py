"""The processes that the site consists of beside the one that looks after them: the web server and the worker."""

import errno
import math
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

from django.conf import settings

STOP_SECONDS = 3.0
# A process that ends sooner than this, again and again, is not worth another start.
SOON_SECONDS = 5.0
SOON_ENDS = 3
# A process computes on one core. Each thread has a connection to the meta database, and those that the server keeps for
# the site are counted.
WEB_PROCESSES = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4)
WEB_THREADS = max(8, 16 // WEB_PROCESSES)


class Child:
    """A child process in a session of its own, so that it can be ended with all that it started."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.name = name
        self._command = [sys.executable, *arguments]
        self._soon_ends = 0
        self._stop_by = math.inf
        self.start()

    @property
    def pid(self) -> int:
        """Return the process's id."""
        return self._process.pid

    def start(self) -> None:
        """Start the process."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(self._command, cwd=settings.BASE_DIR, start_new_session=True)  # noqa: S603

    def revive(self) -> bool:
        """Start the process again if it has ended; False when it keeps ending as soon as it is started."""
        if self._process.poll() is None:
            return True
        soon = time.monotonic() - self._started < SOON_SECONDS
        self._soon_ends = self._soon_ends + 1 if soon else 0
        if self._soon_ends == SOON_ENDS:
            return False
        self.start()
        return True

    def ask_to_stop(self) -> None:
        """Send SIGTERM and let the time run; a run that is at work goes on in the next worker."""
        self._stop_by = min(self._stop_by, time.monotonic() + STOP_SECONDS)
        if self._process.poll() is None:
            self._process.terminate()

    def stop(self) -> None:
        """Wait for the process to stop, and end it, with all that it started, when it does not in time."""
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, self._stop_by - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def worker() -> Child:
    """Start a worker."""
    return Child("worker", "manage.py", "worker")


def web_server(host: str, port: int) -> Child:
    """Start the web server: a process for each core, up to four, each with its own pool of app-database connections."""
    return Child(
        "web server",
        *("-m", "granian", "config.wsgi:application", "--interface", "wsgi", "--host", host, "--port", str(port)),
        *("--workers", str(WEB_PROCESSES), "--blocking-threads", str(WEB_THREADS), "--log-level", "error"),
        *("--no-ws", "--no-access-log"),  # whatever the environment says: there are one-time tokens in addresses
    )


def free_port(host: str, wanted: int, tries: int = 50) -> int | None:
    """Return the first free port from *wanted* on, or None; raises OSError when ports are refused to us."""
    for port in range(wanted, min(wanted + tries, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise
            return port
    return None


def answers(host: str, port: int) -> bool:
    """Tell whether somebody listens there."""
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False
