"""Copies of databases: how the content of a branch or a snapshot gets into another one.

What nobody can connect to does not change, so it need not be copied to be kept: a snapshot of a branch without an
endpoint shares its databases. Whoever is to be opened gets copies of its own first.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from neon.local import belongings, cluster, store
from neon.local.cluster import Connection
from neon.local.engine import leftovers, spares

logger = logging.getLogger(__name__)

Row = dict[str, Any]

SHARED: LiteralString = """
SELECT * FROM databases d WHERE branch_id = %s
AND EXISTS (SELECT FROM databases o WHERE o.physical_name = d.physical_name AND o.id <> d.id)
"""
# A database that nobody serves has lost its own properties; its row has kept them.
RECORD: LiteralString = f"""
INSERT INTO databases (branch_id, snapshot_id, name, owner_name, physical_name, properties)
SELECT nullif(%s, ''), nullif(%s, ''), %s, %s, %s,
       coalesce((SELECT to_jsonb(own) FROM ({belongings.PROPERTIES}) AS own), %s)
"""  # noqa: S608 - a constant
# One after the other; the size is a look at every file. What fails on the way has not taken the shared lock.
REGISTER: LiteralString = f"""
WITH registered AS ({leftovers.MAKING} RETURNING 1)
SELECT (SELECT jsonb_object_agg(name, pg_database_size(name)) FROM unnest(%s::name[]) AS name) AS sizes,
       {spares.SHARE} AS shared
FROM (SELECT count(*) FROM registered) AS done
"""  # noqa: S608 - constants
RELEASE: LiteralString = f"{leftovers.MADE} UNION ALL SELECT {spares.UNSHARE}"


@contextmanager
def copied(
    connection: Connection, sources: Sequence[Row], *, served: bool, closing: Callable[[], Sequence[str]] | None = None
) -> Iterator[list[Row]]:
    """Copy databases to new ones that are closed and the plane's own, and lend the rows that describe these.

    The block is the transaction in which the caller records what they are, sent behind the copies. Sources that are
    *served* accept no connections until its end; others accept none anyway. *closing* names the live databases, as they
    are when all is copied, that accept none during the block, which opens what follows them.
    """
    live = [row["physical_name"] for row in sources] if served else []
    with ExitStack() as held:
        ready = [held.enter_context(spares.claimed(connection, row)) for row in sources]
        names = [spare or cluster.new_name("db") for spare in ready]
        missing = {
            name: row["physical_name"] for name, row, spare in zip(names, sources, ready, strict=True) if not spare
        }
        sizes = held.enter_context(_registered(connection, missing)) if missing else {}
        if live:
            if any(size >= cluster.LARGE_BYTES for size in sizes.values()):
                connection.execute("CHECKPOINT")  # or the copy would have to write all that, while they are closed
            held.enter_context(_timed())
        copying = [cluster.copying(source, name, sizes[source]) for name, source in missing.items()]
        held.enter_context(cluster.closed(connection, live))
        if closing:  # not before all is copied, which has to be waited for then
            while copying:
                connection.execute(copying.pop())
            held.enter_context(cluster.closed(connection, closing()))
        with cluster.behind(connection, copying):
            if missing:
                leftovers.publish(connection, [*missing])
            if taken := [name for name in ready if name]:
                spares.publish(connection, taken)
            for name in names:
                cluster.shut_public_out(connection, name)
            for name in live:
                cluster.allow_connections(connection, name, True)
            yield [
                source | {"physical_name": name, "live_as": source["physical_name"] if served else ""}
                for source, name in zip(sources, names, strict=True)
            ]


@contextmanager
def _registered(connection: Connection, copies: Mapping[str, str]) -> Iterator[dict[str, int]]:
    """Register what is to be copied from what, with nobody building a spare meanwhile, and lend the bytes of those."""
    names, release = [*copies], leftovers.MADE
    try:
        found = store.one(connection, REGISTER, names, ["database"] * len(names), [*copies.values()])
        if not found["shared"]:
            spares.share(connection)
        release = RELEASE
        yield found["sizes"]
    finally:
        store.unlock(connection, release, names)


@contextmanager
def _timed() -> Iterator[None]:
    """Log for how long a branch's databases accept no connections."""
    began = time.perf_counter()
    yield
    milliseconds = round((time.perf_counter() - began) * 1000)
    logger.info("A branch accepted no connections for %s ms, while it was copied", milliseconds)


@contextmanager
def shared(connection: Connection, sources: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Lend the rows of databases that nobody can connect to, to be recorded once more in the same transaction."""
    with connection.transaction():
        yield sources


def own(connection: Connection, branch_id: str) -> None:
    """Give a branch copies of the databases that it shares with a snapshot, before they are opened."""
    shared = connection.execute(SHARED, [branch_id]).fetchall()
    if not shared:
        return
    copies = {cluster.new_name("db"): row for row in shared}
    with _registered(connection, {name: row["physical_name"] for name, row in copies.items()}) as sizes:
        for name, row in copies.items():
            cluster.copy(connection, row["physical_name"], name, sizes[row["physical_name"]])
        with connection.transaction():
            leftovers.publish(connection, [*copies])
            for name, row in copies.items():
                cluster.shut_public_out(connection, name)
                connection.execute("UPDATE databases SET physical_name = %s WHERE id = %s", [name, row["id"]])


def record(connection: Connection, copies: Sequence[Row], *, branch_id: str = "", snapshot_id: str = "") -> None:
    """Record copies as the databases of a branch or of a snapshot, with the properties that their sources have."""
    for row in copies:
        live_as = row.get("live_as", "")
        kept = None if live_as else Jsonb(row["properties"])
        values = [branch_id, snapshot_id, row["name"], row["owner_name"], row["physical_name"]]
        connection.execute(RECORD, [*values, live_as, kept])


def open_branch(connection: Connection, branch: Row) -> None:
    """Open a branch's databases under their owners, with the properties that their rows have kept."""
    roles = {row["name"]: row["physical_name"] for row in store.roles_of_branch(connection, branch["id"])}
    databases = store.databases_of_branch(connection, branch["id"])
    granted = any(row["properties"]["privileges"] for row in databases)
    known = store.role_names(connection, branch["project_id"]).values() if granted else ()
    strangers = set(known) - set(roles.values())
    for row in databases:
        grants = [grant for grant in row["properties"]["privileges"] if grant["grantee"] not in strangers]
        kept = {**row["properties"], "privileges": grants}
        belongings.revive(connection, row["physical_name"], roles[row["owner_name"]], kept)


def retire_branch(connection: Connection, branch: Row) -> None:
    """Make a branch's closed databases the plane's own and open to nobody; their rows keep their properties."""
    for row in store.databases_of_branch(connection, branch["id"]):
        retire(connection, row)


def retire(connection: Connection, database: Row) -> None:
    """Make one closed database the plane's own and open to nobody; its row keeps its properties."""
    kept = belongings.properties(connection, database["physical_name"])
    connection.execute("UPDATE databases SET properties = %s WHERE id = %s", [Jsonb(kept), database["id"]])
    belongings.retire(connection, database["physical_name"])
