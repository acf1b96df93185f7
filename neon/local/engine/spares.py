"""Spares: copies of snapshots made in advance, so that a restore finds its databases ready and has only to rename.

The snapshots next to where a project stands come first, then those used last, as far as the bytes that all spares may
take go. A spare is nobody's data. It belongs to a snapshot's database and goes with it, or for a more useful one.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from django.conf import settings

from neon.local import cluster, postgres, store
from neon.local.cluster import Connection
from neon.local.engine import leftovers, sweep
from neon.local.errors import Locked

Row = dict[str, Any]

CHANNEL = "spares"
# Held by whoever copies: shared by those for whom somebody waits, alone by whoever builds a spare.
COPYING = "copying"
LOOK_SECONDS = 0.001
# Whoever builds answers to a cancellation within milliseconds. If not, its session goes, and nothing is lost with it.
PATIENT_SECONDS, GIVE_UP_SECONDS = 1.0, 5.0

MEASURE: LiteralString = """
UPDATE databases d SET bytes = pg_database_size(p.oid) FROM pg_database p
WHERE p.datname = d.physical_name AND d.snapshot_id IS NOT NULL AND d.bytes IS NULL
"""
# Where a project stands is the snapshot that its default branch is based on.
RANKED: LiteralString = """
SELECT d.id, d.physical_name, d.bytes, spares.physical_name AS spare
FROM databases d
JOIN snapshots s ON s.id = d.snapshot_id AND s.fail_at IS NULL
JOIN projects p ON p.id = s.project_id AND p.deleted_at IS NULL
LEFT JOIN branches b ON b.project_id = p.id AND b.is_default
LEFT JOIN snapshots head ON head.id = b.based_on
LEFT JOIN spares ON spares.database_id = d.id
WHERE d.bytes BETWEEN %s AND %s
ORDER BY coalesce(s.id = head.based_on OR s.based_on = head.id, false) DESC,
         greatest(s.created_at, s.restored_at) DESC, d.id
"""
OTHERS: LiteralString = """
SELECT d.id, d.physical_name FROM spares JOIN databases d ON d.id = database_id WHERE d.id <> ALL(%s)
"""
KEY: LiteralString = f"hashtextextended('{COPYING}', 0)"
SHARE: LiteralString = f"pg_try_advisory_lock_shared({KEY})"
UNSHARE: LiteralString = f"pg_advisory_unlock_shared({KEY})"
STOP_BUILDER: LiteralString = f"""
SELECT CASE WHEN %s THEN pg_cancel_backend(pid) ELSE pg_terminate_backend(pid) END FROM pg_locks
WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (classid::bigint << 32) | objid::bigint = {KEY}
"""  # noqa: S608 - a constant


@contextmanager
def claimed(connection: Connection, database: Row) -> Iterator[str | None]:
    """Lend the spare of a snapshot's database, for the caller to publish as something else; None without one.

    One that is just being built is waited for: as a rule that takes no longer than a copy would.
    """
    if not database["snapshot_id"]:
        yield None
        return
    # Whoever builds a spare, takes it, or lets it go for another one, holds the lock on what it is a copy of. It goes
    # with that without the lock, but then the project is locked.
    with store.lock(connection, database["physical_name"], wait=True):
        query = "SELECT physical_name FROM spares WHERE database_id = %s"
        spare = connection.execute(query, [database["id"]]).fetchone()
        yield spare["physical_name"] if spare else None


def publish(connection: Connection, names: Sequence[str]) -> None:
    """Take names off the spares; in the transaction that records what else they are."""
    connection.execute("DELETE FROM spares WHERE physical_name = ANY(%s)", [list(names)])


def share(connection: Connection) -> None:
    """Take the lock of those who copy: whoever builds a spare ends at once, and begins again when all have let go.

    Raises Locked when it does not end.
    """
    began = time.monotonic()
    while not store.one(connection, f"SELECT {SHARE} AS shared")["shared"]:
        waited = time.monotonic() - began
        if waited > GIVE_UP_SECONDS:
            raise Locked
        connection.execute(STOP_BUILDER, [waited < PATIENT_SECONDS])
        time.sleep(LOOK_SECONDS)


def announce(connection: Connection) -> None:
    """Let whoever builds spares know that other ones may be useful now."""
    connection.execute(f"NOTIFY {CHANNEL}")


def build() -> bool:
    """Build the spares that are missing, the most useful first; tell whether all are there.

    One is built at a time in the whole cluster. It ends early when somebody copies for whom somebody waits.
    """
    try:
        # Whoever has to copy cancels what this session does: nobody else may have it afterwards.
        with store.connection(keep=False) as connection, store.lock(connection, COPYING, wait=False) as held:
            if not held:
                return False
            while missing := _next(connection):
                _build(connection, missing)
    except (psycopg.errors.QueryCanceled, psycopg.errors.AdminShutdown):
        return False  # to give way
    except (psycopg.errors.ForeignKeyViolation, psycopg.errors.InvalidCatalogName):
        return False  # its snapshot has been deleted meanwhile
    return True


def _next(connection: Connection) -> Row | None:
    """Leave the spares that are not useful enough, and return the database that wants one most."""
    connection.execute(MEASURE)
    limits = (settings.NEON_LOCAL_SPARE_FROM_BYTES, settings.NEON_LOCAL_SPARE_BYTES)
    left, wanted = settings.NEON_LOCAL_SPARE_BYTES, []
    for row in connection.execute(RANKED, limits).fetchall():
        if row["bytes"] <= left:
            left -= row["bytes"]
            wanted.append(row)
    if _leave_others(connection, [row["id"] for row in wanted]):
        sweep.drop_leftovers(connection)  # now, as the new ones take their room
    server = postgres.server()
    return next((row for row in wanted if row["spare"] is None and server.has_room(row["bytes"])), None)


def _leave_others(connection: Connection, wanted: Sequence[int]) -> bool:
    """Leave the spares of other databases for the sweep, but for one that is just being restored from."""
    left = False
    for row in connection.execute(OTHERS, [list(wanted)]).fetchall():
        with store.lock(connection, row["physical_name"], wait=False) as held, connection.transaction():
            if held:
                leftovers.leave_spares(connection, "id = %s", row["id"])
                left = True
    return left


def _build(connection: Connection, database: Row) -> None:
    name = cluster.new_name("db")
    # The lock on what is copied keeps the sweep from dropping it, and lets a restore wait for the spare.
    with (
        store.lock(connection, database["physical_name"], wait=True),
        leftovers.making(connection, {name: "database"}),
    ):
        cluster.copy(connection, database["physical_name"], name, database["bytes"])
        cluster.shut_public_out(connection, name)
        cluster.warm(connection, name)
        with connection.transaction():
            leftovers.publish(connection, [name])
            query = "INSERT INTO spares (physical_name, database_id) VALUES (%s, %s)"
            connection.execute(query, [name, database["id"]])
