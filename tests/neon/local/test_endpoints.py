"""Endpoints: the way into a branch, which sleeps, wakes, and closes the branch when it is taken away."""

import psycopg
import pytest
from psycopg import sql

from tests.neon.local import plane


@pytest.fixture
def endpoint(project):
    """The endpoint of a project's default branch."""
    (found,) = project.did("GET", "/endpoints")["endpoints"]
    return found


@pytest.fixture(scope="module")
def lasting(http):
    """A project for what changes nothing."""
    with plane.project(http) as made:
        yield made


def create(project, branch_id, **more):
    """Ask for an endpoint, and return the answer whatever it is."""
    body = {"endpoint": {"branch_id": branch_id, "type": "read_write", **more}}
    return project.call("POST", "/endpoints", json=body)


def state(project, endpoint):
    """Return an endpoint's state as it is now."""
    return project.did("GET", f"/endpoints/{endpoint['id']}")["endpoint"]["current_state"]


def test_a_closed_branch_opens_with_one(project):
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    branch = project.branch("dev", endpoint=False)
    made = create(project, branch["id"], name="mine")
    assert made.status_code == 201, made.text
    endpoint = made.json()["endpoint"]
    assert (endpoint["branch_id"], endpoint["type"], endpoint["name"]) == (branch["id"], "read_write", "mine")
    assert endpoint["current_state"] == "active"
    assert [row["action"] for row in made.json()["operations"]] == ["start_compute"]
    assert plane.sql(project.uri_of(branch["id"]), "SELECT n FROM t") == [(1,)]


def test_it_is_had_by_its_id_and_in_lists(project, endpoint):
    other = create(project, project.branch("dev", endpoint=False)["id"]).json()["endpoint"]
    assert project.did("GET", f"/endpoints/{endpoint['id']}")["endpoint"] == endpoint
    assert [row["id"] for row in project.did("GET", "/endpoints")["endpoints"]] == [endpoint["id"], other["id"]]
    of_branch = project.did("GET", f"/branches/{other['branch_id']}/endpoints")["endpoints"]
    assert [row["id"] for row in of_branch] == [other["id"]]
    names = {"database_name": "neondb", "role_name": "neondb_owner", "endpoint_id": other["id"]}
    assert project.did("GET", "/connection_uri", params=names)["uri"] == project.uri_of(other["branch_id"])
    contradicting = {**names, "branch_id": endpoint["branch_id"]}
    assert project.call("GET", "/connection_uri", params=contradicting).status_code == 404


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 422),
        ({"type": "read_only"}, 501),
        ({"type": "both"}, 400),
        ({"type": None}, 400),
        ({"branch_id": None}, 400),
        ({"branch_id": "br-not-there-12345678"}, 404),
        ({"name": ""}, 400),
        ({"name": "x" * 65}, 400),
        ({"settings": {"pg_settings": {"work_mem": "1MB"}}}, 501),
        ({"disabled": True}, 501),
        ({"suspend_timeout_seconds": 300}, 501),
        ({"suspend_timeout_seconds": -1}, 501),
        ({"suspend_timeout_seconds": 0, "disabled": False, "settings": {}}, 422),
    ],
)
def test_a_second_or_an_unknown_kind_is_refused(lasting, more, status):
    (endpoint,) = lasting.did("GET", "/endpoints")["endpoints"]
    answer = create(lasting, **{"branch_id": endpoint["branch_id"], **more})
    assert answer.status_code == status, answer.text
    assert lasting.did("GET", "/endpoints")["endpoints"] == [endpoint]


def test_suspending_ends_connections_and_the_next_one_wakes_it(project, endpoint):
    with project.connect() as connection:
        made = project.did("POST", f"/endpoints/{endpoint['id']}/suspend")
        assert made["endpoint"]["current_state"] == "idle"
        assert made["endpoint"]["suspended_at"]
        assert [row["action"] for row in made["operations"]] == ["suspend_compute"]
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
    assert state(project, endpoint) == "idle"
    with project.connect() as connection:
        connection.execute("SELECT 1")
        assert state(project, endpoint) == "active"
    assert state(project, endpoint) == "active"


def test_starting_wakes_it(project, endpoint):
    project.did("POST", f"/endpoints/{endpoint['id']}/suspend")
    made = project.did("POST", f"/endpoints/{endpoint['id']}/start")
    assert made["endpoint"]["current_state"] == "active"
    assert [row["action"] for row in made["operations"]] == ["start_compute"]
    with project.connect() as connection:
        assert project.did("POST", f"/endpoints/{endpoint['id']}/start")["endpoint"]["current_state"] == "active"
        connection.execute("SELECT 1")


def test_restarting_ends_connections_and_leaves_it_awake(project, endpoint):
    with project.connect() as connection:
        made = project.did("POST", f"/endpoints/{endpoint['id']}/restart")
        assert [row["action"] for row in made["operations"]] == ["suspend_compute", "start_compute"]
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
    assert state(project, endpoint) == "active"
    assert project.sql("SELECT 1") == [(1,)]


def test_while_it_starts_it_is_in_the_making(project, settings):
    branch = project.branch("dev", endpoint=False)
    settings.NEON_LOCAL_OPERATION_SECONDS = 30
    made = create(project, branch["id"]).json()["endpoint"]
    assert (made["current_state"], made["pending_state"]) == ("init", "active")
    assert project.call("POST", f"/endpoints/{made['id']}/suspend").status_code == 423
    plane.end_operations(project.id)
    assert state(project, made) == "active"


def test_without_it_the_branch_is_closed_to_everybody_and_opens_again_as_it_was(project, other, endpoint):
    database, role = project.parameters["database"], project.parameters["role"]
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    with project.connect() as connection:
        for statement in (
            "ALTER DATABASE {db} SET work_mem = '5MB'",
            "ALTER ROLE {me} IN DATABASE {db} SET lock_timeout = '7s'",
            "ALTER DATABASE {db} CONNECTION LIMIT 9",
            "COMMENT ON DATABASE {db} IS 'mine'",
            "GRANT CONNECT ON DATABASE {db} TO {other}",
        ):
            names = {"db": database, "me": role, "other": other.parameters["role"]}
            connection.execute(sql.SQL(statement).format(**{key: sql.Identifier(it) for key, it in names.items()}))
        deleted = project.did("DELETE", f"/endpoints/{endpoint['id']}")
        assert [row["action"] for row in deleted["operations"]] == ["suspend_compute"]
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
    for attacker in (project, other):
        with plane.refused():
            attacker.connect(dbname=database)
    query = "SELECT pg_get_userbyid(datdba) AS owner, datallowconn FROM pg_database WHERE datname = %s"
    assert plane.memory(query, [database]) == [{"owner": "postgres", "datallowconn": False}]
    assert project.did("GET", "/endpoints")["endpoints"] == []
    assert project.call("DELETE", f"/endpoints/{endpoint['id']}").status_code == 204

    assert create(project, endpoint["branch_id"]).status_code == 201
    assert project.uri_of() == project.uri
    assert plane.memory(query, [database]) == [{"owner": role, "datallowconn": True}]
    assert project.sql("SELECT n, current_setting('work_mem'), current_setting('lock_timeout') FROM t") == [
        (1, "5MB", "7s")
    ]
    assert plane.memory("SELECT datconnlimit AS most FROM pg_database WHERE datname = %s", [database]) == [{"most": 9}]
    with other.connect(dbname=database) as theirs:
        assert theirs.execute("SELECT 1").fetchone() == (1,)


def test_settings_changed_in_between_are_the_last_ones(project, endpoint):
    database = project.parameters["database"]
    for wanted in ("5MB", "6MB"):
        project.sql(f"ALTER DATABASE {database} SET work_mem = '{wanted}'")
        project.did("DELETE", f"/endpoints/{project.did('GET', '/endpoints')['endpoints'][0]['id']}")
        create(project, endpoint["branch_id"])
        assert project.sql("SHOW work_mem") == [(wanted,)]


@pytest.mark.parametrize("action", ["", "/start", "/suspend", "/restart"])
def test_one_that_is_not_there_or_not_ours_is_not_found(lasting, other, action):
    theirs = other.did("GET", "/endpoints")["endpoints"][0]["id"]
    for endpoint_id in ("ep-not-there-12345678", theirs):
        assert lasting.call("POST" if action else "GET", f"/endpoints/{endpoint_id}{action}").status_code == 404


def test_deleting_one_that_is_not_there_is_no_content(project, other):
    theirs = other.did("GET", "/endpoints")["endpoints"][0]["id"]
    for endpoint_id in ("ep-not-there-12345678", theirs):
        answer = project.call("DELETE", f"/endpoints/{endpoint_id}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert other.sql("SELECT 1") == [(1,)]
