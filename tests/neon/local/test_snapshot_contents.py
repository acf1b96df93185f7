"""What a snapshot and a restore carry: every database and role of the branch, exactly as they were."""

import pytest
from psycopg import sql

from neon.local.engine import upkeep
from tests.neon.local import plane

# Run by the owner, in the database "neondb"; {reader} is another role of the project.
CONTENTS = """
CREATE SCHEMA books;
CREATE TABLE books.book (id serial PRIMARY KEY, title text, pages int);
INSERT INTO books.book (title, pages) VALUES ('One', 1), ('Two', 2);
CREATE SEQUENCE odd INCREMENT 2 START 1 MAXVALUE 99 CYCLE;
SELECT nextval('odd'), nextval('odd'), nextval('odd');
CREATE SEQUENCE unused START 7;
COMMENT ON TABLE books.book IS 'It''s a book';
GRANT USAGE, CREATE ON SCHEMA books TO {reader};
GRANT SELECT, INSERT ON books.book TO {reader} WITH GRANT OPTION;
GRANT UPDATE (title) ON books.book TO {reader};
GRANT USAGE ON SEQUENCE books.book_id_seq TO {reader};
ALTER DEFAULT PRIVILEGES IN SCHEMA books GRANT SELECT ON TABLES TO {reader};
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO {reader};
ALTER DATABASE {db} SET work_mem = '5MB';
ALTER DATABASE {db} SET search_path = "$user", public, books;
ALTER ROLE {me} IN DATABASE {db} SET lock_timeout = '7s';
ALTER DATABASE {db} CONNECTION LIMIT 21;
COMMENT ON DATABASE {db} IS 'the first';
GRANT CREATE, CONNECT ON DATABASE {db} TO {reader} WITH GRANT OPTION;
"""
# Run by the reader, in the same database.
READERS = """
CREATE SCHEMA readers;
CREATE TABLE readers.note AS SELECT 'mine' AS text;
CREATE TABLE books.review (n int);
GRANT SELECT ON readers.note TO {me};
ALTER ROLE {reader} IN DATABASE {db} SET statement_timeout = '11s';
"""
STATE = """
SELECT (SELECT array_agg((nspname, pg_get_userbyid(nspowner), nspacl::text)::text ORDER BY nspname) FROM pg_namespace
        WHERE nspname !~ '^pg_'),
       (SELECT array_agg((relname, relkind, pg_get_userbyid(relowner), relacl::text)::text ORDER BY relname)
        FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('public', 'books', 'readers')),
       (SELECT array_agg((attname, attacl::text)::text) FROM pg_attribute WHERE attacl IS NOT NULL
        AND attrelid > 16383),
       (SELECT array_agg((defaclobjtype, pg_get_userbyid(defaclrole), defaclacl::text)::text ORDER BY defaclobjtype)
        FROM pg_default_acl),
       (SELECT array_agg((schemaname, sequencename, last_value, start_value, increment_by, cycle)::text
                         ORDER BY sequencename) FROM pg_sequences),
       (SELECT array_agg((extname, extversion)::text ORDER BY extname) FROM pg_extension),
       (SELECT obj_description('books.book'::regclass)),
       (SELECT array_agg(b::text ORDER BY id) FROM books.book b),
       (SELECT array_agg(text) FROM readers.note),
       (SELECT array_agg(at::text) FROM place)
"""
CLUSTER = """
SELECT pg_get_userbyid(d.datdba), d.datallowconn, d.datconnlimit, shobj_description(d.oid, 'pg_database'),
       (SELECT array_agg(acl::text ORDER BY acl::text) FROM unnest(d.datacl) AS acl),
       (SELECT array_agg((pg_get_userbyid(nullif(setrole, 0)), setconfig)::text ORDER BY setrole)
        FROM pg_db_role_setting WHERE setdatabase = d.oid)
FROM pg_database d WHERE d.datname = %s
"""


def run(uri, statements, **names):
    """Run statements with names of databases and roles put in."""
    identifiers = {name: sql.Identifier(value) for name, value in names.items()}
    plane.sql(uri, sql.SQL(statements).format(**identifiers))


@pytest.fixture
def filled(project):
    """A project with two roles and two databases, full of everything that can be granted and set."""
    branch = f"/branches/{project.default['id']}"
    project.did("POST", f"{branch}/roles", json={"role": {"name": "reader"}})
    project.did("POST", f"{branch}/databases", json={"database": {"name": "library", "owner_name": "reader"}})
    ((reader,),) = plane.sql(project.uri_of(role="reader"), "SELECT current_user")
    names = {"reader": reader, "me": project.parameters["role"], "db": project.parameters["database"]}
    with plane.superuser(names["db"]) as connection:
        connection.execute("CREATE EXTENSION vector")
    project.sql("CREATE TABLE place AS SELECT '[1,2]'::vector(2) AS at")
    run(project.uri, CONTENTS, **names)
    run(project.uri_of(role="reader"), READERS, **names)
    plane.sql(project.uri_of(database="library", role="reader"), "CREATE TABLE shelf AS SELECT 3 AS n")
    return project


def state(uri):
    """Return all that a database's catalogs and tables say, and what the cluster says of it."""
    ((name,),) = plane.sql(uri, "SELECT current_database()")
    with plane.superuser(name) as connection:
        return connection.execute(STATE).fetchall(), connection.execute(CLUSTER, [name]).fetchall()


def restore(project, snapshot_id, steps):
    """Restore over the default branch in one step or in two."""
    if steps == 1:
        return project.restore(snapshot_id)
    body = {"target_branch_id": project.default["id"]}
    made = project.did("POST", f"/snapshots/{snapshot_id}/restore", json=body)
    return project.did("POST", f"/branches/{made['branch']['id']}/finalize_restore")


def harm(project):
    """Change everything that a snapshot keeps."""
    branch = f"/branches/{project.default['id']}"
    ((database, reader),) = plane.sql(project.uri_of(role="reader"), "SELECT current_database(), current_user")
    with plane.superuser(database) as connection:
        names = {"db": sql.Identifier(database), "reader": sql.Identifier(reader)}
        for statement in (
            "DROP EXTENSION vector CASCADE",
            "DROP SCHEMA books, readers CASCADE",
            "DROP SEQUENCE odd, unused",
            "DROP OWNED BY {reader}",
            "ALTER DATABASE {db} RESET ALL",
            "ALTER DATABASE {db} SET work_mem = '9MB'",
            "ALTER DATABASE {db} CONNECTION LIMIT 2",
            "COMMENT ON DATABASE {db} IS 'harmed'",
        ):
            connection.execute(sql.SQL(statement).format(**names))
    project.did("DELETE", f"{branch}/databases/library")
    project.did("DELETE", f"{branch}/roles/reader")
    project.did("POST", f"{branch}/roles", json={"role": {"name": "late"}})
    project.did("POST", f"{branch}/databases", json={"database": {"name": "later", "owner_name": "late"}})


@pytest.mark.parametrize("steps", [1, 2])
def test_everything_comes_back_exactly(filled, steps):
    before = state(filled.uri)
    databases = filled.did("GET", f"/branches/{filled.default['id']}/databases")["databases"]
    snapshot_id = filled.snapshot()
    assert state(filled.uri) == before
    harm(filled)
    upkeep.run()
    restore(filled, snapshot_id, steps)

    assert state(filled.uri) == before
    assert filled.uri_of() == filled.uri
    branch = f"/branches/{filled.default['id']}"
    after = filled.did("GET", f"{branch}/databases")["databases"]
    assert [(row["name"], row["owner_name"]) for row in after] == [
        (row["name"], row["owner_name"]) for row in databases
    ]
    assert {row["name"] for row in filled.did("GET", f"{branch}/roles")["roles"]} == {"neondb_owner", "reader"}
    reader = filled.uri_of(role="reader")
    assert plane.sql(reader, "SHOW statement_timeout") == [("11s",)]
    assert plane.sql(reader, "INSERT INTO books.book (title) VALUES ('Three') RETURNING id") == [(3,)]
    assert plane.sql(filled.uri_of(database="library", role="reader"), "SELECT n FROM shelf") == [(3,)]
    assert filled.sql("SHOW lock_timeout") == [("7s",)]
    assert filled.sql("SELECT nextval('odd'), nextval('unused')") == [(7, 7)]
    assert filled.sql("SELECT at <-> '[1,4]' FROM place") == [(2.0,)]


@pytest.mark.parametrize("steps", [1, 2])
def test_what_came_later_stays_on_the_replaced_branch(filled, steps):
    snapshot_id = filled.snapshot()
    replaced = filled.default["id"]
    harm(filled)
    late = filled.uri_of(database="later", role="late")
    restore(filled, snapshot_id, steps)
    with plane.refused():
        plane.sql(late, "SELECT 1")
    with plane.refused(match="permission denied"):
        database = filled.parameters["database"]
        plane.sql(f"{late.rpartition('/')[0]}/{database}", "SELECT 1")
    assert {row["name"] for row in filled.did("GET", f"/branches/{replaced}/databases")["databases"]} == {
        "neondb",
        "later",
    }
    filled.did("POST", "/endpoints", json={"endpoint": {"branch_id": replaced, "type": "read_write"}})
    plane.sql(filled.uri_of(replaced, "later", "late"), "CREATE TABLE t (n int)")
    assert plane.sql(filled.uri_of(replaced), "SHOW work_mem") == [("9MB",)]


def test_a_branch_and_its_branch_carry_everything_too(filled):
    before = state(filled.uri)
    closed = filled.branch("closed", endpoint=False)
    child = filled.branch("child", parent_id=closed["id"])
    assert plane.sql(filled.uri_of(child["id"], "library", "reader"), "SELECT n FROM shelf") == [(3,)]
    assert state(filled.uri_of(child["id"])) == before
    assert state(filled.uri) == before


def test_a_snapshot_of_a_restored_database_is_as_good(filled):
    before = state(filled.uri)
    first = filled.snapshot()
    filled.restore(first)
    second = filled.snapshot()
    filled.did("DELETE", f"/snapshots/{first}")
    harm(filled)
    upkeep.run()
    filled.restore(second)
    assert state(filled.uri) == before


def test_nothing_is_left_when_everything_has_been_let_go(filled):
    snapshot_id = filled.snapshot()
    harm(filled)
    replaced = filled.default["id"]
    filled.restore(snapshot_id)
    filled.did("DELETE", f"/branches/{replaced}")
    filled.did("DELETE", f"/snapshots/{snapshot_id}")
    upkeep.run()
    names = {row["name"] for row in plane.memory("SELECT name FROM roles WHERE project_id = %s", [filled.id])}
    assert names == {"neondb_owner", "reader"}
    assert {name: len(there) for name, there in filled.physical().items()} == {
        "snapshots": 0,
        "live": 2,
        "replaced": 0,
    }
    assert plane.names_in_cluster() == plane.names_in_memory()
