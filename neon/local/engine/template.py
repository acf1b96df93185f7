"""What new databases are copies of: template0, but for what each copy of a copy would have to copy in vain.

Postgres' own tables come with the room that rows have left, and with maps of that and of visible rows, which are a
quarter of all files. To copy a small database takes the time of its files. A template that has been dropped, by hand,
say, after template0 was changed, is made anew.
"""

import logging
from typing import LiteralString

import psycopg
from psycopg import sql

from neon.local import cluster, store
from neon.local.cluster import Connection
from neon.local.engine import leftovers

logger = logging.getLogger(__name__)

LOCK = "template"
PLAIN = "template0"
# Postgres refuses to copy one whose texts may be in another order since its libraries were changed.
KNOWN: LiteralString = """
SELECT physical_name FROM templates JOIN pg_database d ON datname = physical_name
WHERE datcollversion IS NOT DISTINCT FROM
      CASE WHEN datname = physical_name THEN pg_database_collation_actual_version(d.oid) END -- others may go meanwhile
"""
# Not what the whole cluster shares, or nobody could log in meanwhile. Last come the tables that say what there is: to
# write another one anew leaves dead rows in them, for good if somebody's transaction is open just then.
TABLES = """
SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'r' AND NOT relisshared ORDER BY c.oid DESC
"""


def name(connection: Connection) -> str:
    """Return the name of the template in the cluster, which is made when there is none that will do."""
    if known := _known(connection):
        return known
    with store.lock(connection, LOCK, wait=True):
        try:
            return _known(connection) or _make(connection)  # somebody may just have made it
        except psycopg.OperationalError:
            if connection.closed:
                raise
            logger.exception("The template could not be made; the next database tries again.")
            return PLAIN


def _known(connection: Connection) -> str | None:
    row = connection.execute(KNOWN).fetchone()
    return row["physical_name"] if row else None


def _make(connection: Connection) -> str:
    made = cluster.new_name("db")
    with leftovers.making(connection, {made: "database"}):
        cluster.create(connection, made, connection.info.user, PLAIN)
        cluster.shut_public_out(connection, made)
        with cluster.opened(connection, made):
            _rewrite(made)
        with connection.transaction():
            leftovers.publish(connection, [made])
            leftovers.leave(connection, "SELECT physical_name, 'database' FROM templates")
            connection.execute("DELETE FROM templates")
            connection.execute("INSERT INTO templates (physical_name) VALUES (%s)", [made])
    return made


def _rewrite(database: str) -> None:
    """Write all tables anew, which leaves what is not needed behind."""
    with cluster.session(database) as inside:
        inside.execute("SET statement_timeout = 0")
        tables = [sql.Identifier(*names) for names in inside.execute(TABLES)]
        inside.execute(sql.SQL("VACUUM (FULL, FREEZE) {}").format(sql.SQL(", ").join(tables)))
