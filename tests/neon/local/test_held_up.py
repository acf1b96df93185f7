"""What a project's role holds in a transaction that it leaves open does not hold up the plane for long, nor others."""

from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from neon.local import cluster, store
from neon.local.engine import upkeep
from tests.neon.local import plane


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """A plane that waits for locks for a moment only."""
    store.close()
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.2)
    yield
    store.close()


def holding(project, uri, statement):
    """Return a session with a transaction left open that has changed something about the project's database or role."""
    session = psycopg.connect(uri)
    names = {key: sql.Identifier(project.parameters[key]) for key in ("database", "role")}
    session.execute(sql.SQL(statement).format(**names))
    return session


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER DATABASE {database} CONNECTION LIMIT 50",
        "ALTER DATABASE {database} SET work_mem = '1MB'",
        "GRANT CONNECT ON DATABASE {database} TO PUBLIC",
        "COMMENT ON DATABASE {database} IS 'mine'",
        "ALTER ROLE {role} PASSWORD 'mine'",
        "LOCK TABLE pg_catalog.pg_database IN ACCESS SHARE MODE",
        "CREATE TABLE mine (n int)",
    ],
)
@pytest.mark.parametrize("place", ["within", "its other database", "another branch"])
def test_every_verb_goes_through(project, statement, place):
    path = f"/branches/{project.default['id']}/databases"
    project.did("POST", path, json={"database": {"name": "shop", "owner_name": "neondb_owner"}})
    elsewhere = {}
    if place == "its other database":
        elsewhere = {"database": "shop"}
    elif place == "another branch":
        made = project.did("POST", "/branches", json={"endpoints": [{"type": "read_write"}]})
        elsewhere = {"branch_id": made["branch"]["id"]}
    snapshot_id = project.snapshot()
    for verb in (
        project.snapshot,
        lambda: project.restore(snapshot_id),
        lambda: project.did("POST", f"/branches/{project.default['id']}/roles/neondb_owner/reset_password"),
    ):
        with holding(project, project.uri_of(**elsewhere), statement) as session:
            verb()
            session.close()
    with holding(project, project.uri_of(**elsewhere), statement) as session:
        assert project.call("DELETE", "").status_code == 200
        session.close()


def test_a_role_that_another_project_is_granting_something_to_holds_up_nobody_elses_upkeep(project, http):
    with plane.project(http) as doomed, plane.project(http) as next_one:
        roles = [made.parameters["role"] for made in (doomed, next_one)]
    with psycopg.connect(project.uri) as session:
        session.execute("CREATE TABLE t (n int)")
        session.execute(sql.SQL("GRANT SELECT ON t TO {}").format(sql.Identifier(roles[0])))
        upkeep.run()
        assert set(roles) & plane.names_in_cluster() == {roles[0]}
        session.rollback()
    upkeep.run()
    assert not set(roles) & plane.names_in_cluster()


def test_a_copied_database_is_opened_again_though_its_row_is_held_from_another_branch(project, monkeypatch):
    made = project.did("POST", "/branches", json={"endpoints": [{"type": "read_write"}]})
    uri, close, sessions = project.uri_of(made["branch"]["id"]), cluster.close, []

    def hold_once_they_are_gone(connection, databases):
        close(connection, databases)
        if not sessions:
            sessions.append(holding(project, uri, "ALTER DATABASE {database} CONNECTION LIMIT 50"))

    monkeypatch.setattr(cluster, "close", hold_once_they_are_gone)
    snapshot_id = project.snapshot()
    with pytest.raises(psycopg.OperationalError):
        sessions[0].execute("SELECT 1")
    assert project.sql("SELECT 1") == [(1,)]
    project.restore(snapshot_id)


@pytest.fixture
def ends_nobody(_impatient):  # whose sessions go before and afterwards: they know the function by what it was
    """Whoever holds a row goes on holding it, as it is when the role takes the lock again at once."""
    with store.connection() as plane_own:
        plane_own.execute("ALTER FUNCTION end_writers RENAME TO end_writers_really")
        plane_own.execute("CREATE FUNCTION end_writers(target name) RETURNS void RETURN NULL")
        yield
        plane_own.execute("DROP FUNCTION end_writers")
        plane_own.execute("ALTER FUNCTION end_writers_really RENAME TO end_writers")


@pytest.mark.usefixtures("ends_nobody")
def test_what_cannot_be_had_in_time_is_busy_and_nothing_is_changed(project):
    with holding(project, project.uri, "ALTER DATABASE {database} CONNECTION LIMIT 50") as session:
        path = f"/branches/{project.default['id']}/snapshot"
        assert project.call("POST", path).status_code == 423
        session.rollback()
    assert project.did("GET", "/snapshots")["snapshots"] == []
    assert project.sql("SELECT 1") == [(1,)]
    project.snapshot()


def test_whoever_came_after_a_change_that_was_held_up_is_ended_in_the_same_transaction_too(project):
    database = project.parameters["database"]
    change = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 60").format(sql.Identifier(database))
    with store.connection() as connection, connection.transaction(force_rollback=True):
        for _ in range(2):
            session = holding(project, project.uri, "ALTER DATABASE {database} CONNECTION LIMIT 50")
            with connection.transaction(force_rollback=True):
                cluster.change(connection, database, change)
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")


def test_a_session_that_does_not_end_in_time_keeps_a_snapshot_from_being_taken(project, monkeypatch):
    with monkeypatch.context() as patched, psycopg.connect(project.uri):
        patched.setattr(cluster, "PATIENCE", timedelta(0))
        assert project.call("POST", f"/branches/{project.default['id']}/snapshot").status_code == 423
    assert project.sql("SELECT 1") == [(1,)]
    assert project.did("GET", "/snapshots")["snapshots"] == []
    project.snapshot()
