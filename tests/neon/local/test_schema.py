"""The schema of a database as SQL, and what differs between two branches."""

import re

import psycopg
import pytest

from neon.local.engine import schemas
from tests.neon.local import plane

RANDOM = re.compile(r"(db|role)_[0-9a-f]{16}")
CONTENTS = """
CREATE TABLE book (id serial PRIMARY KEY, title text NOT NULL DEFAULT 'Zoë''s 🐘');
CREATE INDEX by_title ON book (title);
CREATE FUNCTION rename(text) RETURNS void LANGUAGE sql AS $body$
UPDATE book
SET title = $1;


-- a comment of the function's own
$body$;
GRANT SELECT ON book TO {reader};
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {reader};
"""


@pytest.fixture(scope="module")
def library(http):
    """A project with a schema, a second role, a branch with one column more, and one without an endpoint."""
    with plane.project(http) as made:
        branch = f"/branches/{made.default['id']}"
        made.did("POST", f"{branch}/roles", json={"role": {"name": "the reader"}})
        ((reader,),) = plane.sql(made.uri_of(role="the reader"), "SELECT current_user")
        made.sql(CONTENTS.replace("{reader}", reader))
        made.dev = made.branch("dev")
        made.closed = made.branch("closed", endpoint=False)
        plane.sql(made.uri_of(made.dev["id"]), "ALTER TABLE book ADD pages integer")
        yield made


def schema(project, branch_id, database="neondb"):
    """Return the schema of a branch's database."""
    return project.did("GET", f"/branches/{branch_id}/schema", params={"db_name": database})["sql"]


def diff(project, branch_id, **query):
    """Return how a branch differs from another one."""
    query = {"db_name": "neondb", **query}
    return project.did("GET", f"/branches/{branch_id}/compare_schema", params=query)["diff"]


def changes(text):
    """Return the lines of a diff that differ."""
    return [line for line in text.splitlines() if line[0] in "+-" and line[:3] not in {"+++", "---"}]


def test_the_schema_is_complete_and_of_the_schema_only(library):
    text = schema(library, library.default["id"])
    assert "CREATE TABLE public.book (" in text
    assert "DEFAULT 'Zoë''s 🐘'::text" in text
    assert "CREATE INDEX by_title ON public.book" in text
    assert "UPDATE book\nSET title = $1;\n\n\n-- a comment of the function's own\n" in text
    assert "SET statement_timeout" not in text
    assert "-- Dumped" not in text
    assert "restrict" not in text
    assert text == schema(library, library.default["id"])


def test_roles_have_their_names_at_neon_and_no_name_is_random(library):
    text = schema(library, library.default["id"])
    assert "ALTER TABLE public.book OWNER TO neondb_owner;" in text
    assert 'GRANT SELECT ON TABLE public.book TO "the reader";' in text
    assert "ALTER DEFAULT PRIVILEGES FOR ROLE neondb_owner" in text
    assert not RANDOM.search(text)


def test_it_makes_the_same_schema_elsewhere(library, http):
    text = schema(library, library.default["id"])
    with plane.project(http) as copy:
        copy.did("POST", f"/branches/{copy.default['id']}/roles", json={"role": {"name": "the reader"}})
        ((reader,),) = plane.sql(copy.uri_of(role="the reader"), "SELECT current_user")
        there = text.replace("neondb_owner", copy.parameters["role"]).replace('"the reader"', reader)
        copy.sql("SET check_function_bodies = off; " + there)
        assert schema(copy, copy.default["id"]) == text


def test_a_closed_branch_has_one_too_and_stays_closed(library):
    assert schema(library, library.closed["id"]) == schema(library, library.default["id"])
    (physical,) = library.physical()["replaced"]
    query = "SELECT datallowconn FROM pg_database WHERE datname = %s"
    assert plane.memory(query, [physical]) == [{"datallowconn": False}]
    with plane.refused():
        library.connect(dbname=physical)


def test_a_branch_is_compared_with_its_parent_or_with_another(library):
    main, dev, closed = library.default["id"], library.dev["id"], library.closed["id"]
    text = diff(library, dev)
    assert text.startswith("--- a/neondb-schema.sql\n+++ b/neondb-schema.sql\n")
    assert "+    pages integer" in changes(text)
    assert diff(library, dev, base_branch_id=main) == diff(library, dev, base_branch_id=closed) == text
    assert "-    pages integer" in changes(diff(library, main, base_branch_id=dev))
    assert diff(library, closed) == ""
    assert not RANDOM.search(text)


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("{dev}/schema", {}, 400),
        ("{dev}/schema", {"db_name": "nothing"}, 404),
        ("{dev}/schema", {"db_name": "neondb", "timestamp": "2026-01-01T00:00:00Z"}, 501),
        ("{dev}/schema", {"db_name": "neondb", "lsn": "0/1"}, 501),
        ("{dev}/schema", {"db_name": "neondb", "format": "json"}, 501),
        ("{dev}/schema", {"db_name": "neondb", "format": "xml"}, 400),
        ("br-not-there-12345678/schema", {"db_name": "neondb"}, 404),
        ("{dev}/compare_schema", {}, 400),
        ("{dev}/compare_schema", {"db_name": "nothing"}, 404),
        ("{dev}/compare_schema", {"db_name": "neondb", "base_branch_id": "br-not-there-12345678"}, 404),
        ("{dev}/compare_schema", {"db_name": "neondb", "base_timestamp": "2026-01-01T00:00:00Z"}, 501),
        ("{main}/compare_schema", {"db_name": "neondb"}, 404),
        ("br-not-there-12345678/compare_schema", {"db_name": "neondb"}, 404),
    ],
)
def test_what_is_not_there_is_not_found(library, path, query, status):
    ids = {"dev": library.dev["id"], "main": library.default["id"]}
    answer = library.call("GET", f"/branches/{path.format(**ids)}", params=query)
    assert answer.status_code == status, answer.text


def test_another_projects_branch_is_not_a_base(library, project):
    query = {"db_name": "neondb", "base_branch_id": project.default["id"]}
    assert library.call("GET", f"/branches/{library.dev['id']}/compare_schema", params=query).status_code == 404


def test_what_the_owner_set_does_not_get_in_the_way(project):
    database = project.parameters["database"]
    project.sql("CREATE TABLE t (n int)")
    for setting in (
        "ALTER DATABASE {} SET statement_timeout = 1",
        "ALTER DATABASE {} SET transaction_timeout = 1",
        "ALTER DATABASE {} SET idle_session_timeout = 1",
        "ALTER DATABASE {} SET client_encoding = 'LATIN1'",
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        "ALTER DATABASE {} CONNECTION LIMIT 0",
    ):
        with plane.superuser("postgres") as connection:
            connection.execute(psycopg.sql.SQL(setting).format(psycopg.sql.Identifier(database)))
    assert "CREATE TABLE public.t" in schema(project, project.default["id"])


def test_a_table_that_somebody_has_locked_is_not_waited_for_without_end(project, monkeypatch):
    monkeypatch.setattr(schemas, "LOCK_SECONDS", 0.2)
    project.sql("CREATE TABLE t (n int)")
    with psycopg.connect(project.uri) as connection:
        connection.execute("LOCK TABLE t")
        answer = project.call("GET", f"/branches/{project.default['id']}/schema", params={"db_name": "neondb"})
    assert answer.status_code == 423, answer.text
