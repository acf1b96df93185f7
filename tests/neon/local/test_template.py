"""The template: made once, lean, closed, and without anything missing in its copies."""

import os
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from neon.local.engine import projects, template
from tests.neon.local import plane
from tests.neon.local.kills import check_the_cluster

KILLS = 4 if os.environ.get("KILL_POINTS") == "few" else 20
LONGEST = 0.3  # seconds that a project takes with its template
TEMPLATES = "SELECT physical_name FROM templates"
RIGHTS = """
SELECT datdba::regrole::text, has_database_privilege(%s, oid, 'CONNECT') FROM pg_database WHERE datname = %s
"""
RATIO = "SELECT pg_database_size(current_database()) / pg_database_size('template0')::float"
CATALOG = """
SELECT (SELECT array_agg(oid ORDER BY oid) FROM pg_class WHERE NOT relisshared),
       (SELECT count(*) FROM pg_attribute), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_collation),
       (SELECT count(*) FROM pg_depend),
       (SELECT md5(string_agg(description, '' ORDER BY objoid, classoid, objsubid)) FROM pg_description),
       (SELECT count(*) FROM information_schema.columns), (SELECT count(*) FROM information_schema.sql_features)
"""


def forget():
    """Let there be no template."""
    with plane.superuser("postgres") as connection:
        for row in plane.memory("DELETE FROM templates RETURNING physical_name"):
            connection.execute(f"DROP DATABASE IF EXISTS {row['physical_name']}")


@pytest.fixture
def plain():
    """A database as Postgres makes them."""
    with plane.superuser("postgres") as connection:
        connection.execute("CREATE DATABASE plain TEMPLATE template0 ENCODING 'UTF8'")
        yield "plain"
        connection.execute("DROP DATABASE plain WITH (FORCE)")


def test_a_new_database_has_what_a_plain_one_has_and_takes_less_room(project, plain):
    name = project.parameters["database"]
    with plane.superuser(plain) as connection:
        in_plain = connection.execute(CATALOG).fetchall()
    with plane.superuser(name) as connection:
        assert connection.execute(CATALOG).fetchall() == in_plain
    ((ratio,),) = project.sql(RATIO)
    assert ratio < 0.95


def test_it_is_made_once_however_many_want_it(http):
    def make(_):
        with plane.project(http) as project:
            return project.sql("SELECT 1")

    forget()
    with ThreadPoolExecutor() as threads:
        assert [*threads.map(make, range(3))] == [[(1,)]] * 3
    assert len(plane.memory(TEMPLATES)) == 1
    check_the_cluster()


@pytest.mark.parametrize(
    "change",
    ["DROP DATABASE {}", "UPDATE pg_database SET datcollversion = 'of another library' WHERE datname = '{}'"],
)
def test_it_is_made_anew_when_it_is_gone_or_cannot_be_copied(http, change):
    with plane.project(http), plane.superuser("postgres") as connection:
        (before,) = plane.memory(TEMPLATES)
        connection.execute(change.format(before["physical_name"]))
    with plane.project(http) as project:
        assert project.sql("SELECT 1") == [(1,)]
    (after,) = plane.memory(TEMPLATES)
    assert after != before
    check_the_cluster()


def test_a_database_is_made_without_it_when_it_cannot_be_made(http, monkeypatch):
    def fail(database):
        raise psycopg.errors.DiskFull("could not extend file")

    forget()
    with monkeypatch.context() as patch:
        patch.setattr(template, "_rewrite", fail)
        with plane.project(http) as project:
            assert project.sql("SELECT 1") == [(1,)]
    assert plane.memory(TEMPLATES) == []
    check_the_cluster()


def test_no_project_gets_in(project):
    (made,) = plane.memory(TEMPLATES)
    with plane.refused():
        project.connect(dbname=made["physical_name"])
    with plane.superuser("postgres") as connection:
        found = connection.execute(RIGHTS, [project.parameters["role"], made["physical_name"]]).fetchone()
    assert found == ("postgres", False)


@pytest.mark.kill
@pytest.mark.timeout(300)
def test_a_kill_while_it_is_made_leaves_none_or_a_whole_one(victim, http):
    for number in range(KILLS):
        forget()
        victim.call("projects.create", kill_after=number * LONGEST / KILLS)
        check_the_cluster()
        for made in plane.memory("SELECT id FROM projects WHERE deleted_at IS NULL"):
            projects.delete(made["id"])
        with plane.project(http) as project:
            ((ratio,),) = project.sql(RATIO)
            assert ratio < 0.95
    check_the_cluster()
