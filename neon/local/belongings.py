"""What belongs to a database and a copy of it does not carry: owner, privileges, settings, comment, limit.

It is kept when a live database is retired, and put on again when one is revived.
"""

from typing import Any, LiteralString

from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from neon.local import cluster
from neon.local.cluster import Connection

# Grantees are kept by name: the roles of a project outlive its databases. "" stands for PUBLIC.
PROPERTIES: LiteralString = """
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
GRANTEES = """
SELECT DISTINCT r.rolname FROM pg_database d, aclexplode(d.datacl) a JOIN pg_roles r ON r.oid = a.grantee
WHERE d.datname = %s AND a.grantee <> d.datdba
"""
# A database that has only been closed for a while still has its settings.
FORGET_SETTINGS = """
DELETE FROM pg_db_role_setting s USING pg_database d WHERE d.oid = s.setdatabase AND d.datname = %s
"""
# Written as they were kept: ALTER DATABASE ... SET would have to parse lists such as a search_path again.
PUT_SETTINGS = """
INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig)
SELECT d.oid, coalesce(r.oid, 0), ARRAY(SELECT jsonb_array_elements_text(kept.settings))
FROM jsonb_to_recordset(%s) AS kept (role text, settings jsonb)
JOIN pg_database d ON d.datname = %s LEFT JOIN pg_roles r ON r.rolname = kept.role
WHERE kept.role = '' OR r.oid IS NOT NULL
"""


def properties(connection: Connection, database: str) -> dict[str, Any]:
    """Return what a template copy does not carry: privileges, settings, comment, connection limit."""
    row = connection.execute(PROPERTIES, [database]).fetchone()
    if row is None:
        raise LookupError(f"no database {database}")
    return row


def revive(connection: Connection, database: str, owner: str, kept: dict[str, Any]) -> None:
    """Open a copy under its owner, with what was *kept* of its source's properties."""
    name = sql.Identifier(database)
    cluster.change(connection, database, sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(owner)))
    for grant in _to_present_roles(connection, kept["privileges"]):
        connection.execute(
            sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                sql.SQL(grant["privilege"]),
                name,
                sql.Identifier(grant["grantee"]) if grant["grantee"] else sql.SQL("PUBLIC"),
                sql.SQL(" WITH GRANT OPTION" if grant["grantable"] else ""),
            )
        )
    connection.execute(FORGET_SETTINGS, [database])
    if kept["settings"]:
        connection.execute(PUT_SETTINGS, [Jsonb(kept["settings"]), database])
    if kept["comment"] is not None:
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(kept["comment"])))
    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true CONNECTION LIMIT {}")
    cluster.change(connection, database, statement.format(name, sql.Literal(kept["connection_limit"])))


def _to_present_roles(connection: Connection, grants: list[DictRow]) -> list[DictRow]:
    """Leave out the grants to roles that have been dropped since."""
    names = [grant["grantee"] for grant in grants]
    if not names:
        return []
    present = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [names]).fetchall()
    known = {"", *(row["rolname"] for row in present)}
    return [grant for grant in grants if grant["grantee"] in known]


def retire(connection: Connection, database: str) -> None:
    """Make a closed live database the plane's own, open to nobody again."""
    name = sql.Identifier(database)
    cluster.change(connection, database, sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(name))
    grantees = connection.execute(GRANTEES, [database]).fetchall()
    for grantee in [sql.SQL("PUBLIC"), *(sql.Identifier(row["rolname"]) for row in grantees)]:
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM {} CASCADE").format(name, grantee))
