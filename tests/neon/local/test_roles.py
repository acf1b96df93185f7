"""Roles: a branch has those made on it or that it came with, and each may connect to that branch's databases only."""

from urllib.parse import quote

import psycopg
import pytest

from neon.local.engine import upkeep
from tests.neon.local import plane

NO_LOG_IN = r"not permitted to log in|password authentication failed"


@pytest.fixture(scope="module")
def lasting(http):
    """A project for what leaves it as it was."""
    with plane.project(http) as made:
        yield made


def create(project, name, branch_id=None, **more):
    """Make a role on a branch, the default one unless another is named, and return the answer."""
    path = f"/branches/{branch_id or project.default['id']}/roles"
    return project.did("POST", path, json={"role": {"name": name, **more}})


def path_of(project, name, branch_id=None):
    """Return the path of a role on a branch, the default one unless another is named."""
    return f"/branches/{branch_id or project.default['id']}/roles/{quote(name)}"


def names(project, branch_id=None):
    """Return the names of a branch's roles."""
    return [row["name"] for row in project.did("GET", path_of(project, "", branch_id)[:-1])["roles"]]


def physical(project, name):
    """Return a role's name in the cluster, if the plane still knows it."""
    query = "SELECT physical_name FROM roles WHERE project_id = %s AND name = %s"
    return next((row["physical_name"] for row in plane.memory(query, [project.id, name])), None)


def as_role(uri, project, name):
    """Return a URI with another role of the project in it."""
    user, password = physical(project, name), project.did("GET", path_of(project, name) + "/reveal_password")
    return psycopg.conninfo.make_conninfo(uri, user=user, password=password["password"])


def test_a_new_one_logs_in_with_the_password_of_the_answer(project):
    made = create(project, "reader")
    assert (made["role"]["name"], made["role"]["branch_id"]) == ("reader", project.default["id"])
    assert [row["action"] for row in made["operations"]] == ["apply_config"]
    uri = project.uri_of(role="reader")
    assert psycopg.conninfo.conninfo_to_dict(uri)["password"] == made["role"]["password"]
    assert plane.sql(uri, "SELECT current_user") == [(physical(project, "reader"),)]
    assert names(project) == ["neondb_owner", "reader"]
    assert project.did("GET", path_of(project, "reader"))["role"].keys() == made["role"].keys() - {"password"}


def test_it_may_connect_to_its_branchs_databases_and_to_no_others(project):
    dev = project.branch("dev")
    for name, owner in (("mine", "neondb_owner"), ("also", "neondb_owner")):
        database = {"name": name, "owner_name": owner}
        project.did("POST", f"/branches/{project.default['id']}/databases", json={"database": database})
    create(project, "reader")
    for database in ("neondb", "mine", "also"):
        assert plane.sql(project.uri_of(database=database, role="reader"), "SELECT 1") == [(1,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            plane.sql(project.uri_of(database=database, role="reader"), "CREATE TABLE t (n int)")
    with plane.refused(match="permission denied"):
        plane.sql(as_role(project.uri_of(dev["id"]), project, "reader"), "SELECT 1")
    assert project.call("GET", path_of(project, "reader", dev["id"])).status_code == 404
    answer = project.call(
        "GET",
        "/connection_uri",
        params={"database_name": "neondb", "role_name": "reader", "branch_id": dev["id"]},
    )
    assert answer.status_code == 404


def test_a_branch_made_later_has_it_too(project):
    create(project, "reader")
    dev = project.branch("dev")
    assert names(project, dev["id"]) == ["neondb_owner", "reader"]
    assert plane.sql(project.uri_of(dev["id"], role="reader"), "SELECT 1") == [(1,)]


def test_on_a_closed_branch_it_is_let_in_when_that_opens(project):
    dev = project.branch("dev", endpoint=False)
    create(project, "reader", dev["id"])
    project.did("POST", "/endpoints", json={"endpoint": {"branch_id": dev["id"], "type": "read_write"}})
    assert plane.sql(project.uri_of(dev["id"], role="reader"), "SELECT 1") == [(1,)]
    with plane.refused(match="permission denied"):
        project.connect(
            user=physical(project, "reader"),
            password=project.did("GET", path_of(project, "reader", dev["id"]) + "/reveal_password")["password"],
        )


def test_one_without_a_log_in_has_no_password_and_no_uri(project):
    made = create(project, "group", no_login=True)["role"]
    assert "password" not in made
    uri = {"database_name": "neondb", "role_name": "group"}
    for answer in (
        project.call("GET", path_of(project, "group") + "/reveal_password"),
        project.call("POST", path_of(project, "group") + "/reset_password"),
        project.call("GET", "/connection_uri", params=uri),
    ):
        assert answer.status_code == 412, answer.text
    (row,) = plane.memory("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [physical(project, "group")])
    assert row == {"rolcanlogin": False}


def test_the_password_is_revealed_and_reset(project):
    create(project, "reader")
    before = project.uri_of(role="reader")
    with psycopg.connect(before, autocommit=True) as connection:
        made = project.did("POST", path_of(project, "reader") + "/reset_password")
        password = made["role"]["password"]
        assert project.did("GET", path_of(project, "reader") + "/reveal_password") == {"password": password}
        assert [row["action"] for row in made["operations"]] == ["apply_config"]
        connection.execute("SELECT 1")
    with plane.refused(match="password authentication failed"):
        plane.sql(before, "SELECT 1")
    assert plane.sql(project.uri_of(role="reader"), "SELECT 1") == [(1,)]
    assert password in project.uri_of(role="reader")


def test_the_password_of_one_role_is_one_on_all_branches(project):
    dev = project.branch("dev")
    project.did("POST", path_of(project, "neondb_owner", dev["id"]) + "/reset_password")
    with plane.refused(match="password authentication failed"):
        project.connect()
    assert plane.sql(project.uri_of(), "SELECT 1") == [(1,)]


def test_one_that_owns_or_is_granted_something_may_not_be_deleted(project):
    create(project, "reader")
    role = physical(project, "reader")
    project.sql("CREATE TABLE t (n int)")
    for grant, revoke in (
        (f"GRANT SELECT ON t TO {role}", f"REVOKE SELECT ON t FROM {role}"),
        (
            f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}",
            f"ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM {role}",
        ),
    ):
        project.sql(grant)
        assert project.call("DELETE", path_of(project, "reader")).status_code == 422
        project.sql(revoke)
    project.sql(f"GRANT CREATE ON SCHEMA public TO {role}")
    plane.sql(project.uri_of(role="reader"), "CREATE TABLE mine (n int)")
    project.sql(f"REVOKE CREATE ON SCHEMA public FROM {role}")
    assert project.call("DELETE", path_of(project, "reader")).status_code == 422
    plane.sql(project.uri_of(role="reader"), "DROP TABLE mine")
    assert project.did("DELETE", path_of(project, "reader"))["role"]["name"] == "reader"


def test_one_that_owns_a_database_may_not_be_deleted(project):
    answer = project.call("DELETE", path_of(project, "neondb_owner"))
    assert answer.status_code == 422
    assert project.sql("SELECT 1") == [(1,)]


def test_a_deleted_one_is_locked_out_at_once_and_upkeep_drops_it(project):
    create(project, "reader")
    uri, role = project.uri_of(role="reader"), physical(project, "reader")
    with psycopg.connect(uri, autocommit=True) as connection:
        project.did("DELETE", path_of(project, "reader"))
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
    with plane.refused(match=NO_LOG_IN):
        plane.sql(uri, "SELECT 1")
    assert names(project) == ["neondb_owner"]
    assert project.call("DELETE", path_of(project, "reader")).status_code == 204
    upkeep.run()
    assert role not in plane.names_in_cluster() | plane.names_in_memory()


def test_one_deleted_on_a_branch_stays_on_the_others(project):
    create(project, "reader")
    dev = project.branch("dev")
    uri = project.uri_of(dev["id"], role="reader")
    project.did("DELETE", path_of(project, "reader", dev["id"]))
    with plane.refused(match="permission denied"):
        plane.sql(uri, "SELECT 1")
    upkeep.run()
    assert names(project, dev["id"]) == ["neondb_owner"]
    assert plane.sql(project.uri_of(role="reader"), "SELECT 1") == [(1,)]
    project.did("DELETE", path_of(project, "reader"))
    upkeep.run()
    assert physical(project, "reader") is None


@pytest.mark.parametrize("kept", ["", "snapshot", "branch"])
def test_one_may_be_made_again_under_the_same_name(project, kept):
    first = create(project, "reader")["role"]["password"]
    if kept == "snapshot":
        project.snapshot()
    if kept == "branch":
        project.branch("dev", endpoint=False)
    before = physical(project, "reader")
    project.did("DELETE", path_of(project, "reader"))
    again = create(project, "reader")["role"]["password"]
    upkeep.run()
    assert (again == first) is (kept == "branch")
    assert (physical(project, "reader") == before) is bool(kept)
    assert plane.sql(project.uri_of(role="reader"), "SELECT 1") == [(1,)]


def test_making_it_on_another_branch_too_leaves_it_as_it_is(project):
    dev = project.branch("dev")
    made = create(project, "reader")["role"]
    path = path_of(project, "", dev["id"])[:-1]
    refused = project.call("POST", path, json={"role": {"name": "reader", "no_login": True}})
    assert refused.status_code == 422
    assert create(project, "reader", dev["id"])["role"]["password"] == made["password"]
    for branch_id in ("", dev["id"]):
        assert plane.sql(project.uri_of(branch_id, role="reader"), "SELECT 1") == [(1,)]


def test_a_name_is_taken_only_on_its_branch(project, other):
    path = path_of(project, "")[:-1]
    assert project.call("POST", path, json={"role": {"name": "neondb_owner"}}).status_code == 409
    create(other, "reader")
    create(project, "reader")
    assert physical(other, "reader") != physical(project, "reader")


@pytest.mark.parametrize("name", ['a "b"; DROP ROLE postgres --', "O'Hara", "mot de passe", "Zoë🐘", "ABC", "x" * 63])
def test_a_name_may_be_anything_that_postgres_takes(lasting, name):
    create(lasting, name)
    assert name in names(lasting)
    assert lasting.did("GET", path_of(lasting, name))["role"]["name"] == name
    assert plane.sql(lasting.uri_of(role=name), "SELECT 1") == [(1,)]
    assert lasting.did("DELETE", path_of(lasting, name))["role"]["name"] == name
    assert names(lasting) == ["neondb_owner"]


@pytest.mark.parametrize("name", ["", "x" * 64, "é" * 32, "x" * 300, "a/b", "\0", "\ud800", 5, None, ["a"], {}])
def test_a_name_that_it_would_cut_or_refuse_is_refused(http, lasting, name):
    answer = plane.send_json(
        http, "POST", f"projects/{lasting.id}{path_of(lasting, '')[:-1]}", {"role": {"name": name}}
    )
    assert answer.status_code == 400, answer.text
    assert "name" in answer.json()["message"]
    assert names(lasting) == ["neondb_owner"]


@pytest.mark.parametrize("action", ["", "/reveal_password", "/reset_password"])
def test_one_that_is_not_there_is_not_found(lasting, action):
    method = "POST" if action == "/reset_password" else "GET"
    assert lasting.call(method, path_of(lasting, "nobody") + action).status_code == 404
    assert lasting.call(method, path_of(lasting, "neondb_owner", "br-not-there-12345678") + action).status_code == 404
