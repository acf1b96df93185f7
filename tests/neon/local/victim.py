"""A process that calls the plane's engine in children of its own, so that a test can kill them.

It is told where the server's folder is; then each line of its input is a call, and it prints the child's process id,
and "gone" once the child has ended.
"""

import json
import os
import shutil
import signal
import sys
from importlib import import_module
from pathlib import Path

import django

SUBJECTS = ("branches", "databases", "endpoints", "projects", "roles", "snapshots", "spares", "upkeep")


def main() -> None:
    """Serve calls until the input ends."""
    django.setup()
    from django.conf import settings

    engine = {subject: import_module(f"neon.local.engine.{subject}") for subject in SUBJECTS}
    shutil.rmtree(settings.DATA_DIR)  # tests.settings has made one that nobody needs
    settings.DATA_DIR = Path(sys.argv[1])
    for line in sys.stdin:
        call, arguments, to_be_killed = json.loads(line)
        child = os.fork()
        if child == 0:
            subject, verb = call.split(".")
            getattr(engine[subject], verb)(**arguments)
            if to_be_killed:
                signal.pause()
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main()
