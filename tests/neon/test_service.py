"""The flows: what they ask for, and what they find of an earlier attempt."""

import pytest
from httpx import Response

from neon.errors import PersonalKeyRequired, UnexpectedResponse
from neon.service import AppDatabase
from tests.neon import payloads
from tests.neon.payloads import listing

P = f"/projects/{payloads.PROJECT}"
BRANCHES, OPERATIONS, SNAPSHOTS = f"{P}/branches", f"{P}/operations", f"{P}/snapshots"
RESTORE = f"{SNAPSHOTS}/{payloads.SNAPSHOT}/restore"


# Projects


def test_create_project_waits_and_takes_the_connection_string_of_the_answer(api, neon):
    api.post("/projects").respond(
        201, json=payloads.created_project(payloads.operation(1), payloads.operation(2, "scheduling"))
    )
    looks = api.get(OPERATIONS).mock(side_effect=[listing("finished", "running"), listing("finished", "finished")])

    database = neon.create_project("checkpoints-7-0a1b2c3d")

    assert database == AppDatabase(payloads.PROJECT, payloads.URI, payloads.BRANCH)
    assert payloads.PASSWORD not in repr(database)
    assert looks.call_count == 2


def test_create_project_asks_for_the_connection_string_if_the_answer_has_none(api, neon):
    api.post("/projects").respond(201, json=payloads.created_project(connection_uris=[]))
    api.get(f"{P}/connection_uri").respond(json={"uri": payloads.URI})

    assert neon.create_project("x").uri == payloads.URI


def test_create_project_finds_the_one_of_an_earlier_attempt(api, neon):
    others = payloads.project(id="other", name="checkpoints-7-0a1b2c3d-copy")
    search = api.get("/projects").respond(json=payloads.projects(others, payloads.project()))
    api.get(OPERATIONS).mock(side_effect=[listing("running"), listing("finished")])
    api.get(f"{P}/connection_uri").respond(json={"uri": payloads.URI})

    database = neon.create_project("checkpoints-7-0a1b2c3d", lookup=True)

    assert database == AppDatabase(payloads.PROJECT, payloads.URI)
    assert search.calls.last.request.url.params["search"] == "checkpoints-7-0a1b2c3d"


def test_create_project_makes_one_where_the_name_only_resembles(api, neon):
    api.get("/projects").mock(
        side_effect=[
            Response(200, json=payloads.projects(payloads.project(name="checkpoints-7-0a1b2c3d-copy"))),
            Response(200, json=payloads.projects()),
        ]
        * 2  # it looks again, as the earlier attempt may be at work
    )
    made = api.post("/projects").respond(201, json=payloads.created_project())

    neon.create_project("checkpoints-7-0a1b2c3d", lookup=True)

    assert made.call_count == 1


# Snapshots


def test_default_branch_is_the_one_marked_so_whatever_its_name(api, neon):
    main = payloads.branch(id="br-a-b-c", name="main", default=False)
    api.get(BRANCHES).respond(json=payloads.branches(main, payloads.branch(name="production")))

    assert neon.default_branch(payloads.PROJECT).id == payloads.BRANCH


def test_default_branch_is_one_call_when_it_is_on_the_first_page(api, neon):
    route = api.get(BRANCHES).respond(json=payloads.branches(payloads.branch()))

    neon.default_branch(payloads.PROJECT)

    assert route.call_count == 1


def test_a_project_without_a_default_branch_is_unexpected(api, neon):
    api.get(BRANCHES).respond(json=payloads.branches(payloads.branch(default=False), following=None))

    with pytest.raises(UnexpectedResponse):
        neon.default_branch(payloads.PROJECT)


def test_snapshot_is_of_the_default_branch_and_waited_for(api, neon):
    api.get(BRANCHES).respond(json=payloads.branches(payloads.branch()))
    made = api.post(f"{BRANCHES}/{payloads.BRANCH}/snapshot").respond(
        json=payloads.created_snapshot(payloads.operation())
    )
    api.get(OPERATIONS).mock(side_effect=[listing("finished")])

    assert neon.snapshot(payloads.PROJECT, "v1-0a1b2c3d").id == payloads.SNAPSHOT
    assert made.calls.last.request.url.params["name"] == "v1-0a1b2c3d"


def test_snapshot_finds_the_one_of_an_earlier_attempt_once_it_is_done(api, neon):
    other = payloads.snapshot(id="snap-other", name="v1-0a1b2c3d-copy")
    api.get(OPERATIONS).mock(side_effect=[listing("running"), listing("finished"), listing("finished")])
    api.get(SNAPSHOTS).respond(json={"snapshots": [other, payloads.snapshot()]})

    assert neon.snapshot(payloads.PROJECT, "v1-0a1b2c3d", lookup=True).id == payloads.SNAPSHOT


def test_snapshot_makes_one_where_no_earlier_attempt_came_through(api, neon):
    api.get(OPERATIONS).mock(side_effect=[listing()] * 2)
    api.get(SNAPSHOTS).respond(json={"snapshots": []})
    api.get(BRANCHES).respond(json=payloads.branches(payloads.branch()))
    made = api.post(f"{BRANCHES}/{payloads.BRANCH}/snapshot").respond(json=payloads.created_snapshot())

    neon.snapshot(payloads.PROJECT, "v1-0a1b2c3d", lookup=True)

    assert made.call_count == 1


# Restore


def test_restore_gives_the_new_default_branch_when_all_operations_are_done(api, neon):
    operations = [payloads.operation(1), payloads.operation(2, "scheduling")]
    api.post(RESTORE).respond(json=payloads.restored("br-new", *operations))
    looks = api.get(OPERATIONS).mock(side_effect=[listing("finished", "running"), listing("finished", "finished")])

    branch = neon.restore(payloads.PROJECT, payloads.SNAPSHOT, target_branch_id=payloads.BRANCH)

    assert branch.id == "br-new"
    assert looks.call_count == 2


def test_restore_that_an_earlier_attempt_did_is_not_done_again(api, neon):
    api.get(OPERATIONS).mock(side_effect=[listing("running"), listing("finished")])
    old = payloads.branch(name="main (old)", default=False)
    api.get(BRANCHES).respond(json=payloads.branches(old, payloads.branch(id="br-new")))

    branch = neon.restore(payloads.PROJECT, payloads.SNAPSHOT, target_branch_id=payloads.BRANCH, lookup=True)

    assert branch.id == "br-new"


def test_restore_that_no_earlier_attempt_did_is_done(api, neon):
    api.get(OPERATIONS).mock(side_effect=[listing()] * 2)
    api.get(BRANCHES).respond(json=payloads.branches(payloads.branch()))
    api.post(RESTORE).respond(json=payloads.restored("br-new"))

    branch = neon.restore(payloads.PROJECT, payloads.SNAPSHOT, target_branch_id=payloads.BRANCH, lookup=True)

    assert branch.id == "br-new"


# Deletion

DELETIONS = {
    "branch": (f"{BRANCHES}/br-a-b-c", lambda neon: neon.delete_branch(payloads.PROJECT, "br-a-b-c")),
    "snapshot": (f"{SNAPSHOTS}/snap-1", lambda neon: neon.delete_snapshot(payloads.PROJECT, "snap-1")),
    "project": (P, lambda neon: neon.delete_project(payloads.PROJECT)),
}


@pytest.mark.parametrize("thing", DELETIONS)
def test_deleting_does_not_wait(api, neon, time, thing):
    path, delete = DELETIONS[thing]
    body = {"project": payloads.project(), "operations": [payloads.operation()]}
    api.delete(path).respond(json=body)

    delete(neon)

    assert time.slept == []


@pytest.mark.parametrize("thing", DELETIONS)
def test_deleting_what_is_gone_is_fine(api, neon, thing):
    path, delete = DELETIONS[thing]
    api.delete(path).respond(404, json=payloads.error("not found"))

    delete(neon)


def test_deleting_a_branch_that_answers_nothing_is_fine(api, neon):
    path, delete = DELETIONS["branch"]
    api.delete(path).respond(204)

    delete(neon)


@pytest.mark.parametrize("thing", DELETIONS)
def test_deleting_with_the_wrong_key_is_not_taken_for_gone(api, neon, thing):
    path, delete = DELETIONS[thing]
    api.delete(path).respond(404, json=payloads.error("not allowed for organization API keys"))

    with pytest.raises(PersonalKeyRequired):
        delete(neon)
