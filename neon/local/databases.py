"""What the plane does to databases in the cluster: make, copy, swap, drop.

A database that is not a live one belongs to the superuser, accepts no connections and grants nothing to anyone: a
role that owned its snapshot could open, change and drop it.
"""

import contextlib
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[DictRow]

# Enough for a site of many threads, too few to starve the other projects of the cluster.
ROLE_CONNECTION_LIMIT = 60
CLOSE_SECONDS = 5.0
CLOSE_LOOK_SECONDS = 0.0005


# Grantees are kept by name: the roles of a project outlive its databases. "" stands for PUBLIC.
PROPERTIES = """
SELECT d.datconnlimit AS connection_limit,
       shobj_description(d.oid, 'pg_database') AS comment,
       coalesce((
           SELECT jsonb_agg(jsonb_build_object('grantee', coalesce(r.rolname, ''), 'privilege', a.privilege_type,
                                               'grantable', a.is_grantable))
           FROM aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
           WHERE a.grantee <> d.datdba
       ), '[]') AS privileges,
       coalesce((
           SELECT jsonb_agg(jsonb_build_object('role', coalesce(r.rolname, ''), 'settings', to_jsonb(s.setconfig)))
           FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
           WHERE s.setdatabase = d.oid
       ), '[]') AS settings
FROM pg_database d
WHERE d.datname = %s
"""


def new_name(prefix: str) -> str:
    """Return a name that is unique in the cluster and tells nothing."""
    return f"{prefix}_{secrets.token_hex(8)}"


@contextlib.contextmanager
def making(connection: Connection, kinds: Mapping[str, str]) -> Iterator[None]:
    """Register names (with "role" or "database") as leftovers while they are made, locked against the sweep.

    Whoever publishes a name deletes its leftover row in the same transaction; a name whose row is still there after
    a failure or a kill is swept.
    """
    for name, kind in kinds.items():
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        connection.execute("INSERT INTO leftovers (physical_name, kind) VALUES (%s, %s)", [name, kind])
    try:
        yield
    finally:
        for name in kinds:
            connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def publish(connection: Connection, names: Sequence[str]) -> None:
    """Take names off the leftovers; in the transaction that records what they are."""
    connection.execute("DELETE FROM leftovers WHERE physical_name = ANY(%s)", [list(names)])


def create_role(connection: Connection, role: str, password: str) -> None:
    """Make a role that may log in and nothing else; the server sees only the password's SCRAM verifier."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL(
            "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT {} PASSWORD {}"
        ).format(sql.Identifier(role), sql.Literal(ROLE_CONNECTION_LIMIT), sql.Literal(verifier))
    )


def create(connection: Connection, database: str, owner: str) -> None:
    """Make an empty database that only its owner can connect to."""
    name = sql.Identifier(database)
    connection.execute(sql.SQL("CREATE DATABASE {} ALLOW_CONNECTIONS false").format(name))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(owner)))
    connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


def copy(connection: Connection, source: str, target: str) -> None:
    """Copy a database that accepts no connections to one that accepts none either."""
    connection.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {} ALLOW_CONNECTIONS false").format(
            sql.Identifier(target), sql.Identifier(source)
        )
    )
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(target)))


def close(connection: Connection, databases: Sequence[str]) -> None:
    """Put everyone out of live databases and keep them out: block first, or a quick reconnect slips in between.

    Raises psycopg.errors.ObjectInUse when a session is still there after five seconds.
    """
    for name in databases:
        allow_connections(connection, name, False)
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s)", [list(databases)]
    )
    deadline = time.monotonic() + CLOSE_SECONDS
    while connection.execute(
        "SELECT 1 FROM pg_stat_activity WHERE datname = ANY(%s) LIMIT 1", [list(databases)]
    ).fetchone():
        if time.monotonic() > deadline:
            raise psycopg.errors.ObjectInUse("sessions did not end in time")
        time.sleep(CLOSE_LOOK_SECONDS)


def reopen(connection: Connection, databases: Sequence[str]) -> None:
    """Let people into live databases again."""
    for name in databases:
        allow_connections(connection, name, True)


def allow_connections(connection: Connection, database: str, allowed: bool) -> None:
    """Open a database to connections, or close it."""
    connection.execute(
        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(database), sql.Literal(allowed))
    )


def drop(connection: Connection, database: str) -> None:
    """Drop a database, whoever is connected; none of that name is fine."""
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


def drop_role(connection: Connection, role: str) -> None:
    """Drop a role; none of that name is fine.

    Raises psycopg.errors.DependentObjectsStillExist while a database still has objects of the role.
    """
    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


def properties(connection: Connection, database: str) -> dict[str, Any]:
    """Return what a template copy does not carry: privileges, settings, comment, connection limit."""
    row = connection.execute(PROPERTIES, [database]).fetchone()
    if row is None:
        raise LookupError(f"no database {database}")
    return row


def rename(connection: Connection, database: str, name: str) -> None:
    """Rename a database that nobody is connected to; may be part of a transaction."""
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(database), sql.Identifier(name)))


def revive(connection: Connection, database: str, owner: str, kept: dict[str, Any]) -> None:
    """Give a copy its owner and what was *kept* of its source's properties."""
    name = sql.Identifier(database)
    connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(owner)))
    for grant in kept["privileges"]:
        connection.execute(
            sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                sql.SQL(grant["privilege"]),
                name,
                sql.Identifier(grant["grantee"]) if grant["grantee"] else sql.SQL("PUBLIC"),
                sql.SQL(" WITH GRANT OPTION" if grant["grantable"] else ""),
            )
        )
    # Written as they were kept: ALTER DATABASE ... SET would have to parse lists such as a search_path again.
    connection.execute(
        "INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig)"
        " SELECT d.oid, coalesce(r.oid, 0), ARRAY(SELECT jsonb_array_elements_text(kept.settings))"
        " FROM jsonb_to_recordset(%s) AS kept (role text, settings jsonb)"
        " JOIN pg_database d ON d.datname = %s LEFT JOIN pg_roles r ON r.rolname = kept.role"
        " WHERE kept.role = '' OR r.oid IS NOT NULL",
        [Jsonb(kept["settings"]), database],
    )
    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(kept["comment"])))
    connection.execute(
        sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(name, sql.Literal(kept["connection_limit"]))
    )


def retire(connection: Connection, database: str) -> None:
    """Make a live database the plane's own: closed, and open to nobody again."""
    name = sql.Identifier(database)
    allow_connections(connection, database, False)
    connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(name))
    grantees = connection.execute(
        "SELECT DISTINCT r.rolname FROM pg_database d, aclexplode(d.datacl) a JOIN pg_roles r ON r.oid = a.grantee"
        " WHERE d.datname = %s AND a.grantee <> d.datdba",
        [database],
    ).fetchall()
    for grantee in [sql.SQL("PUBLIC"), *(sql.Identifier(row["rolname"]) for row in grantees)]:
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(name, grantee))
