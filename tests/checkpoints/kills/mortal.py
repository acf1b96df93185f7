"""Does what it is told in forked processes that are killed at a point.

It reads lines of JSON: what to do, and the point as its place and its number there, or null for none. For each it
forks a process, and answers how that ended, and all places that it passed, or where it was killed.
"""

import json
import os
import signal
import sys
import uuid
from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.test import Client  # noqa: E402

from checkpoints import runs  # noqa: E402
from neon import waiting  # noqa: E402
from tests.checkpoints.kills.points import Points  # noqa: E402

waiting.STILL_AT_WORK = 0  # nobody else is at work


def execute(points, run_id):
    """Do what the worker does: execute a run, and clean up after it."""
    runs.execute(uuid.UUID(run_id))
    points.place = "clean-up"
    runs.clean_up(uuid.UUID(run_id))


def post(points, path, session, fields):
    """Do what the web server does: take an action."""
    client = Client(HTTP_HOST="127.0.0.1")
    client.cookies[settings.SESSION_COOKIE_NAME] = session
    client.post(path, fields)


def kill_server():
    """Kill the embedded server, as its operating system might."""
    pid_file = Path(settings.DATA_DIR, "postgres", "cluster", "postmaster.pid")
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)


def live(answer, what, arguments, at, victim):
    """Be the process that may be killed; one whose server is killed goes on."""

    def kill(place):
        if victim == "server":
            kill_server()
            return
        os.write(answer, json.dumps([place]).encode())
        os.kill(os.getpid(), signal.SIGKILL)

    points = Points(what, at, kill)
    points.watch()
    try:
        {"execute": execute, "post": post}[what](points, *arguments)
    finally:
        os.write(answer, json.dumps(points.passed).encode())


def main():
    """Serve until the input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        changes = order.pop("settings")
        ours, answer = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for name, value in changes.items():
                    setattr(settings, name, value)
                live(answer, **order)
                code = 0
            finally:
                os._exit(code)
        os.close(answer)
        with os.fdopen(ours) as pipe:
            passed = json.loads(pipe.read() or "[]")
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps([code, passed]), flush=True)


if __name__ == "__main__":
    main()
