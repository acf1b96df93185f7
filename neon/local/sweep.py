"""What a killed process leaves, set right: closed live databases, half-made copies, databases that nothing needs."""

import contextlib

import psycopg

from neon.local import databases, store
from neon.local.databases import Connection


def reopen_closed(connection: Connection, project_id: str | None = None) -> None:
    """Open the live databases that a kill between closing and opening left shut; of one project, or of all."""
    closed = connection.execute(
        "SELECT DISTINCT b.project_id FROM databases d JOIN branches b ON b.id = d.branch_id"
        " JOIN endpoints e ON e.branch_id = b.id JOIN pg_database p ON p.datname = d.physical_name"
        " WHERE NOT p.datallowconn AND (%(project)s::text IS NULL OR b.project_id = %(project)s)",
        {"project": project_id},
    ).fetchall()
    for row in closed:
        with store.project_lock(connection, row["project_id"], wait=False) as held:
            if held:  # else somebody is at work there and opens them again
                databases.reopen(connection, store.served(connection, row["project_id"]))


def drop_leftovers(connection: Connection) -> None:
    """Drop every database and role that nothing refers to, but for those that somebody is just making."""
    rows = connection.execute("SELECT physical_name, kind FROM leftovers ORDER BY kind, created_at").fetchall()
    for row in rows:  # databases come before roles, which cannot go before what they own
        name = row["physical_name"]
        taken = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS ok", [name]).fetchone()
        if not (taken and taken["ok"]):
            continue
        try:
            # Read again under the lock: it may have been published, or dropped, since.
            if connection.execute("SELECT 1 FROM leftovers WHERE physical_name = %s", [name]).fetchone():
                with contextlib.suppress(psycopg.errors.DependentObjectsStillExist, psycopg.errors.ObjectInUse):
                    (databases.drop if row["kind"] == "database" else databases.drop_role)(connection, name)
                    databases.publish(connection, [name])
        finally:
            connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
