"""A Postgres server that somebody else runs, lent to the plane by ``LOCAL_POSTGRES_URL``.

On it the plane makes its own database and those of its projects, and touches no other. It does not close the
server's other databases to the projects' roles either: what PUBLIC may do there, they may.
"""

import contextlib
import functools
import threading
from typing import cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from neon.local.address import PLANE_DATABASE, Address, PostgresError

VARIABLE = "LOCAL_POSTGRES_URL"
OLDEST = 15
CONNECT_SECONDS = 5
# What the router does as libpq would. The rest is refused: it would hold for the plane's own connections alone.
HONOURED = {
    *("host", "port", "dbname", "user", "password", "passfile", "connect_timeout", "application_name", "options"),
    *("sslmode", "sslrootcert", "gssencmode", "require_auth"),
}
NOT_HONOURED = {"sslrootcert": {"system"}, "gssencmode": {"require"}}
ABOUT = """
SELECT current_setting('server_version_num')::int / 10000, current_setting('is_superuser')::bool, pg_is_in_recovery()
"""
# A database of the plane's, or one in which there is nothing yet.
IS_OURS = """
SELECT to_regclass('public.leftovers') IS NOT NULL
    OR NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace)
"""


@functools.cache
def given(url: str) -> "GivenPostgres":
    """Return this process's use of the server with that URL."""
    return GivenPostgres(url)


class GivenPostgres:
    """One server, and what the plane needs of it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._mutex = threading.Lock()
        self._address: Address | None = None

    def address(self) -> Address:
        """Return where to connect, after a look whether the server will do; later calls answer from memory.

        Raises PostgresError.
        """
        with self._mutex:
            if self._address is None:
                where, database = _read(self._url)
                _prepare(where, database)
                self._address = where
            return self._address

    def known(self) -> Address | None:
        """Return where the server was when this process last used it."""
        return self._address

    def has_room(self, more: int = 0) -> bool:
        """Say that there is room on its disk, which is out of sight."""
        return True

    def forget(self) -> None:
        """Look at the server anew at the next call, because it did not answer."""
        with self._mutex:
            self._address = None

    def leave(self) -> None:
        """Stop using the server, which nobody has to do anything for."""


def _read(url: str) -> tuple[Address, str]:
    """Return what the URL says, and the database that it names; raises PostgresError."""
    try:
        said = conninfo_to_dict(url)
    except psycopg.Error:  # which quotes the URL, with the password
        raise PostgresError(f"{VARIABLE} is not a URL like postgresql://user:password@host:port/postgres.") from None
    host = str(said.get("host", ""))
    if not host or not said.get("user") or host.startswith("/") or "," in host:
        raise PostgresError(f"{VARIABLE} has to name a user and one host, and not a socket's folder.")
    for name, value in said.items():
        if name not in HONOURED or value in NOT_HONOURED.get(name, ()):
            raise PostgresError(f"{VARIABLE} has a parameter that the router cannot honour: {name}.")
    if said.get("require_auth", "scram-sha-256") != "scram-sha-256":
        raise PostgresError(f"{VARIABLE} asks for other log-ins than the router's, which are scram-sha-256.")
    if str(said.get("sslmode", "")).startswith("verify-") and not said.get("sslrootcert"):
        raise PostgresError(f"{VARIABLE} has to name the file of certificates to verify by, as sslrootcert.")
    database = str(said.pop("dbname", "postgres"))
    where = {
        "port": 5432,
        "password": "",
        "sslmode": "prefer",
        "gssencmode": "disable",
        "connect_timeout": CONNECT_SECONDS,
        **said,
    }
    try:
        where["port"] = int(where["port"] or 0)
    except ValueError:
        raise PostgresError(f"{VARIABLE} has a port that is not a number.") from None
    return cast(Address, where), database


def _prepare(where: Address, database: str) -> None:
    """Check that the server will do, and make the plane's own database on it; raises PostgresError."""
    try:
        with psycopg.connect(**where, dbname=database, autocommit=True) as connection:
            _check(connection)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [PLANE_DATABASE]).fetchone():
                name = sql.Identifier(PLANE_DATABASE)
                # Two processes may come at once.
                with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(name))
        with psycopg.connect(**where, dbname=PLANE_DATABASE, autocommit=True) as connection:
            (ours,) = connection.execute(IS_OURS).fetchone() or (False,)
            if not ours:
                raise PostgresError(
                    f"The server of {VARIABLE} has a database {PLANE_DATABASE} that is not the local control plane's."
                )
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(PLANE_DATABASE)))
    except psycopg.Error as error:
        if isinstance(error, PostgresError):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise PostgresError(f"The server of {VARIABLE} cannot be used: {reason}") from error


def _check(connection: psycopg.Connection) -> None:
    version, is_superuser, is_standby = connection.execute(ABOUT).fetchone() or (0, False, False)
    if version < OLDEST:
        raise PostgresError(f"The server of {VARIABLE} is Postgres {version}; the plane needs {OLDEST} or later.")
    if not is_superuser:
        raise PostgresError(f"The user of {VARIABLE} is not a superuser; the plane has to be one.")
    if is_standby:
        raise PostgresError(f"The server of {VARIABLE} is a standby; the plane has to write.")
