"""What the plane does to databases in the cluster: make, copy, swap, drop.

A database that is not a live one belongs to the superuser, accepts no connections and grants nothing to anyone: a
role that owned its snapshot could open, change and drop it. Some of this is done by routines in the plane's database:
piece by piece it would have to be waited for each time.
"""

import contextlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, TupleRow

from neon.local import postgres

Connection = psycopg.Connection[DictRow]

# Enough for a site of many threads, too few to starve the other projects of the cluster.
ROLE_CONNECTION_LIMIT = 60
# Copying through the WAL costs one flush to disk and is quicker for a small database; copying the files costs a
# checkpoint and a flush for each of them, and writes a large one once instead of twice.
LARGE_BYTES = 32 * 1024 * 1024
COPY_SMALL, COPY_LARGE = sql.SQL("WAL_LOG"), sql.SQL("FILE_COPY")
# For sessions to end: one that is told to does within milliseconds, unless its server is starved of time.
PATIENCE = timedelta(seconds=5)
CONNECT_SECONDS = 5

# Also of databases that accept no connections: the catalog of dependencies on roles is the cluster's.
DEPENDENTS = """
SELECT 1 FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid JOIN pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = %s AND d.datname = ANY(%s)
"""
END_SESSIONS_OF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND datname = ANY(%s)
"""


def change(connection: Connection, name: str, statement: sql.Composed) -> None:
    """Change a database or a role; a project's transaction that holds its row, and is left open, is ended.

    In a function's clothes, as psycopg forgets at each ALTER all that it has prepared. Nothing of that can be wrong
    afterwards: it is the plane's own tables that it is about.
    """
    connection.execute("SELECT change(%s, %s)", [name, statement.as_string(connection)])


@contextlib.contextmanager
def behind(connection: Connection, statements: Iterable[sql.Composed]) -> Iterator[None]:
    """Make the block a transaction that is sent right behind statements which cannot be part of one.

    Nothing is waited for but what the block asks for. The first statement that fails has all those behind it skipped,
    and its error is raised where the block next asks for something, or else at its end: the block must let it out.
    """
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise RuntimeError("There is a transaction already.")
    try:
        with _pipeline(connection):  # without psycopg's own transaction, which would wait for the statements
            for statement in statements:
                connection.execute(statement)
            connection.execute("BEGIN")
            yield
            connection.execute("COMMIT")
    except BaseException:
        if not connection.closed:  # else it has gone with the session, and why that ended is what counts
            connection.rollback()
            # At a rollback psycopg forgets what it has prepared, and some of that it only believes to have.
            with connection.transaction(force_rollback=True):
                pass
        raise


@contextlib.contextmanager
def _pipeline(connection: Connection) -> Iterator[None]:
    """Wait for nothing in the block but what it asks for; say nothing of what is skipped once something has failed."""
    with connection.pipeline() as pipeline:
        try:
            yield
        except BaseException:
            with contextlib.suppress(psycopg.Error):  # or psycopg would log it
                pipeline.sync()
            raise


def new_name(prefix: str) -> str:
    """Return a name that is unique in the cluster and tells nothing."""
    return f"{prefix}_{secrets.token_hex(8)}"


def create_role(connection: Connection, role: str, password: str, *, login: bool = True) -> None:
    """Make a role that may log in, if at all, and nothing else."""
    connection.execute(
        sql.SQL("CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT {}").format(
            sql.Identifier(role), sql.Literal(ROLE_CONNECTION_LIMIT)
        )
    )
    let_in(connection, role, password, login=login)


def let_in(connection: Connection, role: str, password: str, *, login: bool = True) -> None:
    """Give a role its password, and the log-in if it is to have it; the server sees only the SCRAM verifier."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    change(
        connection,
        role,
        sql.SQL("ALTER ROLE {} {} PASSWORD {}").format(
            sql.Identifier(role), sql.SQL("LOGIN" if login else "NOLOGIN"), sql.Literal(verifier)
        ),
    )


def create(connection: Connection, database: str, owner: str, template: str) -> None:
    """Make an empty database, a copy of a template, that accepts no connections yet."""
    statement = "CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY {} ENCODING 'UTF8' ALLOW_CONNECTIONS false"
    names = map(sql.Identifier, (database, owner, template))
    connection.execute(sql.SQL(statement).format(*names, COPY_SMALL))


def copying(source: str, target: str, size: int) -> sql.Composed:
    """Return what copies a database of about that many bytes to a new one; neither accepts any connections."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {} ALLOW_CONNECTIONS false")
    strategy = COPY_LARGE if size >= LARGE_BYTES else COPY_SMALL
    return statement.format(sql.Identifier(target), sql.Identifier(source), strategy)


def copy(connection: Connection, source: str, target: str, size: int) -> None:
    """Copy a database of about that many bytes to a new one; neither accepts any connections."""
    connection.execute(copying(source, target, size))


@contextlib.contextmanager
def opened(connection: Connection, database: str) -> Iterator[None]:
    """Let sessions into a closed database meanwhile; it must be the superuser's, and grant nothing to anyone."""
    allow_connections(connection, database, True)
    try:
        yield
    finally:
        close(connection, [database])


def warm(connection: Connection, database: str) -> None:
    """Connect to a closed database once: what a session works out of its catalogs is kept in a file for all others."""
    with opened(connection, database), contextlib.suppress(psycopg.OperationalError):  # it is a copy without that, too
        session(database).close()


def session(database: str) -> psycopg.Connection[TupleRow]:
    """Connect to a database as the superuser, in autocommit mode."""
    where: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, **postgres.server().address(), "dbname": database}
    return psycopg.connect(**where, autocommit=True)


def shut_public_out(connection: Connection, database: str) -> None:
    """Take back what every new database grants to everybody."""
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))


@contextlib.contextmanager
def closed(connection: Connection, databases: Sequence[str]) -> Iterator[None]:
    """Keep everyone out of live databases; a failure opens them again, else it is the caller who does.

    One that cannot be opened now is by the next change or by upkeep, unless its owner has dropped it.

    Raises LockNotAvailable when a session is still there after all patience.
    """
    try:
        close(connection, databases)
        yield
    except BaseException:
        for name in databases:
            with contextlib.suppress(psycopg.Error):
                allow_connections(connection, name, True)
        raise


def close(connection: Connection, databases: Sequence[str]) -> None:
    """Close databases to connections and end their sessions; not in a transaction.

    Raises LockNotAvailable when one is still there after all patience.
    """
    if databases:
        connection.execute("CALL close_databases(%s::name[], %s)", [list(databases), PATIENCE])


def end_sessions(connection: Connection, databases: Sequence[str]) -> None:
    """End the sessions of databases and wait until they are gone.

    Raises LockNotAvailable when one is still there after all patience.
    """
    if databases:
        connection.execute("CALL end_sessions(%s::name[], %s)", [list(databases), PATIENCE])


def end_sessions_of(connection: Connection, role: str, databases: Sequence[str]) -> None:
    """End the sessions that a role has in databases, whether it could begin new ones or not."""
    connection.execute(END_SESSIONS_OF, [role, list(databases)])


def allow_connections(connection: Connection, database: str, allowed: bool) -> None:
    """Open a database to connections, or close it."""
    change(connection, database, _allowing(database, allowed))


def _allowing(database: str, allowed: bool) -> sql.Composed:
    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    return statement.format(sql.Identifier(database), sql.Literal(allowed))


def drop(connection: Connection, database: str) -> None:
    """Drop a database, whoever is connected; none of that name is fine."""
    name = sql.Identifier(database)
    # Its owner may have made it a template, which cannot be dropped.
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s AND datistemplate", [database]).fetchone():
        connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(name))
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def lock_out(connection: Connection, role: str) -> None:
    """Take a role's log-in away at once; it may have to wait to be dropped."""
    change(connection, role, sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(sql.Identifier(role)))


def admit(connection: Connection, database: str, role: str) -> None:
    """Let a role that does not own the database connect to it."""
    change(
        connection,
        database,
        sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(role)),
    )


def shut_out(connection: Connection, database: str, role: str) -> None:
    """Take back whatever the role may do with the database as such."""
    change(
        connection,
        database,
        sql.SQL("REVOKE ALL ON DATABASE {} FROM {} CASCADE").format(sql.Identifier(database), sql.Identifier(role)),
    )


def give_to(connection: Connection, database: str, owner: str) -> None:
    """Change a database's owner."""
    change(
        connection,
        database,
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(database), sql.Identifier(owner)),
    )


def is_needed(connection: Connection, role: str, databases: Sequence[str]) -> bool:
    """Tell whether something in one of the databases belongs to the role or grants something to it."""
    return connection.execute(DEPENDENTS, [role, list(databases)]).fetchone() is not None


def sessions(connection: Connection, databases: Sequence[str]) -> int:
    """Return how many sessions are connected to one of the databases."""
    query = (
        "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = ANY(%s)"
        " AND backend_type = 'client backend' AND usename <> current_user"
    )
    row = connection.execute(query, [list(databases)]).fetchone()
    return row["count"] if row else 0


def drop_role(connection: Connection, role: str) -> None:
    """Drop a role; none of that name is fine.

    Raises psycopg.errors.DependentObjectsStillExist while a database still has objects of the role.
    """
    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


def rename(connection: Connection, database: str, name: str) -> None:
    """Rename a database that accepts no connections, whatever its owner says meanwhile; may be part of a transaction.

    ALTER DATABASE would wait a tenth of a second for anyone who is just being refused, while all the others wait, too.
    What it locks out besides, its owner's DROP DATABASE, a comment locks out as well. Whoever has come in all the same
    is to be thrown out afterwards.
    """
    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS NULL").format(sql.Identifier(database)))
    query = "UPDATE pg_database SET datname = %s, datallowconn = false WHERE datname = %s"
    connection.execute(query, [name, database])
