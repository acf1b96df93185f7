"""Branches, endpoints, operations and snapshots."""

import json

import pytest
from httpx import Response

from neon.types import Branch, Endpoint
from tests.neon import payloads

P = f"/projects/{payloads.PROJECT}"
B = f"{P}/branches/{payloads.BRANCH}"
S = f"{P}/snapshots/{payloads.SNAPSHOT}"
BRANCH = Branch(payloads.BRANCH, "main", default=True, parent_id=None, current_state="ready")


def test_list_branches_follows_the_next_page(api, client):
    route = api.get(f"{P}/branches").mock(
        side_effect=[
            Response(200, json=payloads.branches(payloads.branch(), following="page-2")),
            Response(200, json=payloads.branches(payloads.branch(id="br-a-b-c", parent_id=payloads.BRANCH))),
            Response(200, json=payloads.branches()),
        ]
    )

    branches = list(client.list_branches(payloads.PROJECT))

    assert [(branch.id, branch.parent_id) for branch in branches] == [
        (payloads.BRANCH, None),
        ("br-a-b-c", payloads.BRANCH),
    ]
    cursors = [call.request.url.params.get("cursor") for call in route.calls]
    assert cursors == [None, "page-2", "next-page"]


def test_list_branches_ends_where_no_next_page_is_named(api, client):
    api.get(f"{P}/branches").respond(json=payloads.branches(payloads.branch(), following=None))

    assert list(client.list_branches(payloads.PROJECT)) == [BRANCH]


def test_get_branch(api, client):
    api.get(B).respond(json={"branch": payloads.branch()})

    assert client.get_branch(payloads.PROJECT, payloads.BRANCH) == BRANCH


def test_delete_branch_gives_the_operations(api, client):
    deleting = payloads.operation(action="delete_timeline")
    api.delete(B).respond(json={"branch": payloads.branch(), "operations": [deleting]})

    operations = client.delete_branch(payloads.PROJECT, payloads.BRANCH)

    assert [operation.action for operation in operations] == ["delete_timeline"]


def test_delete_branch_that_is_gone_has_no_operations(api, client):
    api.delete(B).respond(204)

    assert client.delete_branch(payloads.PROJECT, payloads.BRANCH) == ()


def test_list_endpoints(api, client):
    api.get(f"{P}/endpoints").respond(json={"endpoints": [payloads.endpoint()]})

    host = f"{payloads.ENDPOINT}.us-east-2.aws.neon.tech"
    assert client.list_endpoints(payloads.PROJECT) == (
        Endpoint(payloads.ENDPOINT, payloads.BRANCH, host, "read_write"),
    )


def test_get_operation(api, client):
    body = payloads.operation(
        status="failed",
        failures_count=2,
        retry_at="2026-03-04T05:06:07.123456789Z",
        endpoint_id=payloads.ENDPOINT,
    )
    api.get(f"{P}/operations/{body['id']}").respond(json={"operation": body})

    operation = client.get_operation(payloads.PROJECT, body["id"])

    assert (operation.failures_count, operation.endpoint_id) == (2, payloads.ENDPOINT)
    assert operation.retry_at.microsecond == 123456


def test_list_operations_asks_for_one_page(api, client):
    route = api.get(f"{P}/operations").respond(json=payloads.operations(payloads.operation(2), payloads.operation(1)))

    operations = client.list_operations(payloads.PROJECT, limit=50)

    assert [operation.id[-1] for operation in operations] == ["2", "1"]
    assert dict(route.calls.last.request.url.params) == {"limit": "50"}


@pytest.mark.parametrize(
    ("status", "retry_at", "state"),
    [
        ("scheduling", None, "pending"),
        ("running", None, "pending"),
        ("cancelling", None, "pending"),
        ("finished", None, "succeeded"),
        ("skipped", None, "succeeded"),
        ("failed", None, "failed"),
        ("failed", payloads.MOMENT, "pending"),
        ("error", payloads.MOMENT, "failed"),
        ("cancelled", None, "failed"),
        ("a status of next year", None, "pending"),
    ],
)
def test_an_operation_is_pending_succeeded_or_failed(api, client, status, retry_at, state):
    body = payloads.operation(status=status, retry_at=retry_at)
    api.get(f"{P}/operations/1").respond(json={"operation": body})

    operation = client.get_operation(payloads.PROJECT, "1")

    states = {name for name in ("pending", "succeeded", "failed") if getattr(operation, name)}
    assert states == {state}


def test_create_snapshot_sends_only_a_name_and_no_body(api, client):
    route = api.post(f"{B}/snapshot").respond(json=payloads.created_snapshot(payloads.operation()))

    created = client.create_snapshot(payloads.PROJECT, payloads.BRANCH, "v1 & first")

    request = route.calls.last.request
    assert dict(request.url.params) == {"name": "v1 & first"}
    assert request.content == b""
    assert (created.snapshot.id, created.snapshot.source_branch_id) == (payloads.SNAPSHOT, payloads.BRANCH)
    assert len(created.operations) == 1


def test_list_snapshots(api, client):
    api.get(f"{P}/snapshots").respond(
        json={"snapshots": [payloads.snapshot(source_branch_id=None), payloads.snapshot(id="snap-2")]}
    )

    snapshots = client.list_snapshots(payloads.PROJECT)

    assert [snapshot.id for snapshot in snapshots] == [payloads.SNAPSHOT, "snap-2"]
    assert snapshots[0].source_branch_id is None


def test_delete_snapshot(api, client):
    api.delete(S).respond(202, json={"operations": [payloads.operation()]})

    assert len(client.delete_snapshot(payloads.PROJECT, payloads.SNAPSHOT)) == 1


def test_restore_names_its_target_and_is_one_step(api, client):
    route = api.post(f"{S}/restore").respond(json=payloads.restored("br-new", payloads.operation()))

    restored = client.restore_snapshot(payloads.PROJECT, payloads.SNAPSHOT, target_branch_id=payloads.BRANCH)

    assert json.loads(route.calls.last.request.content) == {
        "target_branch_id": payloads.BRANCH,
        "finalize_restore": True,
    }
    assert restored.branch.id == "br-new"
    assert len(restored.operations) == 1


def test_restore_beside_the_target(api, client):
    route = api.post(f"{S}/restore").respond(json=payloads.restored("br-new"))

    client.restore_snapshot(
        payloads.PROJECT,
        payloads.SNAPSHOT,
        target_branch_id=payloads.BRANCH,
        finalize_restore=False,
        name="a look",
    )

    assert json.loads(route.calls.last.request.content) == {
        "target_branch_id": payloads.BRANCH,
        "finalize_restore": False,
        "name": "a look",
    }
