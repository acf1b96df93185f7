"""The official CLI makes projects, finds them, renames them, deletes them and gets them back."""

import dataclasses
from urllib.parse import urlsplit

import psycopg
import pytest


@pytest.fixture(scope="module")
def made(official):
    """A project whose database and role have names of their own."""
    return official.neon("projects", "create", *("--name", "shop", "--database", "orders", "--role", "clerk"))


@pytest.fixture(scope="module")
def uri(made):
    """Its URI."""
    return made["connection_uris"][0]["connection_uri"]


def query(uri, query):
    """Run a query on a fresh connection."""
    with psycopg.connect(uri, connect_timeout=5, autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def test_create_makes_a_database_with_the_names_that_were_asked_for(made, uri):
    assert made["project"]["name"] == "shop"
    assert (urlsplit(uri).username, urlsplit(uri).path) == ("clerk", "/orders")
    assert query(uri, "SELECT 1") == [(1,)]
    with pytest.raises(psycopg.OperationalError, match='database "neondb" does not exist'):
        query(uri.replace("/orders", "/neondb"), "SELECT 1")


def test_create_makes_the_version_that_was_asked_for(official):
    project = official.neon("projects", "create", "--name", "eighteen", "--pg-version", "18")
    version = query(project["connection_uris"][0]["connection_uri"], "SHOW server_version_num")
    assert project["project"]["pg_version"] == 18
    assert version[0][0].startswith("18")


def test_create_can_keep_the_password_to_itself(official):
    assert set(official.neon("projects", "create", "--name", "secret", "--no-secrets")) == {"project"}


def test_list_has_every_project(official, made):
    listed = official.neon("projects", "list")
    assert made["project"]["id"] in {project["id"] for project in listed["projects"]}
    assert listed["shared_with_you"] == []


def test_get_has_what_create_had(official, made):
    project = official.neon("projects", "get", made["project"]["id"])
    assert {key: project[key] for key in ("id", "name", "created_at")} == {
        key: made["project"][key] for key in ("id", "name", "created_at")
    }


def test_update_renames(official, made):
    project_id = made["project"]["id"]
    assert official.neon("projects", "update", project_id, "--name", "store")["name"] == "store"
    assert official.neon("projects", "get", project_id)["name"] == "store"


def test_a_deleted_project_is_gone_and_comes_back_with_its_rows(official, made, uri):
    project_id = made["project"]["id"]
    query(uri, "CREATE TABLE kept AS SELECT 1 AS number")
    assert official.neon("projects", "delete", project_id)["id"] == project_id
    with pytest.raises(psycopg.OperationalError, match='password authentication failed for user "clerk"'):
        query(uri, "SELECT 1")
    assert project_id not in {project["id"] for project in official.neon("projects", "list")["projects"]}
    assert "not found" in official.refused("projects", "get", project_id)
    recoverable = official.neon("projects", "list", "--recoverable-only")
    assert project_id in {project["id"] for project in recoverable}
    assert official.neon("projects", "recover", project_id)["id"] == project_id
    uri = official.neon("connection-string", "--project-id", project_id, "--ssl", "omit")
    assert query(uri, "SELECT number FROM kept") == [(1,)]
    assert project_id in {project["id"] for project in official.neon("projects", "list")["projects"]}


def test_operations_are_listed_newest_first_and_all_finished(official, made):
    operations = official.neon("operations", "list", "--project-id", made["project"]["id"])
    assert {"create_timeline", "start_compute"} <= {operation["action"] for operation in operations}
    assert {operation["status"] for operation in operations} == {"finished"}
    times = [operation["created_at"] for operation in operations]
    assert times == sorted(times, reverse=True)


def test_a_wrong_key_is_refused(official):
    stranger = dataclasses.replace(official, key="not-the-key")
    assert "API key" in stranger.refused("projects", "list")


def test_an_unknown_project_is_refused_in_the_planes_words(official):
    assert "not found" in official.refused("branches", "list", "--project-id", "no-such-12345678")
