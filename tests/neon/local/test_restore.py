"""Restores: the database is exactly what it was, behind the same connection string."""

import threading
import time

import psycopg
import pytest
from psycopg import sql

from neon.local import cluster, postgres
from neon.local.engine import upkeep
from tests.neon.local import plane

CONTENTS = """
CREATE SCHEMA inner_schema;
CREATE TABLE people (id serial PRIMARY KEY, name text UNIQUE, tags text[] NOT NULL DEFAULT '{}');
INSERT INTO people (name, tags) VALUES ('Ada', '{maths,"with, comma"}'), ('Alan', '{}');
CREATE TABLE inner_schema.big AS SELECT n, repeat(md5(n::text), 20) AS text FROM generate_series(1, 20000) AS n;
CREATE VIEW names AS SELECT name FROM people;
CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
CREATE SEQUENCE counted START 41;
SELECT nextval('counted');
ALTER DEFAULT PRIVILEGES IN SCHEMA inner_schema GRANT SELECT ON TABLES TO {other};
GRANT SELECT, UPDATE (name) ON people TO {other};
"""
HARM = """
DROP TABLE people CASCADE;
DROP SCHEMA inner_schema CASCADE;
DROP SEQUENCE counted;
CREATE TABLE later (id int);
"""
STATE = """
SELECT (SELECT array_agg(p ORDER BY id) FROM people AS p)::text,
       (SELECT md5(string_agg(text, '' ORDER BY n)) FROM inner_schema.big),
       (SELECT last_value FROM counted), (SELECT last_value FROM people_id_seq),
       (SELECT array_agg(name) FROM names), double(4),
       (SELECT relacl FROM pg_class WHERE relname = 'people')::text,
       (SELECT array_agg(attacl::text) FROM pg_attribute WHERE attrelid = 'people'::regclass),
       (SELECT array_agg(defaclacl::text) FROM pg_default_acl),
       (SELECT array_agg(relname ORDER BY relname) FROM pg_class
        WHERE relnamespace IN ('public'::regnamespace, 'inner_schema'::regnamespace)),
       (SELECT array_agg(pg_get_userbyid(relowner)) FROM pg_class WHERE relname = 'people'),
       (SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public')
"""
PROPERTIES = """
SELECT d.datname, pg_get_userbyid(d.datdba), d.datallowconn, d.datistemplate, d.datconnlimit,
       shobj_description(d.oid, 'pg_database'), d.datcollate, d.datlocale, pg_encoding_to_char(d.encoding),
       (SELECT array_agg(acl::text ORDER BY acl::text) FROM unnest(d.datacl) AS acl),
       (SELECT array_agg((setrole, setconfig)::text ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)
FROM pg_database d WHERE d.datname = current_database()
"""


def fill(project, other):
    project.sql(CONTENTS.replace("{other}", other.parameters["role"]))


def test_schema_and_data_come_back_exactly(project, other, monkeypatch):
    monkeypatch.setattr(cluster, "COPY_SMALL", sql.SQL("WAL_LOG"))  # as it is wherever no test has set it
    fill(project, other)
    (before,) = project.sql(STATE)
    snapshot_id = project.snapshot()
    project.sql(HARM)
    project.restore(snapshot_id)
    assert project.sql(STATE) == [before]
    assert project.sql("SELECT nextval('counted')") == [(42,)]
    assert project.sql("INSERT INTO people (name) VALUES ('Grace') RETURNING id") == [(3,)]


def test_a_large_database_is_copied_in_another_way_to_the_same_effect(project, other, monkeypatch):
    monkeypatch.setattr(cluster, "LARGE_BYTES", 0)
    monkeypatch.setattr(cluster, "COPY_SMALL", sql.SQL("WAL_LOG"))
    fill(project, other)
    (before,) = project.sql(STATE)
    snapshot_id = project.snapshot()
    project.sql(HARM)
    project.restore(snapshot_id)
    assert project.sql(STATE) == [before]


def test_an_extension_comes_back(project):
    with psycopg.connect(
        **postgres.server().address(), dbname=project.parameters["database"], autocommit=True
    ) as superuser:
        superuser.execute("CREATE EXTENSION vector")
    project.sql("CREATE TABLE points (at vector(2)); INSERT INTO points VALUES ('[1,2]')")
    snapshot_id = project.snapshot()
    project.sql("DROP TABLE points")
    project.restore(snapshot_id)
    assert project.sql("SELECT at <-> '[1,4]' FROM points") == [(2.0,)]


def test_what_a_copy_does_not_carry_comes_back_too(project, other):
    mine, theirs, database = project.parameters["role"], other.parameters["role"], project.parameters["database"]
    with project.connect() as connection:
        for statement in (
            """ALTER DATABASE {db} SET search_path = "a b", public, 'c,d'""",
            "ALTER DATABASE {db} SET statement_timeout = '12s'",
            "ALTER ROLE {mine} IN DATABASE {db} SET work_mem = '7MB'",
            "ALTER DATABASE {db} CONNECTION LIMIT 17",
            "COMMENT ON DATABASE {db} IS 'It''s \"mine\"'",
            "GRANT CONNECT, TEMPORARY ON DATABASE {db} TO {theirs} WITH GRANT OPTION",
            "GRANT TEMPORARY ON DATABASE {db} TO PUBLIC",
        ):
            names = {"db": database, "mine": mine, "theirs": theirs}
            connection.execute(
                sql.SQL(statement).format(**{name: sql.Identifier(value) for name, value in names.items()})
            )
    (before,) = project.sql(PROPERTIES)
    snapshot_id = project.snapshot()
    assert project.sql(PROPERTIES) == [before]
    with project.connect() as connection:
        for statement in (
            "ALTER DATABASE {} RESET ALL",
            "ALTER DATABASE {} SET lock_timeout = '1s'",
            "ALTER DATABASE {} CONNECTION LIMIT 3",
            "COMMENT ON DATABASE {} IS NULL",
            "REVOKE ALL ON DATABASE {} FROM PUBLIC",
        ):
            connection.execute(sql.SQL(statement).format(sql.Identifier(database)))
    for _ in range(2):
        project.restore(snapshot_id)
        assert project.sql(PROPERTIES) == [before]
    assert project.sql("SHOW search_path") == [('"a b", public, "c,d"',)]
    assert project.sql("SHOW work_mem") == [("7MB",)]


def test_a_grant_to_a_role_that_is_gone_is_left_out(project, http):
    with plane.project(http, "short-lived") as gone:
        theirs = sql.Identifier(gone.parameters["role"])
        mine = sql.Identifier(project.parameters["database"])
        with project.connect() as connection:
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(mine, theirs))
        snapshot_id = project.snapshot()
        with project.connect() as connection:
            connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM {}").format(mine, theirs))
    upkeep.run()
    assert gone.parameters["role"] not in plane.names_in_cluster()
    project.restore(snapshot_id)
    assert project.sql("SELECT 1") == [(1,)]


def test_privileges_that_others_passed_on_do_not_block_a_restore(project, other, http):
    with plane.project(http, "third") as third:
        database = sql.Identifier(project.parameters["database"])
        second_role, third_role = (sql.Identifier(it.parameters["role"]) for it in (other, third))
        snapshot_id = project.snapshot()
        grant = "GRANT CONNECT ON DATABASE {} TO {} WITH GRANT OPTION"
        with project.connect() as connection:
            connection.execute(sql.SQL(grant).format(database, second_role))
        with other.connect() as connection:
            connection.execute(sql.SQL(grant).format(database, third_role))
        project.restore(snapshot_id)
        (replaced,) = project.physical()["replaced"]
        for grantee in (other, third):
            with pytest.raises(psycopg.OperationalError):
                grantee.connect(dbname=replaced)


def test_the_uri_and_the_endpoint_stay_and_the_default_branch_changes(project):
    before = project.default
    endpoints = project.did("GET", "/endpoints")["endpoints"]
    answer = project.restore(project.snapshot())
    after = project.default
    assert answer["branch"]["id"] == after["id"] != before["id"]
    assert after["name"] == "main"
    assert project.branches()["main (old)"]["id"] == before["id"]
    assert project.branches()["main (old)"]["default"] is False
    moved = project.did("GET", "/endpoints")["endpoints"]
    assert [(row["id"], row["host"]) for row in moved] == [(row["id"], row["host"]) for row in endpoints]
    assert moved[0]["branch_id"] == answer["endpoints"][0]["branch_id"] == after["id"]
    names = {"database_name": "neondb", "role_name": "neondb_owner"}
    assert project.did("GET", "/connection_uri", params=names)["uri"] == project.uri
    assert project.call("GET", "/connection_uri", params={**names, "branch_id": before["id"]}).status_code == 404


def test_restoring_again_numbers_the_replaced_branches(project):
    snapshot_id = project.snapshot()
    for _ in range(3):
        project.restore(snapshot_id)
    assert set(project.branches()) == {"main", "main (old)", "main (old 2)", "main (old 3)"}


def test_open_sessions_end(project):
    snapshot_id = project.snapshot()
    with project.connect() as connection:
        connection.execute("CREATE TABLE later (id int)")
        project.restore(snapshot_id)
        with pytest.raises(psycopg.errors.AdminShutdown) as caught:
            connection.execute("SELECT 1")
    assert caught.value.sqlstate == "57P01"
    assert project.sql("SELECT to_regclass('later')") == [(None,)]


def test_an_open_transaction_does_not_hold_a_restore_up(project):
    project.sql("CREATE TABLE t (id int)")
    snapshot_id = project.snapshot()
    with psycopg.connect(project.uri) as connection:
        connection.execute("LOCK TABLE t")
        started = time.monotonic()
        project.restore(snapshot_id)
        assert time.monotonic() - started < 2
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")


def test_a_snapshot_outlives_its_source_branch(project):
    source = project.default["id"]
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    snapshot_id = project.snapshot()
    project.restore(snapshot_id)
    assert project.did("DELETE", f"/branches/{source}")["branch"]["id"] == source
    project.sql("DROP TABLE t")
    project.restore(snapshot_id)
    assert project.sql("SELECT n FROM t") == [(1,)]


def test_without_a_target_the_source_branch_is_replaced_even_if_it_is_old(project):
    source = project.default["id"]
    project.sql("CREATE TABLE t AS SELECT 'old' AS world")
    snapshot_id = project.snapshot()
    project.restore(snapshot_id)
    project.sql("UPDATE t SET world = 'new'")
    default = project.default["id"]
    answer = project.did("POST", f"/snapshots/{snapshot_id}/restore", json={"finalize_restore": True})
    assert answer["branch"]["name"] == "main (old)"
    assert project.default["id"] == default
    assert project.branches()["main (old) (old)"]["id"] == source
    assert project.sql("SELECT world FROM t") == [("new",)]


def test_the_target_is_honoured(project):
    source = project.default["id"]
    project.sql("CREATE TABLE t AS SELECT 'old' AS world")
    snapshot_id = project.snapshot()
    project.restore(snapshot_id)
    project.sql("UPDATE t SET world = 'new'")
    target = project.default["id"]
    assert target != source
    project.restore(snapshot_id, target_branch_id=target)
    assert project.sql("SELECT world FROM t") == [("old",)]
    assert project.branches()["main (old 2)"]["id"] == target


@pytest.mark.parametrize("missing", ["snapshot", "branch", "project"])
def test_unknown_ids_are_not_found(project, http, missing):
    snapshot_id = "snap-not-there-12345678" if missing == "snapshot" else project.snapshot()
    branch_id = "br-not-there-12345678" if missing == "branch" else project.default["id"]
    project_id = "not-there-12345678" if missing == "project" else project.id
    body = {"finalize_restore": True, "target_branch_id": branch_id}
    answer = http.post(f"projects/{project_id}/snapshots/{snapshot_id}/restore", json=body)
    assert answer.status_code == 404
    assert set(project.branches()) == {"main"}


def test_another_projects_snapshot_and_branch_are_not_found(project, other):
    theirs, mine = other.snapshot(), project.snapshot()
    body = {"finalize_restore": True, "target_branch_id": project.default["id"]}
    assert project.call("POST", f"/snapshots/{theirs}/restore", json=body).status_code == 404
    body["target_branch_id"] = other.default["id"]
    assert project.call("POST", f"/snapshots/{mine}/restore", json=body).status_code == 404


def test_the_default_branch_cannot_be_deleted(project):
    assert project.call("DELETE", f"/branches/{project.default['id']}").status_code == 422
    assert project.sql("SELECT 1") == [(1,)]


def test_deleting_an_absent_branch_is_no_content(project):
    answer = project.call("DELETE", "/branches/br-not-there-12345678")
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.fixture
def two_worlds(project):
    """A project that says "new", and a call that restores a snapshot that says "old"."""
    project.sql("CREATE TABLE t AS SELECT 'old' AS world")
    path = f"/snapshots/{project.snapshot()}/restore"
    project.sql("UPDATE t SET world = 'new'")
    body = {"finalize_restore": True, "target_branch_id": project.default["id"]}
    return project, lambda: project.call("POST", path, json=body).status_code


def no_swaps(patched):
    """Let every swap fail half way."""
    patched.setattr("neon.local.engine.restores.free_name", lambda *arguments: None)


def test_a_failed_swap_leaves_the_old_world_open_and_nothing_of_the_new_one(two_worlds, monkeypatch):
    project, restore = two_worlds
    before = project.branches()
    with monkeypatch.context() as patched:
        no_swaps(patched)
        assert restore() == 500
    assert project.branches() == before
    assert project.sql("SELECT world FROM t") == [("new",)]
    assert restore() == 200
    assert project.sql("SELECT world FROM t") == [("old",)]


def test_one_that_fails_when_its_operations_have_ended_is_tried_again(two_worlds, monkeypatch, settings):
    project, restore = two_worlds
    settings.NEON_LOCAL_OPERATION_SECONDS = 0.05
    with monkeypatch.context() as patched:
        no_swaps(patched)
        assert restore() == 200
        time.sleep(0.05)
        assert project.call("GET", "/operations").status_code == 500
        assert project.sql("SELECT world FROM t") == [("new",)]
    project.did("GET", "/operations")
    assert project.sql("SELECT world FROM t") == [("old",)]


def at_once(*calls):
    """Call all of them at the same time, and return what they returned."""
    barrier, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(position, call):
        barrier.wait()
        results[position] = call()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_changes_at_once_are_done_one_after_the_other_or_locked_out(project):
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    snapshot_id, branch_id = project.snapshot(), project.default["id"]
    body = {"finalize_restore": True, "target_branch_id": branch_id}

    def restore():
        return project.call("POST", f"/snapshots/{snapshot_id}/restore", json=body).status_code

    def snapshot():
        return project.call("POST", f"/branches/{body['target_branch_id']}/snapshot").status_code

    for calls in ((restore, restore), (restore, snapshot), (snapshot, snapshot)):
        body["target_branch_id"] = project.default["id"]
        assert sorted(at_once(*calls)) in ([200, 423], [200, 200])
    assert project.sql("SELECT n FROM t") == [(1,)]


def test_different_projects_do_not_wait_for_each_other(http):
    def flow(number):
        with plane.project(http, f"parallel-{number}") as mine:
            mine.sql(f"CREATE TABLE t AS SELECT {number} AS n")
            snapshot_id = mine.snapshot()
            mine.sql("DROP TABLE t")
            mine.restore(snapshot_id)
            return mine.sql("SELECT n FROM t")

    assert at_once(*(lambda number=number: flow(number) for number in range(4))) == [[(n,)] for n in range(4)]


def test_reads_are_answered_during_a_restore(project, monkeypatch):
    snapshot_id = project.snapshot()
    copying, go_on = threading.Event(), threading.Event()

    def slow(*arguments):
        copying.set()
        go_on.wait(10)
        return real(*arguments)

    real = cluster.copying
    monkeypatch.setattr(cluster, "copying", slow)
    restoring = threading.Thread(target=project.restore, args=(snapshot_id,))
    restoring.start()
    try:
        assert copying.wait(10)
        assert project.default["name"] == "main"
        assert project.did("GET", "/operations")["operations"]
        assert project.call("POST", f"/branches/{project.default['id']}/snapshot").status_code == 423
        assert project.sql("SELECT 1") == [(1,)]
    finally:
        go_on.set()
        restoring.join()
