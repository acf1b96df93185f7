"""What the plane does from time to time, whoever asks: finish, expire, re-open, drop."""

from neon.local import store
from neon.local.engine import branches, operations, projects, restores, snapshots, sweep


def run() -> None:
    """Finish what is due, let expire what has an end, re-open what a kill left closed, drop what nothing refers to."""
    # On a session of its own: psycopg forgets what it has prepared in a session that drops something.
    with store.connection(keep=False) as connection:
        for row in connection.execute(
            "SELECT project_id FROM branches WHERE least(finalize_at, fail_at) <= clock_timestamp()"
            " UNION SELECT project_id FROM snapshots WHERE fail_at <= clock_timestamp()"
        ).fetchall():
            with sweep.apart(connection, row["project_id"]):
                restores.finish_due(connection, row["project_id"])
        projects.purge_deleted(connection)
        branches.expire(connection)
        snapshots.expire(connection)
        sweep.reopen_closed(connection)
        sweep.drop_leftovers(connection)
        operations.forget_old(connection)


def overdue() -> list[str]:
    """Say in sentences what should have been set right by now, and has not been."""
    with store.connection() as connection:
        return sweep.overdue(connection)
