"""An owner may drop a database of theirs in SQL, from another one: the plane forgets it and goes on."""

import pytest
from psycopg import sql

from neon.local import cluster
from tests.neon.local import plane


@pytest.fixture
def shop(project):
    """A project with a table, a second database, and a snapshot of both; returns it and the snapshot's id."""
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    path = f"/branches/{project.default['id']}/databases"
    project.did("POST", path, json={"database": {"name": "shop", "owner_name": "neondb_owner"}})
    return project, project.snapshot()


def drop(project):
    """Drop the first database, as the owner, from the second one."""
    statement = sql.SQL("DROP DATABASE {}").format(sql.Identifier(project.parameters["database"]))
    plane.sql(project.uri_of(database="shop"), statement)


def databases(project):
    """Return the names of the default branch's databases."""
    path = f"/branches/{project.default['id']}/databases"
    return [row["name"] for row in project.did("GET", path)["databases"]]


def test_a_change_forgets_it_and_succeeds(shop):
    project, _ = shop
    drop(project)
    project.snapshot()
    assert databases(project) == ["shop"]


def test_a_restore_brings_it_back(shop):
    project, snapshot_id = shop
    drop(project)
    project.restore(snapshot_id)
    assert sorted(databases(project)) == ["neondb", "shop"]
    assert plane.sql(project.uri_of(), "TABLE t") == [(1,)]


def test_a_restore_that_was_under_way_is_finished(shop, settings):
    project, snapshot_id = shop
    settings.NEON_LOCAL_OPERATION_SECONDS = 60
    project.restore(snapshot_id)
    drop(project)
    plane.memory("UPDATE branches SET finalize_at = now() WHERE finalize_at IS NOT NULL RETURNING id")
    plane.end_operations(project.id)
    assert sorted(databases(project)) == ["neondb", "shop"]
    assert plane.sql(project.uri_of(), "TABLE t") == [(1,)]


def test_the_project_can_be_deleted(shop):
    project, _ = shop
    drop(project)
    assert project.call("DELETE", "").status_code == 200


def test_while_it_is_copied_the_snapshot_fails_and_the_other_one_is_open_again(shop, monkeypatch):
    project, _ = shop
    branch = project.did("POST", "/branches", json={"endpoints": [{"type": "read_write"}]})["branch"]
    uri, other_uri, close = project.uri_of(branch["id"]), project.uri_of(database="shop"), cluster.close
    statement = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(project.parameters["database"]))

    def drop_once_they_are_gone(connection, databases):
        close(connection, databases)
        plane.sql(uri, statement)

    with monkeypatch.context() as patched:
        patched.setattr(cluster, "close", drop_once_they_are_gone)
        assert project.call("POST", f"/branches/{project.default['id']}/snapshot").status_code == 423
    assert plane.sql(other_uri, "SELECT 1") == [(1,)]
    project.snapshot()
    assert databases(project) == ["shop"]
