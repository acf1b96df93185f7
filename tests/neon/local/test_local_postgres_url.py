"""LOCAL_POSTGRES_URL: the plane on a server that somebody else runs, which it has to leave as it was."""

import httpx
import psycopg
import pytest
from django.db import connection
from psycopg import sql

from neon.local import given, postgres, server, store
from neon.local.engine import spares
from neon.local.postgres import EmbeddedPostgres, PostgresError
from tests.neon.local import plane

ALL_DATABASES = "SELECT datname, datacl::text, datallowconn, datconnlimit FROM pg_database ORDER BY datname"


def execute(where, statement, dbname="postgres"):
    with psycopg.connect(**where, dbname=dbname, autocommit=True) as superuser:
        cursor = superuser.execute(statement)
        return cursor.fetchall() if cursor.description else None


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """The address of somebody's server, as a fresh one is: with a database of theirs and nothing of ours."""
    made = EmbeddedPostgres(tmp_path_factory.mktemp("theirs") / "postgres", {"fsync": "off"})
    where = made.address()
    for name in (postgres.PLANE_DATABASE, postgres.META_DATABASE):
        execute(where, sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
    for name in ("postgres", "template1"):
        execute(where, sql.SQL("GRANT CONNECT ON DATABASE {} TO PUBLIC").format(sql.Identifier(name)))
    execute(where, "CREATE DATABASE theirs")
    execute(where, "CREATE TABLE kept AS SELECT 1 AS n", "theirs")
    execute(where, "CREATE ROLE humble LOGIN PASSWORD 'humble-s3cret'")
    yield where
    made.leave()


def url_of(where, **other):
    parts = {**where, **other}
    return f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/postgres"


@pytest.fixture
def lent(theirs, settings):
    """Their server, lent to the plane."""
    store.close()
    given.given.cache_clear()
    settings.LOCAL_POSTGRES_URL = url_of(theirs)
    yield theirs
    store.close()
    given.given.cache_clear()


def test_projects_are_made_snapshot_and_restored_there(lent, http):
    with plane.project(http) as project:
        assert project.sql("SELECT inet_server_port()") == [(lent["port"],)]
        project.sql("CREATE TABLE kept AS SELECT 1 AS n")
        snapshot = project.snapshot()
        project.sql("DROP TABLE kept")
        project.restore(snapshot)
        assert project.sql("TABLE kept") == [(1,)]


def test_template_and_spares_are_made_there(lent, http, settings):
    settings.NEON_LOCAL_SPARE_FROM_BYTES, settings.NEON_LOCAL_SPARE_BYTES = 0, 2**30
    with plane.project(http) as project:
        project.snapshot()
        assert spares.build()
        assert len(plane.memory("SELECT FROM spares")) == len(plane.memory("SELECT FROM templates")) == 1


def test_what_the_url_says_of_a_session_holds_beside_what_the_plane_needs(lent, settings):
    settings.LOCAL_POSTGRES_URL += "?application_name=ours&options=-c%20work_mem%3D9MB%20-c%20TimeZone%3DAsia/Tokyo"
    asked = ["application_name", "work_mem", "TimeZone", "lock_timeout"]
    with store.connection(keep=False) as connection:
        said = connection.execute(
            "SELECT current_setting(name) AS value FROM unnest(%s::text[]) AS name", [asked]
        ).fetchall()
    assert [row["value"] for row in said] == ["ours", "9MB", "UTC", f"{store.LOCK_SECONDS}s"]


def test_the_meta_database_stays_on_the_embedded_server(lent, django_db_blocker):
    assert postgres.server().address()["port"] == lent["port"]
    with django_db_blocker.unblock():
        site = connection.copy()
        site.settings_dict["NAME"] = postgres.META_DATABASE
        with site.cursor() as cursor:
            cursor.execute("SELECT inet_server_port()")
            assert cursor.fetchone() == (postgres.embedded().address()["port"],)
        site.close()


def test_what_was_there_stays_as_it_was(lent, http):
    def others():
        rows = execute(lent, ALL_DATABASES)
        return [row for row in rows if row[0] != postgres.PLANE_DATABASE and not row[0].startswith("db_")]

    before = others()
    assert {name for name, *_ in before} >= {"postgres", "template0", "template1", "theirs"}
    with plane.project(http) as project:
        project.snapshot()
        assert others() == before
    assert execute(lent, "TABLE kept", "theirs") == [(1,)]


def test_only_the_planes_own_database_is_closed_to_everybody(lent, http):
    with plane.project(http) as project:
        role = project.parameters["role"]
        may = "SELECT has_database_privilege(%s, %s, 'CONNECT')"
        with psycopg.connect(**lent, dbname="postgres") as superuser:
            assert superuser.execute(may, [role, postgres.PLANE_DATABASE]).fetchone() == (False,)
            assert superuser.execute(may, [role, "theirs"]).fetchone() == (True,)


def test_served_over_http_the_router_reaches_it(lent, settings):
    headers = {"Authorization": f"Bearer {settings.NEON_LOCAL_API_KEY}"}
    with (
        server.serving("127.0.0.1", 0) as served,
        httpx.Client(base_url=served.url, headers=headers, timeout=30) as api,
        plane.project(api) as project,
        project.connect(sslmode="require", channel_binding="require") as connected,
    ):
        assert connected.execute("SELECT inet_server_port()").fetchone() == (lent["port"],)


def test_a_server_that_does_not_answer_is_looked_at_anew(lent):
    where = postgres.server().address()
    assert postgres.server().address() is where
    postgres.server().forget()
    assert postgres.server().address() == where
    postgres.server().leave()
    assert execute(lent, "SELECT 1") == [(1,)]


def refusal(url):
    with pytest.raises(PostgresError) as caught:
        given.GivenPostgres(url).address()
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("s3cret", "LOCAL_POSTGRES_URL is not a URL like postgresql://user:password@host:port/postgres."),
        ("postgresql://ada:s3cret@127.0.0.1:x/postgres", "LOCAL_POSTGRES_URL has a port that is not a number."),
        ("postgresql:///postgres", "LOCAL_POSTGRES_URL has to name a user and one host, and not a socket's folder."),
        ("postgresql://ada@%2Ftmp/x", "LOCAL_POSTGRES_URL has to name a user and one host, and not a socket's folder."),
        ("postgresql://ada@a,b/x", "LOCAL_POSTGRES_URL has to name a user and one host, and not a socket's folder."),
        *(
            (
                f"postgresql://ada@a/x?{said}",
                f"LOCAL_POSTGRES_URL has a parameter that the router cannot honour: {name}.",
            )
            for name, said in {
                "sslcert": "sslcert=s3cret.pem",
                "sslkey": "sslmode=require&sslkey=s3cret.key",
                "sslrootcert": "sslmode=verify-full&sslrootcert=system",
                "gssencmode": "gssencmode=require",
                "channel_binding": "channel_binding=require",
                "hostaddr": "hostaddr=127.0.0.1",
            }.items()
        ),
        (
            "postgresql://ada@a/x?require_auth=password",
            "LOCAL_POSTGRES_URL asks for other log-ins than the router's, which are scram-sha-256.",
        ),
        (
            "postgresql://ada@a/x?sslmode=verify-full",
            "LOCAL_POSTGRES_URL has to name the file of certificates to verify by, as sslrootcert.",
        ),
    ],
)
def test_a_url_that_will_not_do_is_one_sentence(url, sentence):
    assert refusal(url) == sentence


def test_a_server_that_cannot_be_reached_is_one_sentence():
    assert "Connection refused" in refusal("postgresql://ada:s3cret@127.0.0.1:9/postgres")


def test_a_wrong_password_is_one_sentence(theirs):
    assert "password authentication failed" in refusal(url_of(theirs, password="wrong-s3cret"))


def test_whoever_is_no_superuser_is_refused(theirs):
    url = url_of(theirs, user="humble", password="humble-s3cret")
    assert refusal(url) == "The user of LOCAL_POSTGRES_URL is not a superuser; the plane has to be one."


def test_an_old_server_is_refused(theirs, monkeypatch):
    monkeypatch.setattr(given, "OLDEST", 99)
    assert refusal(url_of(theirs)) == "The server of LOCAL_POSTGRES_URL is Postgres 18; the plane needs 99 or later."


def test_a_database_of_that_name_that_is_not_the_planes_is_left_alone(theirs, monkeypatch):
    execute(theirs, "CREATE DATABASE occupied")
    execute(theirs, "CREATE TABLE something ()", "occupied")
    before = execute(theirs, ALL_DATABASES)
    monkeypatch.setattr(given, "PLANE_DATABASE", "occupied")
    assert refusal(url_of(theirs)) == (
        "The server of LOCAL_POSTGRES_URL has a database occupied that is not the local control plane's."
    )
    assert execute(theirs, ALL_DATABASES) == before
