"""Databases of a branch: each with a name and an owner of its own."""

from urllib.parse import quote

import psycopg
import pytest

from neon.local.engine import upkeep
from tests.neon.local import plane


def prepare(project):
    """Give the default branch a second role, and return the path of its databases."""
    branch = f"/branches/{project.default['id']}"
    project.did("POST", branch + "/roles", json={"role": {"name": "second"}})
    return branch + "/databases"


@pytest.fixture
def path(project):
    """The path of the default branch's databases; the branch has a second role."""
    return prepare(project)


@pytest.fixture(scope="module")
def lasting(http):
    """A project for what leaves it as it was, and that path."""
    with plane.project(http) as made:
        yield made, prepare(made)


def create(project, path, name, owner="neondb_owner"):
    """Make a database, and return it."""
    return project.did("POST", path, json={"database": {"name": name, "owner_name": owner}})["database"]


def owner_in_cluster(project, name):
    """Return the Neon name of the role that owns a live database."""
    ((database, _),) = plane.sql(project.uri_of(database=name), "SELECT current_database(), 1")
    query = (
        "SELECT r.name FROM pg_database d JOIN roles r ON r.physical_name = pg_get_userbyid(d.datdba)"
        " WHERE d.datname = %s"
    )
    return plane.memory(query, [database])[0]["name"]


def test_a_new_one_is_empty_and_its_owners(project, path):
    project.sql("CREATE TABLE t (n int)")
    made = project.did("POST", path, json={"database": {"name": "library", "owner_name": "second"}})
    assert [row["action"] for row in made["operations"]] == ["apply_config"]
    assert (made["database"]["name"], made["database"]["owner_name"]) == ("library", "second")
    assert owner_in_cluster(project, "library") == "second"
    uri = project.uri_of(database="library", role="second")
    assert plane.sql(uri, "SELECT to_regclass('t')") == [(None,)]
    plane.sql(uri, "CREATE TABLE books (title text)")
    assert [row["name"] for row in project.did("GET", path)["databases"]] == ["neondb", "library"]
    assert project.did("GET", path + "/library")["database"] == made["database"]


def test_a_branch_made_later_has_its_own(project, path):
    create(project, path, "library")
    plane.sql(project.uri_of(database="library"), "CREATE TABLE books AS SELECT 'main' AS title")
    dev = project.branch("dev")
    plane.sql(project.uri_of(dev["id"], "library"), "UPDATE books SET title = 'dev'")
    assert plane.sql(project.uri_of(database="library"), "SELECT title FROM books") == [("main",)]


def test_on_a_closed_branch_it_opens_with_the_branch(project):
    dev = project.branch("dev", endpoint=False)
    create(project, f"/branches/{dev['id']}/databases", "library")
    query = "SELECT datallowconn FROM pg_database JOIN databases ON physical_name = datname WHERE name = 'library'"
    assert plane.memory(query + " AND branch_id = %s", [dev["id"]]) == [{"datallowconn": False}]
    project.did("POST", "/endpoints", json={"endpoint": {"branch_id": dev["id"], "type": "read_write"}})
    plane.sql(project.uri_of(dev["id"], "library"), "CREATE TABLE books (title text)")


def test_it_is_renamed_and_keeps_its_content(project, path):
    create(project, path, "library")
    plane.sql(project.uri_of(database="library"), "CREATE TABLE books AS SELECT 1 AS n")
    made = project.did("PATCH", path + "/library", json={"database": {"name": "archive"}})
    assert made["database"]["name"] == "archive"
    assert made["database"]["owner_name"] == "neondb_owner"
    assert plane.sql(project.uri_of(database="archive"), "SELECT n FROM books") == [(1,)]
    assert project.call("GET", path + "/library").status_code == 404
    assert project.call("PATCH", path + "/archive", json={"database": {"name": "neondb"}}).status_code == 409
    assert project.call("PATCH", path + "/archive", json={"database": {"name": "archive"}}).status_code == 200


@pytest.mark.parametrize("closed", [False, True])
def test_it_changes_hands(project, path, closed):
    branch = project.branch("dev", endpoint=not closed)
    path = path.replace(project.default["id"], branch["id"])
    made = project.did("PATCH", path + "/neondb", json={"database": {"owner_name": "second"}})
    assert made["database"]["owner_name"] == "second"
    if closed:
        project.did("POST", "/endpoints", json={"endpoint": {"branch_id": branch["id"], "type": "read_write"}})
    plane.sql(project.uri_of(branch["id"], role="second"), "CREATE TABLE t (n int)")
    assert plane.sql(project.uri_of(branch["id"]), "SELECT to_regclass('t') IS NOT NULL") == [(True,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plane.sql(project.uri_of(branch["id"]), "CREATE TABLE u (n int)")
    back = project.did("PATCH", path + "/neondb", json={"database": {"owner_name": "neondb_owner"}})
    assert back["database"]["owner_name"] == "neondb_owner"
    plane.sql(project.uri_of(branch["id"]), "CREATE TABLE u (n int)")
    assert plane.sql(project.uri_of(branch["id"], role="second"), "SELECT 1") == [(1,)]


def test_a_deleted_one_is_closed_at_once_and_upkeep_drops_it(project, path):
    create(project, path, "library")
    uri = project.uri_of(database="library")
    before = set(project.physical()["live"])
    with psycopg.connect(uri, autocommit=True) as connection:
        made = project.did("DELETE", path + "/library")
        assert made["database"]["name"] == "library"
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
    with plane.refused():
        plane.sql(uri, "SELECT 1")
    assert project.call("DELETE", path + "/library").status_code == 204
    upkeep.run()
    assert before & plane.names_in_cluster() == set(project.physical()["live"])
    create(project, path, "library", "second")
    assert owner_in_cluster(project, "library") == "second"


def test_all_of_them_may_go(project, path):
    project.did("DELETE", path + "/neondb")
    assert project.did("GET", path) == {"databases": []}
    project.restore(project.snapshot())
    create(project, f"/branches/{project.default['id']}/databases", "neondb")
    plane.sql(project.uri_of(), "CREATE TABLE t (n int)")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "neondb", "owner_name": "second"}, 409),
        ({"name": "library", "owner_name": "nobody"}, 404),
        ({"name": "library"}, 400),
        ({"owner_name": "second"}, 400),
        ({"name": "library", "owner_name": None}, 400),
        ({"name": "", "owner_name": "second"}, 400),
        ({"name": 5, "owner_name": "second"}, 400),
        ({"name": "library", "owner_name": ["second"]}, 400),
    ],
)
def test_what_cannot_be_made_is_refused(lasting, body, status):
    project, path = lasting
    answer = project.call("POST", path, json={"database": body})
    assert answer.status_code == status, answer.text
    assert [row["name"] for row in project.did("GET", path)["databases"]] == ["neondb"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"owner_name": "nobody"}, 404),
        ({"name": ""}, 400),
        ({"name": "x" * 64}, 400),
        ({"name": False}, 400),
        ({"owner_name": {}}, 400),
    ],
)
def test_what_cannot_be_changed_is_refused(lasting, body, status):
    project, path = lasting
    before = project.did("GET", path + "/neondb")
    assert project.call("PATCH", path + "/neondb", json={"database": body}).status_code == status
    assert project.call("PATCH", path + "/nothing", json={"database": {"name": "x"}}).status_code == 404
    assert project.did("GET", path + "/neondb") == before


@pytest.mark.parametrize("name", ['a "b"; DROP TABLE t --', "O'Hara", "two words", "Zoë🐘", "ABC", "%s", "x" * 63])
def test_a_name_may_be_anything_that_postgres_takes(project, path, name):
    create(project, path, name)
    assert project.did("GET", f"{path}/{quote(name)}")["database"]["name"] == name
    assert plane.sql(project.uri_of(database=name), "SELECT 1") == [(1,)]
    project.restore(project.snapshot())
    assert plane.sql(project.uri_of(database=name), "SELECT 1") == [(1,)]


@pytest.mark.parametrize("name", ["x" * 64, "é" * 32, "🐘" * 16, "x" * 300, "a/b", "\0", "\ud800"])
def test_a_name_that_it_would_cut_or_refuse_is_refused(http, lasting, name):
    project, path = lasting
    body = {"database": {"name": name, "owner_name": "second"}}
    answer = plane.send_json(http, "POST", f"projects/{project.id}{path}", body)
    assert answer.status_code == 400, answer.text
    made = plane.send_json(http, "POST", "projects", {"project": {"branch": {"database_name": name}}})
    assert made.status_code == 400, made.text
    made = plane.send_json(http, "POST", "projects", {"project": {"branch": {"role_name": name}}})
    assert made.status_code == 400, made.text


def test_a_project_may_be_made_with_names_of_ones_own(http):
    branch = {"name": "production", "database_name": "the library", "role_name": 'the "owner"'}
    made = plane.Project(http, http.post("projects", json={"project": {"branch": branch}}).json())
    try:
        assert made.made["branch"]["name"] == "production"
        assert made.made["databases"][0]["name"] == "the library"
        assert made.made["roles"][0]["name"] == 'the "owner"'
        assert made.uri_of(database="the library", role='the "owner"') == made.uri
        made.sql("CREATE TABLE t (n int)")
    finally:
        made.did("DELETE", "")
