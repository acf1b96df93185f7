"""How many calls to Neon each action may cost: 700 a minute are the ceiling for all users together."""

import re
from collections import Counter

import pytest

from checkpoints import aftermath
from checkpoints.models import Run
from neon import service as neon
from neon.client import Client
from tests.checkpoints import flows
from tests.checkpoints.html import HTMX, TAB

CALLS = {
    "create": "POST /projects",
    "resolve": "GET /projects/P/branches",
    "snapshot": "POST /projects/P/branches/B/snapshot",
    "restore": "POST /projects/P/snapshots/S/restore",
    "look": "GET /projects/P/operations",
    "open": "POST /projects/P/endpoints",
    "uri": "GET /projects/P/connection_uri",
    "delete branch": "DELETE /projects/P/branches/B",
    "prune": "DELETE /projects/P/snapshots/S",
    "delete project": "DELETE /projects/P",
}
# Each action's calls until the person has the answer, looks aside, and then what is cleaned up after it.
START = Counter(create=1, snapshot=1)
START_AGAIN_AFTERWARDS = Counter({"delete project": 1})
ADVANCE = Counter(resolve=1, snapshot=1)
RESTORE = Counter(resolve=1, restore=1)
# What was as recorded is looked at once more, and what was not is saved, and in time an older one pruned.
RESTORE_AFTERWARDS = Counter({"open": 1, "uri": 1, "delete branch": 1})
SAVE_AFTERWARDS = Counter({"snapshot": 1, "delete branch": 1, "prune": 1})
NOTHING = Counter()
# The most that a wait of 0.3 s may look: one call looks at all operations, every 50 ms, so six times.
LOOKS = 8


@pytest.fixture(params=[0, pytest.param(0.3, marks=pytest.mark.thorough)], ids=["at once", "0.3 s"])
def operation_seconds(request, settings):
    """How long Neon's operations take: the budget is the same, but for the looks."""
    settings.NEON_LOCAL_OPERATION_SECONDS = request.param
    return request.param


@pytest.fixture
def spent(wire, operation_seconds):
    """A function that returns what was asked for since it was last called, but for the looks, which have a bound."""

    def spent():
        calls, wire.calls = Counter(map(_name, wire.calls)), []
        waits = sum(calls[name] for name in ("create", "snapshot", "restore", "open"))
        looks = calls.pop("look", 0)
        if operation_seconds == 0:  # the answer itself says that they have ended
            assert looks == 0
        else:
            assert waits <= looks <= waits * LOOKS, (waits, looks)
        return calls

    spent()
    return spent


def _name(call):
    """Return which call of the budget a request is; one that is not in the budget has no name."""
    path = re.sub(r"/(projects|branches|snapshots)/[^/]+", lambda found: f"/{found[1]}/{found[1][0].upper()}", call)
    return {shape: name for name, shape in CALLS.items()}[path.replace("/api/v2", "")]


def afterwards(run):
    """Do what is done once the person has the answer."""
    aftermath.clean_up(Run.objects.get(pk=run.pk))


def test_a_first_start(newcomer, spent):
    run = flows.start(newcomer)
    assert run.status == "succeeded"
    assert spent() == START
    afterwards(run)
    assert spent() == NOTHING


def test_a_start_that_replaces_a_project(started, spent):
    run = flows.start(started)
    assert run.status == "succeeded"
    assert spent() == START
    afterwards(run)
    assert spent() == START_AGAIN_AFTERWARDS


def test_an_advance(head, spent):
    run = flows.advance(head)
    assert run.status == "succeeded"
    assert spent() == ADVANCE
    afterwards(run)
    assert spent() == NOTHING


def test_a_restore(head, spent):
    flows.advance(head)
    spent()
    run = flows.restore(head)
    assert run.status == "succeeded"
    assert spent() == RESTORE
    afterwards(run)
    assert spent() == RESTORE_AFTERWARDS


def test_a_restore_that_is_resumed_knows_its_branch(head, spent):
    run = flows.begin(head, Run.Kind.RESTORE)
    run.steps[0]["state"] = "done"
    run.state["branch_id"] = neon.connect().default_branch(head.project.neon_project_id).id
    run.save()
    spent()
    assert flows.done(run).status == "succeeded"
    assert spent() == RESTORE - Counter(resolve=1)


def test_a_restore_of_what_has_changed(head, spent, settings, wire):
    settings.SAFETY_CHECKPOINTS = 1
    for prune in (0, 1):
        flows.execute(head.project.database_url, "UPDATE contacts SET name = name")
        spent()
        run = flows.restore(head)
        assert (run.status, spent()) == ("succeeded", RESTORE)
        afterwards(run)
        wire.calls = [call for call in wire.calls if "/operations" not in call]  # a deletion is waited for
        assert Counter(map(_name, wire.calls)) == SAVE_AFTERWARDS - Counter(prune=1 - prune)
        neon.connect().settle(head.project.neon_project_id)
        wire.calls.clear()


def test_restores_do_not_grow_dearer_by_and_by(head, wire, spent):
    second = flows.advance(head).result
    spent()
    for target in (head, second, head):
        run = flows.restore(target)
        assert (run.status, spent()) == ("succeeded", RESTORE)
        afterwards(run)
        assert spent() == RESTORE_AFTERWARDS
        neon.connect().settle(head.project.neon_project_id)  # a locked project is the next test's
        wire.calls.clear()


def test_a_restore_right_after_a_clean_up_asks_a_few_times_more(head, wire, monkeypatch, settings):
    """The project is locked while the replaced branch is deleted; here, who is refused waits in earnest."""
    settings.NEON_LOCAL_OPERATION_SECONDS = 0.8
    client = Client(settings.NEON_LOCAL_API_KEY, transport=wire)
    monkeypatch.setattr(neon, "connect", lambda: neon.Neon(client))
    afterwards(flows.restore(head))
    wire.calls.clear()
    assert flows.restore(head).status == "succeeded"
    assert 1 < Counter(map(_name, wire.calls))["restore"] <= 8


def test_an_action_through_the_browser_costs_the_same(head, owner, working, spent):
    owner.post(f"/checkpoints/{head.pk}/advance/")
    assert spent() == ADVANCE
    owner.post(f"/checkpoints/{head.pk}/restore/", headers=HTMX)
    assert spent() == RESTORE


def test_a_lost_answer_costs_one_look_for_the_effect(head, wire, spent):
    wire.loses_the_answer("POST .*/restore$")
    assert flows.restore(head).status == "succeeded"
    assert len(wire.calls) <= 4 + LOOKS
    assert wire.calls.count(f"GET /api/v2/projects/{head.project.neon_project_id}/branches") == 2


def test_a_page_costs_none(grown, owner, wire):
    wire.calls.clear()
    tabs = [
        f"/checkpoints/{each.pk}/?tab={tab}"
        for each in (grown.first, grown.second)
        for tab in ("", "app", "meta", "schema")
    ]
    runs = [f"/runs/{pk}/" for pk in Run.objects.values_list("pk", flat=True)]
    changes = [f"/checkpoints/{each.pk}/changes/" for each in (grown.first, grown.second)]
    for url in ("/", *tabs, *changes, *runs):
        for headers in ({}, TAB):
            assert owner.get(url, headers=headers).status_code in {200, 302}, url
    assert wire.calls == []


def test_an_edit_of_a_contact_costs_none(owner, contacts, head, wire):
    ada = contacts()["Ada Lovelace"]
    url = f"/checkpoints/{head.pk}/contacts/{ada.id}"
    owner.post(f"{url}/edit/", {"name": "Ada King", "email": ada.email})
    assert "Ada King" in contacts()
    assert wire.calls == []
    assert neon.connect().client  # the wire was the way there
