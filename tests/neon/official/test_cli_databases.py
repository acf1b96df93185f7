"""The official CLI makes databases and roles, builds connection strings and runs psql through them."""

from urllib.parse import urlsplit

import psycopg
import pytest


@pytest.fixture(scope="module")
def project_id(official):
    """A project."""
    return official.neon("projects", "create", "--name", "databases")["project"]["id"]


@pytest.fixture
def neon(official, project_id):
    """A function that runs a command on that project."""
    return lambda *arguments: official.neon(*arguments, "--project-id", project_id)


def uri(neon, *options):
    """Return the URI that the CLI gives, which asks for TLS and for SCRAM bound to it."""
    return neon("connection-string", *options)


def names(items):
    """Return the names of what was listed."""
    return {item["name"] for item in items}


def test_the_connection_string_of_a_new_project_needs_no_names(neon):
    parts = urlsplit(uri(neon))
    assert (parts.username, parts.path, parts.hostname) == ("neondb_owner", "/neondb", "127.0.0.1")
    assert parts.query == "sslmode=require&channel_binding=require"
    with psycopg.connect(parts.geturl()) as connection:
        assert connection.pgconn.ssl_in_use
    plain = uri(neon, "--ssl", "omit")
    assert plain == parts._replace(query="").geturl()
    with psycopg.connect(plain, sslmode="disable") as connection:
        assert not connection.pgconn.ssl_in_use


def test_psql_runs_through_the_cli(official, project_id):
    # The psql that comes with the embedded server knows no TLS.
    arguments = ("psql", "--project-id", project_id, "--ssl", "omit", "--", "-XAtqc")
    assert official.neon(*arguments, "SELECT 'from', version()").startswith("from|PostgreSQL 18")


def test_the_clis_own_psql_runs_as_well(official, project_id):
    arguments = ("psql", "--project-id", project_id, "--fallback", "--", "-XAtqc")
    assert official.neon(*arguments, "SELECT 'from', version()").startswith("from|PostgreSQL 18")


def test_a_role_is_made_and_logs_in(neon):
    assert neon("roles", "create", "--name", "reader")["name"] == "reader"
    assert names(neon("roles", "list")) == {"neondb_owner", "reader"}
    address = uri(neon, "--role-name", "reader")
    assert urlsplit(address).username == "reader"
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with psycopg.connect(uri(neon, "--role-name", "neondb_owner")) as owner:
        owner.execute("CREATE TABLE secret AS SELECT 1")
    with psycopg.connect(address) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM secret")


def test_two_roles_and_no_name_is_an_ambiguity_that_the_cli_finds(official, project_id):
    assert "reader" in official.refused("connection-string", "--project-id", project_id)


def test_a_database_belongs_to_the_role_that_was_named(neon):
    made = neon("databases", "create", "--name", "library", "--owner-name", "reader")
    assert (made["name"], made["owner_name"]) == ("library", "reader")
    assert names(neon("databases", "list")) == {"neondb", "library"}
    address = uri(neon, "--database-name", "library", "--role-name", "reader")
    assert urlsplit(address).path == "/library"
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE book (title text)")
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT count(*) FROM book").fetchone() == (0,)


def test_a_database_that_exists_is_refused(official, project_id):
    arguments = ("databases", "create", "--name", "library", "--owner-name", "reader", "--project-id", project_id)
    assert "already exists" in official.refused(*arguments)


def test_a_deleted_database_is_gone(neon):
    address = uri(neon, "--database-name", "library", "--role-name", "reader")
    assert neon("databases", "delete", "library")["name"] == "library"
    assert names(neon("databases", "list")) == {"neondb"}
    with pytest.raises(psycopg.OperationalError, match='database "library" does not exist'):
        psycopg.connect(address)


def test_a_deleted_role_is_gone(neon):
    address = uri(neon, "--role-name", "reader")
    assert neon("roles", "delete", "reader")["name"] == "reader"
    assert names(neon("roles", "list")) == {"neondb_owner"}
    with pytest.raises(psycopg.OperationalError, match='password authentication failed for user "reader"'):
        psycopg.connect(address)


def test_the_account_is_there(official):
    assert official.neon("me")["id"]
    assert isinstance(official.neon("orgs", "list"), list)
