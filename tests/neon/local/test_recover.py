"""A deleted project can be recovered for a while, as it was; after that nothing of it is left."""

import psycopg
import pytest

from neon.local.engine import upkeep
from tests.neon.local import plane


@pytest.fixture(autouse=True)
def _an_hour(settings):
    settings.NEON_LOCAL_RECOVERY_SECONDS = 3600.0


@pytest.fixture
def deleted(http, settings):
    """A deleted project with two roles, two branches with a way in, one without, and a snapshot."""
    with plane.project(http, "deleted") as made:
        made.sql("CREATE TABLE t AS SELECT 'mine' AS world")
        branch = f"/branches/{made.default['id']}"
        made.did("POST", f"{branch}/roles", json={"role": {"name": "reader"}})
        made.did("POST", f"{branch}/roles", json={"role": {"name": "group", "no_login": True}})
        made.snapshot()
        made.dev_uri = made.uri_of(made.branch("dev")["id"], role="reader")
        made.branch("closed", endpoint=False)
        made.names = {name for names in made.physical().values() for name in names}
        made.did("DELETE", "")
        yield made
        settings.NEON_LOCAL_RECOVERY_SECONDS = 0
        http.post(f"projects/{made.id}/recover")  # forgets it, as its time is over
    upkeep.run()


def listed(http, **query):
    """Return the ids of the projects in a list."""
    rows = http.get("projects", params={"limit": 400, **query}).json()["projects"]
    return [row["id"] for row in rows]


def test_a_deleted_one_is_gone_and_listed_as_recoverable(http, deleted):
    assert deleted.call("GET", "").status_code == 404
    assert deleted.id not in listed(http)
    (row,) = http.get("projects", params={"recoverable": "true", "search": deleted.id}).json()["projects"]
    assert row["deleted_at"] < row["recoverable_until"]
    for uri in (deleted.uri, deleted.dev_uri):
        with plane.refused(match=r"not permitted to log in|password authentication failed"):
            plane.sql(uri, "SELECT 1")
    for path in ("/branches", "/snapshots", "/endpoints", "/operations"):
        assert deleted.call("GET", path).status_code == 404


def test_upkeep_leaves_it_as_it_is(deleted):
    upkeep.run()
    assert deleted.names <= plane.names_in_cluster()
    with plane.refused(match=r"not permitted to log in|password authentication failed"):
        plane.sql(deleted.uri, "SELECT 1")


def test_recovered_it_is_what_it_was_behind_the_same_uris(http, deleted):
    upkeep.run()
    made = deleted.did("POST", "/recover")
    assert made["project"]["id"] == deleted.id
    assert "deleted_at" not in made["project"]
    assert {row["name"] for row in made["branches"]} == {"main", "dev", "closed"}
    assert deleted.sql("SELECT world FROM t") == [("mine",)]
    assert plane.sql(deleted.dev_uri, "SELECT 1") == [(1,)]
    assert deleted.uri_of() == deleted.uri
    (snapshot,) = deleted.did("GET", "/snapshots")["snapshots"]
    deleted.sql("DROP TABLE t")
    deleted.restore(snapshot["id"])
    assert deleted.sql("SELECT world FROM t") == [("mine",)]
    assert deleted.id in listed(http)
    assert deleted.id not in listed(http, recoverable="true")


def test_what_was_closed_stays_closed(deleted):
    deleted.did("POST", "/recover")
    for kind in ("snapshots", "replaced"):
        (name,) = deleted.physical()[kind]
        with plane.refused():
            deleted.connect(dbname=name)
    query = "SELECT rolcanlogin FROM pg_roles JOIN roles ON physical_name = rolname WHERE project_id = %s AND name = %s"
    assert plane.memory(query, [deleted.id, "group"]) == [{"rolcanlogin": False}]


def test_it_can_be_deleted_again(deleted):
    deleted.did("POST", "/recover")
    with psycopg.connect(deleted.uri, autocommit=True) as connection:
        deleted.did("DELETE", "")
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
    deleted.did("POST", "/recover")
    assert deleted.sql("SELECT world FROM t") == [("mine",)]


def test_one_that_is_not_deleted_or_not_there_cannot_be_recovered(http, project, settings):
    assert project.call("POST", "/recover").status_code == 422
    assert project.sql("SELECT 1") == [(1,)]
    assert http.post("projects/not-there-12345678/recover").status_code == 404
    settings.NEON_LOCAL_RECOVERY_SECONDS = 0


@pytest.mark.parametrize("swept", [False, True])
def test_after_its_time_it_is_gone_whether_or_not_upkeep_came_by(http, deleted, settings, swept):
    settings.NEON_LOCAL_RECOVERY_SECONDS = 0.001
    if swept:
        upkeep.run()
    assert deleted.call("POST", "/recover").status_code == 404
    assert listed(http, recoverable="true") == []
    upkeep.run()
    assert not deleted.names & (plane.names_in_cluster() | plane.names_in_memory())
    for table in ("branches", "endpoints", "roles", "snapshots", "operations"):
        assert plane.memory(f"SELECT 1 FROM {table} WHERE project_id = %s", [deleted.id]) == []
    assert plane.memory("SELECT 1 FROM projects WHERE id = %s", [deleted.id]) == []
