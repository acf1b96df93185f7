"""Who takes part: our engine and three others, each with a database of the same content on the same server."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.test import override_settings

from benchmarks import server
from neon.local import programs, store
from neon.local.engine import branches, projects, snapshots, spares, upkeep
from neon.local.errors import NotFound

Row = dict[str, Any]

OURS, OURS_WITHOUT = "ours, spare ready", "ours, no spare"
DSLR, DUMP, CREATEDB = "DSLR", "pg_dump/pg_restore", "createdb -T"
# One program ends the sessions and the next one copies: a client that comes back in between is in the way.
AWAY_SECONDS = 0.1
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'bench_createdb'"


class Contestant(Protocol):
    """One way to keep what a database holds and to bring it back."""

    name: str
    away: float  # for how long a client must stay away that was thrown out

    @property
    def uri(self) -> str: ...

    def turn(self) -> AbstractContextManager[None]: ...  # what is set and looked up before anything is timed

    def snapshot(self) -> None: ...

    def prepare(self) -> None: ...  # what is done in the background, before a restore is asked for

    def restore(self) -> None: ...

    def tidy(self) -> None: ...  # what is done in the background afterwards

    def leave(self) -> None: ...  # drops everything

    def bytes(self) -> int: ...  # of everything it keeps: database, snapshot, and what else


class Ours:
    """The local plane's engine, in a project of its own, with a spare ready for every restore or with none at all."""

    away = 0.0

    def __init__(self, made: Row, *, spare: bool) -> None:
        self.name = OURS if spare else OURS_WITHOUT
        self._project_id = made["project"]["id"]
        self._uri = server.uri(made["database"]["physical_name"], made["role"])
        # A spare whatever the size, and room for it.
        self._settings = {"NEON_LOCAL_SPARE_BYTES": 2**50 if spare else 0, "NEON_LOCAL_SPARE_FROM_BYTES": 0}
        self._branch_id = self._snapshot_id = ""
        self._template_bytes = server.size("^db_") - server.size(f"^{made['database']['physical_name']}$")

    @property
    def uri(self) -> str:
        """As the role that owns the database: the same after a restore."""
        return self._uri

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Set how spares are kept, and look up the branch, as the other series has restored over it meanwhile."""
        self._branch_id = self._branch(default=True)["id"]
        with override_settings(**self._settings):
            yield

    def snapshot(self) -> None:
        """Ask for one; its operations take no time of their own."""
        snapshot, _ = snapshots.create(self._project_id, self._branch_id)
        self._snapshot_id = snapshot["id"]

    def prepare(self) -> None:
        """Let the spare be built, as the plane does in the background."""
        spares.build()

    def restore(self) -> None:
        """Restore over the default branch, whose place the restored one has taken when this returns."""
        restored, _, _ = snapshots.restore(
            self._project_id, self._snapshot_id, target_branch_id=self._branch_id, finalize=True
        )
        self._branch_id = restored["id"]

    def tidy(self) -> None:
        """Delete what was replaced, and the snapshot, and let upkeep drop their databases."""
        snapshots.delete(self._project_id, self._snapshot_id)
        branches.delete(self._project_id, self._branch(default=False)["id"])
        upkeep.run()

    def leave(self) -> None:
        """Delete the project, which both series share."""
        with contextlib.suppress(NotFound):
            projects.delete(self._project_id)
        upkeep.run()

    def bytes(self) -> int:
        """The project is the only one: all of the plane's databases are its, but for the template of all."""
        return server.size("^db_") - self._template_bytes

    def _branch(self, *, default: bool) -> Row:
        with store.connection() as connection:
            query = store.BRANCHES + " AND b.is_default = %s ORDER BY b.created_at"
            return store.one(connection, query, self._project_id, default)


class Peer:
    """What the three others have in common: a database of the superuser's, as createdb makes it."""

    name: str
    away = 0.0

    def __init__(self) -> None:
        self._database = f"bench_{type(self).__name__.lower()}"
        self._drop()
        self._run("createdb", "--template=template0", self._database)

    @property
    def uri(self) -> str:
        """As the superuser: of these tools none cares for roles."""
        return server.uri(self._database)

    def turn(self) -> AbstractContextManager[None]:
        """Set nothing."""
        return contextlib.nullcontext()

    def prepare(self) -> None:
        """Do nothing in the background."""

    def leave(self) -> None:
        """Drop everything."""
        self._drop()

    def _drop(self) -> None:
        self._run("dropdb", "--force", "--if-exists", self._database)

    def _run(self, program: str, *arguments: str) -> None:
        where = server.address()
        environment = {
            "PGHOST": where["host"],
            "PGPORT": str(where["port"]),
            "PGUSER": where["user"],
            "PGPASSWORD": where["password"],
            "PGSSLMODE": "disable",
            "PGGSSENCMODE": "disable",
        }
        done = subprocess.run(  # noqa: S603 - a fixed program with our own arguments
            [programs.binaries() / program, *arguments],
            env={"PATH": os.defpath, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")


class Dslr(Peer):
    """DSLR through its own Python interface: its commands without the start of the program that each of them is.

    Each connects, as a program has to, unless it is to stay *connected*: then only the first does.
    """

    name = DSLR

    def __init__(self, *, connected: bool) -> None:
        from dslr import config, operations, runner  # of the dependency group bench

        super().__init__()
        self._connected = connected
        url = "postgres://{user}:{password}@{host}:{port}/".format(**server.address())
        config.settings.initialize(url=url + self._database, debug=False)
        self._operations, self._runner = operations, runner

    def snapshot(self) -> None:
        """Look whether there is one of the name already, as its command does; end the sessions, copy."""
        with self._command():
            with contextlib.suppress(self._operations.SnapshotNotFound):
                self._operations.delete_snapshot(self._operations.find_snapshot("bench"))
            self._operations.create_snapshot("bench")

    def restore(self) -> None:
        """End the sessions, drop, copy back."""
        with self._command():
            self._operations.restore_snapshot(self._operations.find_snapshot("bench"))

    def tidy(self) -> None:
        """Drop the snapshot."""
        with self._command():
            self._operations.delete_snapshot(self._operations.find_snapshot("bench"))

    def bytes(self) -> int:
        """The database, and all of DSLR's snapshots."""
        return server.size(f"^({self._database}$|dslr_)")

    @contextlib.contextmanager
    def _command(self) -> Iterator[None]:
        """Let the next command make a connection of its own, whatever becomes of this one."""
        try:
            yield
        finally:
            if self._runner.pg_client and not self._connected:
                self._runner.pg_client.conn.close()
                self._runner.pg_client = None


class Dump(Peer):
    """A dump in Postgres' own compressed format, restored in one transaction into a database made afresh."""

    name = DUMP

    @property
    def _file(self) -> Path:
        return settings.DATA_DIR / "bench.dump"

    def snapshot(self) -> None:
        """Dump."""
        self._run("pg_dump", "--format=custom", f"--file={self._file}", self._database)

    def restore(self) -> None:
        """Drop, make an empty one, fill it."""
        self._run("dropdb", "--force", self._database)
        self._run("createdb", "--template=template0", self._database)
        self._run("pg_restore", "--single-transaction", f"--dbname={self._database}", str(self._file))

    def tidy(self) -> None:
        """Delete the file."""
        self._file.unlink()

    def bytes(self) -> int:
        """The database and the file."""
        return server.size(f"^{self._database}$") + (self._file.stat().st_size if self._file.exists() else 0)


class Createdb(Peer):
    """What one does by hand with Postgres' own programs: end the sessions, copy; drop, copy back."""

    name = CREATEDB
    away = AWAY_SECONDS

    @property
    def _copy(self) -> str:
        return f"{self._database}_copy"

    def snapshot(self) -> None:
        """End the sessions, copy."""
        self._run("psql", "--quiet", f"--command={END_SESSIONS}", "postgres")
        self._run("createdb", f"--template={self._database}", self._copy)

    def restore(self) -> None:
        """Drop, which ends the sessions, and copy back."""
        self._run("dropdb", "--force", self._database)
        self._run("createdb", f"--template={self._copy}", self._database)

    def tidy(self) -> None:
        """Drop the copy."""
        self._run("dropdb", self._copy)

    def bytes(self) -> int:
        """The database and the copy."""
        return server.size(f"^{self._database}(_copy)?$")
