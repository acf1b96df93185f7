"""The server that is measured on: embedded, of the benchmark's own, gone at its end."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import django
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from neon.local import passwords, postgres

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SETTLE_SECONDS = 60
# The databases of the server that nothing is measured in.
SHARED = ["postgres", postgres.PLANE_DATABASE]


def start() -> None:
    """Set Django up and start the server; both end with the process, also when it is interrupted."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    for number in SIGNALS:
        signal.signal(number, _end)
    django.setup()
    address()


def _end(number: int, frame: object) -> None:
    """Exit, so that everything is tidied up; one who asks again, as uv does, must not interrupt that."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def address() -> dict[str, Any]:
    """Return where the server is and how its superuser logs in, in libpq's words."""
    return dict(postgres.embedded().address())


def uri(database: str, role: Mapping[str, Any] | None = None) -> str:
    """Return how to connect to a database, as the superuser or as the role that a row of the plane describes."""
    who = {"user": role["physical_name"], "password": passwords.decrypt(role["password"])} if role else {}
    return make_conninfo(**{**address(), **who}, dbname=database)


def execute(query: sql.SQL | sql.Composed, arguments: Any = None) -> list[tuple[Any, ...]]:
    """Run a statement as the superuser, outside of any database that is measured, and return its rows."""
    with psycopg.connect(uri("postgres"), autocommit=True) as connection:
        cursor = connection.execute(query, arguments)
        return cursor.fetchall() if cursor.description else []


def settle() -> None:
    """Wait until nobody is connected to what is measured, and write out what is not: every round begins alike.

    What others have written must not be waited for by whoever comes next: files of a dump, or of a dropped database.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    query = sql.SQL("SELECT FROM pg_stat_activity WHERE datname IS NOT NULL AND datname <> ALL(%s)")
    while execute(query, [SHARED]):
        if time.monotonic() > deadline:
            raise TimeoutError("Somebody is still connected to what is to be measured.")
        time.sleep(0.005)
    execute(sql.SQL("CHECKPOINT"))
    os.sync()


def size(pattern: str) -> int:
    """Return how many bytes the databases take whose names match."""
    query = sql.SQL("SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database WHERE datname ~ %s")
    [(found,)] = execute(query, [pattern])
    return int(found)


def version() -> dict[str, str]:
    """Return which Postgres this is."""
    [(found,)] = execute(sql.SQL("SHOW server_version"))
    return {"PostgreSQL": found}
