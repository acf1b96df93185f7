"""Isolation between projects, by attack: another's databases, sessions and queries, and what the catalogue tells."""

import re

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tests.neon.local import plane

SECRET = "confidential"
# Every view and function that shows what sessions do, of any database; in Postgres 18 there are no others.
VIEWS = [
    *(
        "pg_stat_activity",
        "pg_stat_get_activity(NULL)",
        "pg_locks",
        "pg_prepared_xacts",
        "pg_stat_ssl",
        "pg_stat_gssapi",
    ),
    *("pg_stat_replication", "pg_stat_wal_receiver", "pg_stat_subscription", "pg_replication_slots", "pg_cursors"),
    *("pg_prepared_statements", "pg_stat_progress_copy", "pg_stat_progress_vacuum", "pg_stat_progress_create_index"),
    *("pg_stat_progress_analyze", "pg_stat_progress_cluster", "pg_stat_progress_basebackup", "pg_stat_database"),
]
RANDOM = re.compile("(db|role)_[0-9a-f]{16}")
OUR_OWN = {"checkpoints", "neon_local", "postgres", "template0", "template1"}


@pytest.fixture(scope="module")
def victim(http):
    """Somebody else's project: a live database, a snapshot, a replaced database, and one that a restore prepares."""
    with plane.project(http, SECRET) as made:
        made.sql("CREATE TABLE confidential AS SELECT 1 AS n")
        snapshot_id = made.snapshot(SECRET)
        made.restore(snapshot_id)
        made.did("POST", f"/snapshots/{snapshot_id}/restore")
        yield made


@pytest.fixture(scope="module")
def attacker(http):
    """The project whose connection string the attacker has."""
    with plane.project(http, "attacker") as made:
        yield made


@pytest.mark.parametrize("attack", [*plane.ATTACKS, "GRANT ALL ON DATABASE {} TO PUBLIC"])
def test_another_projects_databases_cannot_be_changed_dropped_or_copied(victim, attacker, attack):
    names = [name for kind in victim.physical().values() for name in kind]
    assert len(names) == 4
    with attacker.connect() as connection:
        for name in names:
            with pytest.raises(InsufficientPrivilege):
                connection.execute(sql.SQL(attack).format(sql.Identifier(name)))


@pytest.mark.parametrize(
    "attack",
    [
        "SET ROLE {}",
        "SET SESSION AUTHORIZATION {}",
        "ALTER ROLE {} PASSWORD 'mine'",
        "ALTER ROLE {} CONNECTION LIMIT 0",
        "ALTER ROLE {} SET work_mem = '1MB'",
        "ALTER ROLE {} RENAME TO mine",
        "GRANT {} TO CURRENT_USER",
        "DROP ROLE {}",
        "DROP OWNED BY {}",
        "REASSIGN OWNED BY CURRENT_USER TO {}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT ALL ON TABLES TO CURRENT_USER",
        "CREATE SCHEMA theirs AUTHORIZATION {}",
        "CREATE USER MAPPING FOR {} SERVER nowhere",
        "COMMENT ON ROLE {} IS 'mine'",
    ],
)
def test_another_projects_role_cannot_be_taken_or_changed(victim, attacker, attack):
    refusals = InsufficientPrivilege, psycopg.errors.UndefinedObject
    with attacker.connect() as connection, pytest.raises(refusals):
        connection.execute(sql.SQL(attack).format(sql.Identifier(victim.parameters["role"])))


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_shows_what_others_do_or_from_where(victim, attacker, view):
    """But for `application_name`, which Postgres shows to all: the site's is the same for everybody."""
    with victim.connect() as theirs, attacker.connect() as mine:
        theirs.execute("BEGIN; LOCK TABLE confidential")
        theirs.execute("SELECT 'confidential'")
        own, shown = mine.info.backend_pid, mine.execute(f"SELECT * FROM {view}").fetchall()
    assert SECRET not in str(shown)
    assert "127.0.0.1" not in str([row for row in shown if own not in row])


def test_statistics_of_statements_are_not_kept_at_all(attacker):
    with attacker.connect() as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM pg_stat_statements")
        with pytest.raises((psycopg.errors.FeatureNotSupported, InsufficientPrivilege)):
            connection.execute("CREATE EXTENSION pg_stat_statements")


@pytest.mark.parametrize(
    "function",
    [
        *("pg_terminate_backend(%(pid)s)", "pg_cancel_backend(%(pid)s)", "pg_log_backend_memory_contexts(%(pid)s)"),
        *("pg_stat_reset()", "pg_stat_reset_shared('wal')", "pg_stat_reset_backend_stats(%(pid)s)"),
    ],
)
def test_another_projects_session_cannot_be_ended_or_interfered_with(victim, attacker, function):
    with victim.connect() as theirs, attacker.connect() as mine:
        with pytest.raises(InsufficientPrivilege):
            mine.execute(f"SELECT {function}", {"pid": theirs.info.backend_pid})
        assert theirs.execute("SELECT 1").fetchone() == (1,)


def test_what_another_project_notifies_is_not_heard(victim, attacker):
    with attacker.connect() as mine:
        mine.execute("LISTEN news")
        victim.sql("NOTIFY news, 'confidential'")
        mine.execute("SELECT 1")
        assert list(mine.notifies(timeout=0.2)) == []


def test_the_names_in_the_catalogue_are_random_and_tell_nothing(victim, attacker):
    with attacker.connect() as connection:
        databases = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        others = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname ~ '^db_'"
        assert connection.execute(others).fetchall()[0] == (None,)
    named = {name for name in databases | roles if not name.startswith("pg_")}
    told = {name for name in named if not RANDOM.fullmatch(name) and not name.startswith("test_checkpoints")}
    assert told == OUR_OWN
    assert victim.parameters["database"] in databases
    assert victim.id not in str(databases | roles)


def test_a_snapshot_of_anothers_transaction_cannot_be_imported(victim, attacker):
    with psycopg.connect(victim.uri) as theirs, psycopg.connect(attacker.uri) as mine:
        ((name,),) = theirs.execute("SELECT pg_export_snapshot()").fetchall()
        mine.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="different database"):
            mine.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(name)))


def test_a_large_object_is_its_own_databases(victim, attacker):
    ((number,),) = victim.sql("SELECT lo_from_bytea(0, 'confidential')")
    with attacker.connect() as connection, pytest.raises(psycopg.errors.UndefinedObject):
        connection.execute("SELECT lo_get(%s::oid)", [number])
