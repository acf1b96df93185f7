"""What new databases are copies of: template0, but for what each copy of a copy would have to copy in vain.

Postgres' own tables come with dead rows, and with maps of free space and of visible rows, which are a quarter of all
files. To copy a small database takes the time of its files, and what nobody changes in it has no use for these.
"""

from typing import LiteralString

import psycopg
from psycopg import sql

from neon.local import cluster, postgres, store
from neon.local.cluster import Connection
from neon.local.engine import leftovers

LOCK = "template"
KNOWN: LiteralString = "SELECT physical_name FROM templates JOIN pg_database ON datname = physical_name"
# Not what the whole cluster shares: nobody could log in meanwhile.
TABLES = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND NOT relisshared ORDER BY oid"


def name(connection: Connection) -> str:
    """Return the name of the template in the cluster, which is made when there is none."""
    if known := connection.execute(KNOWN).fetchone():
        return str(known["physical_name"])
    with store.lock(connection, LOCK, wait=True):
        known = connection.execute(KNOWN).fetchone()  # unless somebody has just made it
        return str(known["physical_name"]) if known else _make(connection)


def _make(connection: Connection) -> str:
    made = cluster.new_name("db")
    with leftovers.making(connection, {made: "database"}):
        cluster.create(connection, made, connection.info.user, "template0")
        cluster.shut_public_out(connection, made)
        with cluster.opened(connection, made):
            _rewrite(made)
        with connection.transaction():
            leftovers.publish(connection, [made])
            connection.execute("DELETE FROM templates")  # of one that somebody has dropped
            connection.execute("INSERT INTO templates (physical_name) VALUES (%s)", [made])
    return made


def _rewrite(database: str) -> None:
    """Write all tables anew, which leaves what is not needed behind."""
    with psycopg.connect(**postgres.server().address(), dbname=database, autocommit=True) as inside:
        tables = [sql.SQL(table) for (table,) in inside.execute(TABLES)]
        inside.execute(sql.SQL("VACUUM (FULL, FREEZE) {}").format(sql.SQL(", ").join(tables)))
