"""Isolation within a project, by attack: what its roles can do with each other's, and with what nobody serves."""

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tests.neon.local import plane


@pytest.fixture(scope="module")
def wide(http):
    """A project with a second role, a branch never opened, one closed again, a preview, and a deleted branch."""
    with plane.project(http) as made:
        branch = f"/branches/{made.default['id']}"
        made.did("POST", f"{branch}/roles", json={"role": {"name": "second"}})
        made.second = made.uri_of(role="second")
        made.sql("CREATE TABLE secret AS SELECT 1 AS n")
        made.branch("closed", endpoint=False)
        again = made.branch("closed again")
        (endpoint,) = made.did("GET", f"/branches/{again['id']}/endpoints")["endpoints"]
        made.did("DELETE", f"/endpoints/{endpoint['id']}")
        made.preview = made.did("POST", f"/snapshots/{made.snapshot()}/restore")["branch"]["id"]
        made.did("DELETE", f"/branches/{made.branch('deleted')['id']}")
        yield made


def leftovers():
    """Return the databases that wait to be dropped."""
    return [row["physical_name"] for row in plane.memory("SELECT physical_name FROM leftovers WHERE kind = 'database'")]


def test_what_no_endpoint_serves_is_closed_to_all_of_the_projects_roles(wide):
    closed = wide.physical()["replaced"] + wide.physical()["snapshots"]
    deleted = leftovers()
    assert (len(closed), len(deleted) > 0) == (3, True)
    for name in closed + deleted:
        for uri in (wide.uri, wide.second):
            with pytest.raises(psycopg.OperationalError, match=plane.CLOSED):
                psycopg.connect(uri, dbname=name)


@pytest.mark.parametrize("attack", [*plane.ATTACKS, "GRANT ALL ON DATABASE {} TO PUBLIC"])
def test_none_of_them_can_change_drop_or_copy_it(wide, attack):
    for uri in (wide.uri, wide.second):
        for name in wide.physical()["replaced"]:
            with pytest.raises(InsufficientPrivilege):
                plane.sql(uri, sql.SQL(attack).format(sql.Identifier(name)))


@pytest.mark.parametrize("attack", plane.ATTACKS)
def test_a_second_role_cannot_harm_the_live_database(wide, attack):
    with pytest.raises(InsufficientPrivilege):
        plane.sql(wide.second, sql.SQL(attack).format(sql.Identifier(wide.parameters["database"])))


@pytest.mark.parametrize(
    "attack",
    [
        "SELECT * FROM secret",
        "DROP TABLE secret",
        "CREATE TABLE mine (n int)",
        "CREATE SCHEMA mine",
        "SET ROLE {owner}",
        "SET SESSION AUTHORIZATION {owner}",
        "ALTER ROLE {owner} PASSWORD 'mine'",
        "ALTER ROLE {owner} IN DATABASE {db} SET work_mem = '1MB'",
        "GRANT {owner} TO CURRENT_USER",
        "REASSIGN OWNED BY {owner} TO CURRENT_USER",
        "DROP OWNED BY {owner}",
        "DROP ROLE {owner}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT ALL ON TABLES TO CURRENT_USER",
    ],
)
def test_a_second_role_is_not_the_owner(wide, attack):
    names = {"owner": sql.Identifier(wide.parameters["role"]), "db": sql.Identifier(wide.parameters["database"])}
    with pytest.raises(InsufficientPrivilege):
        plane.sql(wide.second, sql.SQL(attack).format(**names))


def test_a_second_role_cannot_end_the_owners_sessions_nor_see_what_they_run(wide):
    with wide.connect() as owner, psycopg.connect(wide.second, autocommit=True) as second:
        owner.execute("SELECT 'confidential'")
        with pytest.raises(InsufficientPrivilege):
            second.execute("SELECT pg_terminate_backend(%s)", [owner.info.backend_pid])
        assert "confidential" not in str(second.execute("SELECT * FROM pg_stat_activity").fetchall())
        owner.execute("SELECT 1")


def test_a_preview_is_closed_to_other_projects(wide, other):
    ((name,),) = plane.sql(wide.uri_of(wide.preview), "SELECT current_database()")
    with pytest.raises(psycopg.OperationalError, match=plane.CLOSED):
        other.connect(dbname=name)


def test_a_role_of_one_branch_is_let_into_no_other_by_a_restore(http):
    with plane.project(http) as made:
        dev, database = made.branch("dev"), sql.Identifier(made.parameters["database"])
        made.did("POST", f"/branches/{dev['id']}/roles", json={"role": {"name": "guest"}})
        uri = made.uri_of(dev["id"], role="guest")
        ((guest,),) = plane.sql(uri, "SELECT current_user")
        made.sql(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(guest)))
        assert psycopg.connect(uri, dbname=made.parameters["database"]).close() is None
        made.restore(made.snapshot())
        with pytest.raises(psycopg.OperationalError, match=plane.CLOSED):
            psycopg.connect(uri, dbname=made.parameters["database"])
