"""Serves the plane over HTTP in forked processes that are killed at a point, and serves on.

It is told a port; then each line of its input is an order in JSON: ``at`` which point to kill it, counted from its
first request, and whether it stays ``away`` then. It serves anew for each order, and answers with the places that the
last one passed and whether it was killed.
"""

import http.client
import io
import json
import os
import re
import select
import signal
import sys
import time
from contextlib import closing, suppress

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from neon.local import server  # noqa: E402
from tests.checkpoints.kills.points import Points  # noqa: E402

IDS = re.compile(r"/(?:[a-z]+-[a-z]+-[a-z0-9-]+|[0-9a-f-]{36})(?=/|$)")


class Served:
    """The process that serves now."""

    def __init__(self, port, at=None):
        ours, answer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _serve(port, at, answer)
        os.close(answer)
        self._pipe = ours
        while not _answers(port):
            if self.has_ended():
                raise RuntimeError("The plane did not start.")
            time.sleep(0.01)

    def has_ended(self):
        """Tell whether it has been killed."""
        if self.pid and os.waitpid(self.pid, os.WNOHANG)[0]:
            self.pid = None
        return self.pid is None

    def end(self):
        """End it, and return the places that it passed."""
        if not self.has_ended():
            os.kill(self.pid, signal.SIGUSR1)
            os.waitpid(self.pid, 0)
        with os.fdopen(self._pipe) as pipe:
            return json.loads(pipe.read() or "[]")


def _answers(port):
    """Tell whether it serves, by a request that does not count."""
    with suppress(OSError), closing(http.client.HTTPConnection("127.0.0.1", port)) as asking:
        asking.request("GET", "/")
        return bool(asking.getresponse())
    return False


def _serve(port, at, answer):
    """Be the process that serves."""

    def end(*_):
        os.write(answer, json.dumps(points.passed).encode())
        os.kill(os.getpid(), signal.SIGKILL)

    points = Points("", at, end)
    points.asleep = True
    points.watch()
    application = server.application

    def watched(environ, start_response):
        path = environ["PATH_INFO"].removeprefix("/api/v2")
        if path != environ["PATH_INFO"]:
            points.asleep, points.place = False, f"{environ['REQUEST_METHOD']} {IDS.sub('/*', path)}"
        yield from application(environ, start_response)
        points.place = f"after {points.place}"

    server.application = watched
    signal.signal(signal.SIGUSR1, end)
    try:
        call_command("neon_local", port=port, operation_seconds=0, stdout=io.StringIO())
    finally:
        os._exit(1)


def main(port):
    """Serve until the input ends."""
    now, killed, away, passed = Served(port), False, False, []
    while True:
        if now and now.has_ended():
            passed, killed = now.end(), True
            now = None if away else Served(port)
        if not select.select([sys.stdin], [], [], 0.005)[0]:
            continue
        if not (line := sys.stdin.readline()):
            break
        if now:
            ended = now.end()
            passed = passed if killed else ended
        order = json.loads(line)
        answer = json.dumps([passed, killed])
        now, killed, away, passed = Served(port, order["at"]), False, order["away"], []
        print(answer, flush=True)
    if now:
        now.end()


if __name__ == "__main__":
    main(int(sys.argv[1]))
