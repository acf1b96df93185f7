"""The contract: the flows hold on the local control plane, and on Neon itself when NEON_LIVE_API_KEY is set.

    NEON_LIVE_API_KEY=... uv run pytest tests/neon/test_contract.py -m neon_live

On Neon they take one project, with one snapshot at a time, and delete what they made and nothing else.
"""

import os
import secrets
import time
from dataclasses import replace

import psycopg
import pytest
from django.conf import settings

from neon.client import Client
from neon.errors import NeonError, NotFound
from neon.local.transport import LocalTransport
from neon.service import Neon

KEY = os.environ.get("NEON_LIVE_API_KEY", "")
UNKNOWN = "not-there-12345678"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(
    scope="module",
    params=[
        "plane",
        pytest.param(
            "neon",
            marks=[
                pytest.mark.neon_live,
                pytest.mark.skipif(not KEY, reason="NEON_LIVE_API_KEY is not set"),
                *([pytest.mark.allow_hosts(["console.neon.tech"])] if KEY else []),
            ],
        ),
    ],
)
def neon(request):
    """The flows, on the plane or on Neon."""
    if request.param == "neon":
        client = Client(KEY, org_id=os.environ.get("NEON_LIVE_ORG_ID"))
    else:
        client = Client(settings.NEON_LOCAL_API_KEY, base_url="http://plane/api/v2", transport=LocalTransport())
    with client:
        yield Neon(client)


@pytest.fixture(scope="module")
def name():
    """A project's name that only this run uses."""
    return f"contract-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def app(neon, name):
    """A project of its own, deleted at the end."""
    try:
        yield neon.create_project(name)
    finally:  # by name, as the answer to its creation may have been lost
        neon.delete_project_named(name)


@pytest.fixture
def snapshot(neon, app):
    """A snapshot of a table that says "old", which then says "new"; deleted again, for a plan may hold only one."""
    sql(app, "DROP TABLE IF EXISTS t")
    sql(app, "CREATE TABLE t AS SELECT 'old' AS world")
    try:
        made = neon.snapshot(app.project_id, "contract")
        sql(app, "UPDATE t SET world = 'new'")
        yield made
    finally:
        neon.delete_snapshot_named(app.project_id, "contract")
        neon.settle(app.project_id)


def sql(app, query):
    """Run a query through the project's URI; a compute that has just moved may need a moment."""
    for attempt in range(20):
        try:
            with psycopg.connect(app.uri, autocommit=True, connect_timeout=10) as connection:
                cursor = connection.execute(query)
                return cursor.fetchall() if cursor.description else []
        except psycopg.OperationalError:
            if attempt == 19:
                raise
            time.sleep(0.5)
    return []


def test_a_created_project_can_be_used_and_found_by_its_name(neon, app, name):
    assert sql(app, "SELECT 1") == [(1,)]
    found = [project.id for project in neon.client.list_projects(search=name) if project.name == name]
    assert found == [app.project_id]
    assert neon.client.get_project(app.project_id).name == name


def test_creating_it_again_after_a_lost_answer_finds_it(neon, app, name):
    again = neon.create_project(name, lookup=True)
    assert again.project_id == app.project_id
    assert sql(again, "SELECT 1") == [(1,)]


def test_the_connection_string_can_be_asked_for(neon, app):
    asked = replace(app, uri=neon.connection_uri(app.project_id))
    assert sql(asked, "SELECT current_database()") == sql(app, "SELECT current_database()")


def test_a_new_project_has_one_default_branch_with_an_endpoint(neon, app):
    branch = neon.default_branch(app.project_id)
    assert neon.client.get_branch(app.project_id, branch.id).default
    assert [row.branch_id for row in neon.client.list_endpoints(app.project_id)] == [branch.id]


def test_operations_have_ended_after_a_flow(neon, app):
    operations = neon.client.list_operations(app.project_id)
    assert operations
    assert not [operation for operation in operations if operation.pending or operation.failed]
    assert neon.client.get_operation(app.project_id, operations[0].id) == operations[0]


def test_a_restore_brings_schema_and_data_back_behind_the_same_string(neon, app, snapshot):
    before = neon.default_branch(app.project_id)
    endpoint = neon.client.list_endpoints(app.project_id)[0]
    sql(app, "ALTER TABLE t ADD COLUMN later int")
    restored = neon.restore(app.project_id, snapshot.id, target_branch_id=before.id)
    assert sql(app, "SELECT * FROM t") == [("old",)]
    after = neon.default_branch(app.project_id)
    assert after.id == restored.id != before.id
    assert after.name == before.name
    assert neon.client.list_endpoints(app.project_id)[0].id == endpoint.id
    assert neon.connection_uri(app.project_id) == app.uri

    replaced = neon.client.get_branch(app.project_id, before.id)
    assert replaced.name == f"{before.name} (old)"
    assert not replaced.default
    neon.delete_branch(app.project_id, before.id)
    neon.settle(app.project_id)
    with pytest.raises(NotFound):
        neon.client.get_branch(app.project_id, before.id)
    neon.delete_branch(app.project_id, before.id)


def test_a_restore_can_be_repeated_and_looked_up(neon, app, snapshot):
    first = neon.default_branch(app.project_id)
    second = neon.restore(app.project_id, snapshot.id, target_branch_id=first.id)
    found = neon.restore(app.project_id, snapshot.id, target_branch_id=first.id, lookup=True)
    assert found.id == second.id
    sql(app, "UPDATE t SET world = 'newer'")
    third = neon.restore(app.project_id, snapshot.id, target_branch_id=second.id)
    assert sql(app, "SELECT world FROM t") == [("old",)]
    assert len({first.id, second.id, third.id}) == 3
    for branch in (first, second):
        neon.delete_branch(app.project_id, branch.id)
        neon.settle(app.project_id)


def test_a_snapshot_is_listed_and_looked_up(neon, app, snapshot):
    assert [row.id for row in neon.client.list_snapshots(app.project_id)] == [snapshot.id]
    assert neon.snapshot(app.project_id, "contract", lookup=True).id == snapshot.id
    neon.delete_snapshot(app.project_id, snapshot.id)
    neon.settle(app.project_id)
    assert neon.client.list_snapshots(app.project_id) == ()
    neon.delete_snapshot(app.project_id, snapshot.id)


def test_the_default_branch_cannot_be_deleted(neon, app):
    with pytest.raises(NeonError):
        neon.client.delete_branch(app.project_id, neon.default_branch(app.project_id).id)
    assert sql(app, "SELECT 1") == [(1,)]


def test_what_is_not_there_is_not_found(neon, app):
    for call in (
        lambda: neon.client.get_project(UNKNOWN),
        lambda: neon.client.get_branch(app.project_id, f"br-{UNKNOWN}"),
        lambda: neon.restore(
            app.project_id, f"snap-{UNKNOWN}", target_branch_id=neon.default_branch(app.project_id).id
        ),
        lambda: neon.client.delete_project(UNKNOWN),
    ):
        with pytest.raises(NotFound):
            call()


def test_the_last_call_deletes_the_project(neon, name):
    doomed = f"{name}-doomed"
    try:
        made = neon.create_project(doomed)
        neon.delete_project(made.project_id)
        with pytest.raises(NotFound):
            neon.client.get_project(made.project_id)
        neon.delete_project(made.project_id)
        assert [row for row in neon.client.list_projects(search=doomed) if row.id == made.project_id] == []
    finally:
        neon.delete_project_named(doomed)


@pytest.mark.parametrize("neon", ["plane"], indirect=True)
def test_flows_wait_for_operations_that_take_their_time(neon, app, snapshot, settings):
    settings.NEON_LOCAL_OPERATION_SECONDS = 0.2
    started = time.monotonic()
    before = neon.default_branch(app.project_id)
    neon.restore(app.project_id, snapshot.id, target_branch_id=before.id)
    assert 0.2 <= time.monotonic() - started < 1
    assert sql(app, "SELECT world FROM t") == [("old",)]
    settings.NEON_LOCAL_OPERATION_SECONDS = 0
    neon.delete_branch(app.project_id, before.id)
