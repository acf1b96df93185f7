"""Isolation, by attack: what a project's role can do with its own connection string."""

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from neon.local import cluster
from neon.local.engine import upkeep
from tests.neon.local import plane

SHARED = ["checkpoints", "neon_local", "postgres", "template0", "template1"]
CLOSED = r"permission denied|not currently accepting"


# The attacks fail, so that one project bears them all.


@pytest.fixture(scope="module")
def project(http):
    """A project that is attacked from within."""
    with plane.project(http) as made:
        yield made


@pytest.fixture(scope="module")
def other(http):
    """A project of somebody else."""
    with plane.project(http, "other") as made:
        yield made


@pytest.fixture(scope="module")
def used(http):
    """A project with a live database, a snapshot and a replaced database."""
    with plane.project(http) as made:
        made.sql("CREATE TABLE secret AS SELECT 1 AS n")
        made.restore(made.snapshot())
        yield made


@pytest.mark.parametrize("database", SHARED)
def test_shared_databases_are_closed(project, database):
    with pytest.raises(psycopg.OperationalError, match=CLOSED):
        project.connect(dbname=database)


def test_another_projects_databases_are_closed(used, other):
    for names in used.physical().values():
        for name in names:
            with pytest.raises(psycopg.OperationalError, match=CLOSED):
                other.connect(dbname=name)


def test_its_own_snapshots_and_replaced_databases_are_closed_to_it(used):
    physical = used.physical()
    assert [len(physical[kind]) for kind in ("snapshots", "live", "replaced")] == [1, 1, 1]
    for name in physical["snapshots"] + physical["replaced"]:
        with pytest.raises(psycopg.OperationalError, match="not currently accepting"):
            used.connect(dbname=name)


@pytest.mark.parametrize("attack", plane.ATTACKS)
@pytest.mark.parametrize("kind", ["snapshots", "replaced"])
def test_it_cannot_change_drop_or_copy_them(used, kind, attack):
    (name,) = used.physical()[kind]
    with used.connect() as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(sql.SQL(attack).format(sql.Identifier(name)))


@pytest.mark.parametrize("kind", ["snapshots", "replaced"])
def test_a_grant_on_them_grants_nothing(used, kind):
    (name,) = used.physical()[kind]
    grant = sql.SQL("GRANT ALL ON DATABASE {} TO PUBLIC").format(sql.Identifier(name))
    with used.connect() as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(grant)


@pytest.mark.parametrize(
    "attack",
    [
        "CREATE DATABASE another",
        "CREATE ROLE another",
        "ALTER ROLE CURRENT_USER CREATEDB",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
        "ALTER ROLE postgres PASSWORD 'mine'",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "GRANT postgres TO CURRENT_USER",
        "GRANT pg_read_server_files TO CURRENT_USER",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "CREATE TABLE t (line text); COPY t FROM PROGRAM 'id'",
        "CREATE TABLE t (line text); COPY t FROM '/etc/passwd'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT pg_ls_dir('.')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT pg_reload_conf()",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_create_physical_replication_slot('slot')",
        "ALTER SYSTEM SET fsync = off",
        "SET session_preload_libraries = 'x'",
        "CREATE TABLESPACE mine LOCATION '/tmp'",
        "CREATE EXTENSION vector",
        "CHECKPOINT",
        "CREATE TABLE t AS SELECT 1; COPY t TO '/tmp/stolen'",
        "SELECT pg_read_binary_file('/etc/passwd')",
        "SELECT pg_stat_file('.')",
        "SELECT pg_ls_logdir()",
        "SELECT pg_ls_waldir()",
        "SELECT pg_ls_tmpdir()",
        "SELECT lo_export(lo_create(0), '/tmp/stolen')",
        "SELECT pg_current_logfile()",
        "SELECT pg_rotate_logfile()",
        "SELECT * FROM pg_hba_file_rules",
        "SELECT * FROM pg_file_settings",
        "SELECT * FROM pg_shmem_allocations",
        "SHOW data_directory",
        "SHOW config_file",
        "LOAD '/tmp/mine.so'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/tmp/mine.so', 'f'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE internal AS 'pg_reload_conf'",
        "CREATE FOREIGN DATA WRAPPER mine",
        "CREATE EVENT TRIGGER mine ON login EXECUTE FUNCTION nothing()",
        "CREATE ACCESS METHOD mine TYPE TABLE HANDLER heap_tableam_handler",
        "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p WITH (connect = false)",
        "CREATE PUBLICATION p FOR ALL TABLES",
        "SELECT pg_create_logical_replication_slot('slot', 'pgoutput')",
        "SELECT pg_replication_origin_create('mine')",
        "SELECT pg_switch_wal()",
        "SELECT pg_create_restore_point('mine')",
        "SELECT pg_promote()",
        "SELECT pg_import_system_collations('pg_catalog')",
        "SELECT subconninfo FROM pg_subscription",
        "UPDATE pg_authid SET rolsuper = true",
        "ALTER ROLE CURRENT_USER REPLICATION",
        "ALTER ROLE CURRENT_USER BYPASSRLS",
        "ALTER ROLE CURRENT_USER CREATEROLE",
        "ALTER ROLE CURRENT_USER VALID UNTIL 'infinity'",
        "SET session_replication_role = replica",
        "SET log_statement = 'all'",
        "SET temp_file_limit = -1",
        "SET local_preload_libraries = '/tmp/mine'; LOAD 'mine'",
        "ALTER ROLE CURRENT_USER SET log_min_duration_statement = 0",
    ],
)
def test_the_server_is_out_of_reach(project, attack):
    with project.connect() as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(attack)


@pytest.mark.parametrize("extension", ["file_fdw", "dblink", "postgres_fdw", "adminpack", "pageinspect", "plpython3u"])
def test_extensions_that_reach_out_are_not_there(project, extension):
    absent = psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile
    with project.connect() as connection, pytest.raises(absent):
        connection.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(extension)))


@pytest.mark.parametrize("kind", ["database", "true"])
def test_it_cannot_replicate(project, kind):
    with pytest.raises(psycopg.OperationalError, match=r"permission denied|max_wal_senders|WAL senders"):
        project.connect(replication=kind)


def test_it_cannot_prepare_a_transaction_that_outlives_its_session(project):
    with psycopg.connect(project.uri) as connection:
        connection.execute("CREATE TABLE left_open (n int)")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="prepared transactions are disabled"):
            connection.execute("PREPARE TRANSACTION 'for ever'")


def test_it_cannot_end_other_sessions(project, other):
    with other.connect() as theirs, project.connect() as mine:
        for function in ("pg_terminate_backend", "pg_cancel_backend"):
            with pytest.raises(InsufficientPrivilege):
                mine.execute(f"SELECT {function}(%s)", [theirs.info.backend_pid])
        theirs.execute("SELECT 1")


def test_it_cannot_see_what_others_run(project, other):
    query = "SELECT query FROM pg_stat_activity WHERE pid = %s"
    with other.connect() as theirs, project.connect() as mine:
        theirs.execute("SELECT 'confidential'")
        assert mine.execute(query, [theirs.info.backend_pid]).fetchall() == [("<insufficient privilege>",)]
        everything = mine.execute("SELECT * FROM pg_stat_activity").fetchall()
    assert "confidential" not in str(everything)


def test_its_advisory_locks_are_not_the_planes(project):
    with project.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [project.id])
        snapshot_id = project.snapshot()
    project.restore(snapshot_id)


# The live database is the role's own, as on Neon: owners may make and own schemas, extensions and publications. What
# an owner can do to the database itself hurts nobody else, and a restore puts it right.


@pytest.mark.parametrize(
    "attack",
    [
        "ALTER DATABASE {} RENAME TO mine",
        "ALTER DATABASE {} ALLOW_CONNECTIONS false",
        "DROP DATABASE {}",
        "DROP DATABASE {} WITH (FORCE)",
        "ALTER DATABASE {} OWNER TO postgres",
        "ALTER DATABASE {} SET TABLESPACE pg_global",
    ],
)
def test_it_cannot_lose_its_own_live_database(project, attack):
    (name,) = project.physical()["live"]
    with project.connect() as connection, pytest.raises(psycopg.Error):
        connection.execute(sql.SQL(attack).format(sql.Identifier(name)))
    assert project.sql("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "harm",
    [
        "ALTER DATABASE {} CONNECTION LIMIT 0",
        "ALTER DATABASE {} IS_TEMPLATE true",
        "REVOKE ALL ON DATABASE {} FROM CURRENT_USER",
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        "ALTER DATABASE {} SET statement_timeout = 1",
        "ALTER DATABASE {} SET role = 'none'",
        "GRANT ALL ON DATABASE {} TO PUBLIC",
        "DROP SCHEMA public CASCADE",
    ],
)
def test_a_restore_undoes_what_it_did_to_its_own(project, harm):
    project.sql("CREATE TABLE IF NOT EXISTS secret AS SELECT 1 AS n")
    snapshot_id = project.snapshot()
    (live,) = project.physical()["live"]
    with project.connect() as connection:
        connection.execute(sql.SQL(harm).format(sql.Identifier(live)))
    project.restore(snapshot_id)
    assert project.sql("SELECT n FROM secret") == [(1,)]
    project.sql("UPDATE secret SET n = 1")
    (state,) = plane.memory("SELECT datistemplate, datallowconn FROM pg_database WHERE datname = %s", [live])
    assert state == {"datistemplate": False, "datallowconn": True}


def test_a_live_database_made_a_template_is_dropped_all_the_same(http):
    with plane.project(http) as doomed:
        (live,) = doomed.physical()["live"]
        doomed.sql(f"ALTER DATABASE {live} IS_TEMPLATE true")
        doomed.restore(doomed.snapshot())
        names = {name for names in doomed.physical().values() for name in names} | {doomed.parameters["role"]}
    upkeep.run()
    assert not names & plane.names_in_cluster()


def test_upkeep_goes_on_after_one_that_fails(http, monkeypatch, caplog):
    with plane.project(http) as first, plane.project(http) as second:
        doomed = first.physical()["live"]
        rest = {*second.physical()["live"], second.parameters["role"]}
    real = cluster.drop

    def drop(connection, name):
        if name in doomed:
            raise psycopg.errors.ObjectInUse("held")
        real(connection, name)

    monkeypatch.setattr(cluster, "drop", drop)
    upkeep.run()
    assert "Upkeep of" in caplog.text
    assert not rest & plane.names_in_cluster()
    monkeypatch.undo()
    upkeep.run()
    assert not {*doomed, first.parameters["role"]} & plane.names_in_cluster()
