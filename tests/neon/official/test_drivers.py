"""Every project has Neon's names, whatever connects: psql, psycopg, Node's pg."""

import threading
from urllib.parse import urlsplit

import psycopg
import pytest

OWN = "SELECT text FROM own"


def through_psql(official, query, *uris):
    """Return the rows that psql gets."""
    return [[line.split("|") for line in official.query(uri, query)] for uri in uris]


def through_psycopg(official, query, *uris):
    """Return the rows that psycopg gets."""
    rows = []
    for uri in uris:
        with psycopg.connect(uri, connect_timeout=5) as connection:
            rows.append([list(row) for row in connection.execute(query)])
    return rows


def through_pg(official, query, *uris):
    """Return the rows that Node's pg gets."""
    return official.script("query.mjs", query, *uris)


DRIVERS = [through_psql, through_psycopg, through_pg]


def uri_of(made):
    """Return the URI in the answer to a creation."""
    return made["connection_uris"][0]["connection_uri"]


@pytest.fixture(scope="module")
def projects(official):
    """The URIs of two projects that have the same names, each with a table of its own."""
    uris = [uri_of(official.neon("projects", "create", "--name", "same")) for _ in range(2)]
    for number, uri in enumerate(uris):
        official.query(uri, f"CREATE TABLE own AS SELECT 'project {number}' AS text")
    return uris


@pytest.fixture(scope="module")
def branches(official):
    """The URIs of two branches of one project, in which one database name stands for different data."""
    made = official.neon("projects", "create", "--name", "branched", "--database", "app", "--role", "owner")
    first = uri_of(made)
    official.query(first, "CREATE TABLE own AS SELECT 'project 0' AS text")
    second = uri_of(official.neon("branches", "create", "--name", "dev", "--project-id", made["project"]["id"]))
    official.query(second, "UPDATE own SET text = 'project 1'")
    return [first, second]


@pytest.mark.parametrize("through", DRIVERS)
def test_two_projects_with_the_same_names_are_two(official, projects, through):
    rows = through(official, OWN, *projects)
    assert {(urlsplit(uri).username, urlsplit(uri).path) for uri in projects} == {("neondb_owner", "/neondb")}
    assert rows == [[["project 0"]], [["project 1"]]]


@pytest.mark.parametrize("through", DRIVERS)
def test_one_database_name_on_two_branches_is_two_databases(official, branches, through):
    rows = through(official, OWN, *branches)
    assert {(urlsplit(uri).username, urlsplit(uri).path) for uri in branches} == {("owner", "/app")}
    assert rows == [[["project 0"]], [["project 1"]]]


@pytest.mark.parametrize("through", DRIVERS)
def test_a_wrong_password_is_refused(official, projects, through):
    start, _, end = projects[0].partition("@")
    with pytest.raises((AssertionError, psycopg.OperationalError), match="password authentication failed"):
        through(official, "SELECT 1", f"{start.rpartition(':')[0]}:wrong@{end}")


def test_the_password_of_one_project_does_not_open_another(official, projects):
    first, second = projects
    mixed = f"{first.partition('@')[0]}@{second.partition('@')[2]}"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(mixed, connect_timeout=5)


def test_pgs_own_kinds_of_query_pass_through(official, projects):
    """Copy, prepared statements, big answers and notices go through whatever stands before the server."""
    with psycopg.connect(projects[0], autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE big (number int, text text)")
        with connection.cursor().copy("COPY big FROM STDIN") as copy:
            for number in range(20_000):
                copy.write_row((number, "x" * 50))
        rows = connection.execute("SELECT count(*), sum(length(text)) FROM big", prepare=True).fetchone()
        assert rows == (20_000, 1_000_000)
        assert len(connection.execute("SELECT * FROM big", binary=True).fetchall()) == 20_000
        notices = []
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        connection.execute("DO $$ BEGIN RAISE NOTICE 'seen'; END $$")
        assert notices == ["seen"]


def test_a_query_can_be_cancelled(official, projects):
    with psycopg.connect(projects[0], autocommit=True) as connection:
        connection.execute("SET statement_timeout = '20s'")
        with connection.cursor() as cursor:
            threading.Timer(0.3, connection.cancel_safe).start()
            with pytest.raises(psycopg.errors.QueryCanceled, match="user request"):
                cursor.execute("SELECT pg_sleep(10)")
