"""The plane's memory: its tables, in its own database on the embedded server."""

import atexit
import functools
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from neon.local import postgres
from neon.local.databases import Connection
from neon.local.errors import NotFound

SCHEMA = Path(__file__).parent / "sql" / "schema.sql"
IDLE_CONNECTIONS = 8

# By process: a forked child must not speak on its parent's connections, nor close them.
_idle: defaultdict[int, list[Connection]] = defaultdict(list)


@contextmanager
def connection() -> Iterator[Connection]:
    """Lend a connection in autocommit mode to the plane's database, as the cluster's superuser."""
    idle = _idle[os.getpid()]
    lent = _take(idle) or _connect()
    try:
        yield lent
    finally:
        if lent.info.transaction_status == TransactionStatus.IDLE and len(idle) < IDLE_CONNECTIONS:
            idle.append(lent)
        else:
            lent.close()


def close() -> None:
    """Close the idle connections, before the server stops."""
    for idle in _idle.pop(os.getpid(), []):
        idle.close()


def _take(idle: list[Connection]) -> Connection | None:
    """Return an idle connection that still works."""
    while idle:
        try:
            kept = idle.pop()
        except IndexError:  # another thread was quicker
            break
        try:
            kept.execute("")
        except psycopg.OperationalError:
            kept.close()
        else:
            return kept
    return None


def _connect() -> Connection:
    """Connect; a server that does not answer is looked for, and started, once more."""
    # Never a Django connection: it would join the caller's transaction, and CREATE DATABASE cannot run in one.
    open_connection = functools.partial(
        psycopg.Connection[DictRow].connect,
        dbname=postgres.PLANE_DATABASE,
        autocommit=True,
        row_factory=dict_row,
        application_name="neon_local",
    )
    try:
        made = open_connection(**postgres.server().address())
    except psycopg.OperationalError:
        postgres.server().forget()
        made = open_connection(**postgres.server().address())
    _remember(os.getpid())
    return made
