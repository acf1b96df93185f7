"""A lost answer: each effect is looked for before it is asked for again, so that it comes once."""

import httpx
import pytest
from httpx import Response

from neon import errors, looks, waiting
from neon.service import Neon
from tests.neon import payloads, wire
from tests.neon.payloads import listing

P = f"/projects/{payloads.PROJECT}"
NAME = payloads.project()["name"]
UNCLEAR = {
    "500": Response(500),
    "502": Response(502),
    "504": Response(504, html="<html>"),
    "524": Response(524, html="<html>"),
    "unreadable": Response(200, html="<html>"),
    "timeout": httpx.ReadTimeout,
    "dropped": httpx.RemoteProtocolError,
}
REFUSED = {
    "422": (Response(422, json=payloads.error("no", "PROJECTS_LIMIT_EXCEEDED")), errors.PlanLimit, 1),
    "401": (Response(401, json=payloads.error("no")), errors.Unauthorized, 1),
    "501": (Response(501, json=payloads.error("no")), errors.ServerError, 1),
    "503": (Response(503), errors.ServerError, 5),  # by the client's own retries, as nothing was done
    "no connection": (httpx.ConnectError, errors.Unreachable, 5),
}


class Effect:
    """Neon for one effect: whether it is there, how often it was asked for, and what the requests come to."""

    def __init__(self, api, kind):
        self.there, self.times, self.looks = False, 0, 0
        self.before, self.after, self.look_faults = [], [], []
        api.route().mock(side_effect=self.answer)
        self.ask_path, self.look_path, self.run = KINDS[kind]

    def answer(self, request):
        path = request.url.path.removeprefix("/api/v2")
        if request.method == "POST":
            assert path == self.ask_path
            self.times += 1
            if self.before:
                return came(self.before.pop(0), request)
            self.there = True
            return came(self.after.pop(0), request) if self.after else self.made()
        if path == self.look_path:
            self.looks += 1
            if self.look_faults:
                return came(self.look_faults.pop(0), request)
        return self.read(path)

    def made(self):
        if self.ask_path == "/projects":
            return Response(201, json=payloads.created_project())
        if self.ask_path.endswith("snapshot"):
            return Response(200, json=payloads.created_snapshot())
        return Response(200, json=payloads.restored("br-new"))

    def read(self, path):
        restored = self.there and self.ask_path.endswith("restore")
        return {
            "/projects": Response(200, json=payloads.projects(*[payloads.project()] * self.there)),
            P: Response(200, json={"project": payloads.project()}),
            f"{P}/connection_uri": Response(200, json={"uri": payloads.URI}),
            f"{P}/operations": listing("finished"),
            f"{P}/snapshots": Response(200, json={"snapshots": [payloads.snapshot()] * self.there}),
            f"{P}/branches": Response(
                200, json=payloads.branches(payloads.branch(id="br-new" if restored else payloads.BRANCH))
            ),
        }[path]


def came(answer, request):
    """Answer, or drop the connection."""
    if isinstance(answer, Response):
        return answer
    raise answer("no answer", request=request)


KINDS = {
    "project": ("/projects", "/projects", lambda neon: neon.create_project(NAME).project_id),
    "snapshot": (
        f"{P}/branches/{payloads.BRANCH}/snapshot",
        f"{P}/snapshots",
        lambda neon: neon.snapshot(payloads.PROJECT, payloads.snapshot()["name"]).id,
    ),
    "restore": (
        f"{P}/snapshots/{payloads.SNAPSHOT}/restore",
        f"{P}/branches",
        lambda neon: neon.restore(payloads.PROJECT, payloads.SNAPSHOT, target_branch_id=payloads.BRANCH).id,
    ),
}
MADE = {"project": payloads.PROJECT, "snapshot": payloads.SNAPSHOT, "restore": "br-new"}


@pytest.fixture
def neon(client, time):
    """The flows, which always wait as long as they may."""
    return Neon(client, clock=time.clock, sleep=time.sleep, random=lambda: 1.0)


@pytest.fixture(params=KINDS)
def kind(request):
    """Which effect is asked for."""
    return request.param


@pytest.fixture
def effect(api, kind):
    """Neon for that effect."""
    return Effect(api, kind)


@pytest.mark.parametrize("answer", UNCLEAR)
def test_an_effect_whose_answer_was_lost_is_found_and_not_asked_for_twice(effect, kind, neon, answer):
    effect.after = [UNCLEAR[answer]]

    assert effect.run(neon) == MADE[kind]
    assert effect.times == 1


@pytest.mark.parametrize("answer", UNCLEAR)
def test_an_effect_that_did_not_come_is_asked_for_again(effect, kind, neon, answer):
    effect.before = [UNCLEAR[answer]]

    assert effect.run(neon) == MADE[kind]
    assert effect.times == 2


@pytest.mark.parametrize("answer", UNCLEAR)
def test_trouble_that_persists_ends_after_four_tries(effect, neon, time, answer):
    effect.before = [UNCLEAR[answer]] * 99
    start = time.now

    with pytest.raises(errors.NeonError) as caught:
        effect.run(neon)

    assert caught.value.effect_unknown
    assert effect.times == waiting.TRIES == 4
    assert time.now - start < 10


@pytest.mark.parametrize("answer", REFUSED)
def test_what_is_refused_is_not_asked_for_again(effect, neon, answer):
    refusal, kind, times = REFUSED[answer]
    effect.before = [refusal] * 99

    with pytest.raises(kind):
        effect.run(neon)

    assert effect.times == times


def test_a_refusal_that_follows_an_unclear_answer_ends_it(effect, neon):
    effect.before = [UNCLEAR["500"], REFUSED["422"][0]]

    with pytest.raises(errors.PlanLimit):
        effect.run(neon)

    assert effect.times == 2


LOOK_FAULTS = {
    "404": [Response(404)] * 2,  # as while a branch is swapped
    "423": [Response(423)] * 7,
    "429": [Response(429)] * 7,
    "500": [Response(500)] * 7,
    "503": [Response(503)] * 7,
    "timeout": [httpx.ReadTimeout] * 7,
    "no connection": [httpx.ConnectError] * 7,
}


@pytest.mark.parametrize("fault", LOOK_FAULTS)
def test_a_look_that_fails_is_repeated_and_nothing_is_asked_for_meanwhile(effect, kind, neon, fault):
    effect.after = [httpx.ReadTimeout]
    effect.look_faults = list(LOOK_FAULTS[fault])

    assert effect.run(neon) == MADE[kind]
    assert effect.times == 1
    assert effect.look_faults == []


def test_where_no_look_succeeds_nothing_is_asked_for_again(effect, neon):
    effect.after = [httpx.ReadTimeout]
    effect.look_faults = [Response(503)] * 99

    with pytest.raises(errors.ServerError):
        effect.run(neon)

    assert effect.times == 1


def test_a_lost_request_is_given_a_second_before_the_first_look(effect, neon, time):
    effect.after = [httpx.ReadTimeout]

    effect.run(neon)

    assert time.slept[0] == 1.25


def test_waits_between_tries_are_random_shares_of_ceilings_that_double(api, kind, time):
    effect = Effect(api, kind)
    effect.before = [Response(500)] * 99
    shares = iter([0.5, 1.0, 0.25, 1.0])
    client = wire.client(time)

    with pytest.raises(errors.ServerError):
        effect.run(Neon(client, clock=time.clock, sleep=time.sleep, random=lambda: next(shares)))

    assert [seconds for seconds in time.slept if seconds != looks.FIRST] == [0.125, 0.5, 0.25]


def test_no_try_begins_after_the_deadline_of_the_flow(api, kind, client, time):
    effect = Effect(api, kind)
    effect.before = [Response(500)] * 99
    ticking = iter(range(0, 100_000, 140))

    with pytest.raises(errors.ServerError):
        effect.run(Neon(client, clock=lambda: float(next(ticking)), sleep=time.sleep, random=lambda: 1.0))

    assert effect.times < waiting.TRIES


def test_a_restore_is_looked_for_only_when_the_operations_are_done(api, neon, time):
    """The swap may come with the last of them: until then the default branch is still the old one."""
    effect = Effect(api, "restore")
    effect.after = [httpx.ReadTimeout]
    end = time.now + 10
    read = effect.read

    def while_operations_run(path):
        if path.endswith("/operations"):
            return listing("running" if time.now < end else "finished")
        assert time.now >= end, "looked too early"
        return read(path)

    effect.read = while_operations_run

    assert effect.run(neon) == "br-new"
    assert effect.times == 1


def test_a_snapshot_that_is_found_but_failed_is_not_taken_for_one(api, neon):
    """Only its own operations count, not failures from before it."""
    effect = Effect(api, "snapshot")
    effect.after = [httpx.ReadTimeout]
    before = payloads.operation(1, "failed", created_at="2026-03-04T05:06:06Z")
    own = payloads.operation(2, "failed", action="create_branch", created_at=payloads.MOMENT, error="disk full")
    read = effect.read
    listed = [before]
    effect.read = lambda path: (
        Response(200, json=payloads.operations(*listed)) if path.endswith("/operations") else read(path)
    )

    assert effect.run(neon) == payloads.SNAPSHOT
    listed.append(own)
    effect.after = [httpx.ReadTimeout]
    with pytest.raises(errors.OperationFailed, match="create_branch ended as failed: disk full"):
        effect.run(neon)


def test_a_project_that_is_found_but_failed_is_not_taken_for_one(api, neon):
    effect = Effect(api, "project")
    effect.after = [httpx.ReadTimeout]
    read = effect.read
    effect.read = lambda path: listing("error") if path.endswith("/operations") else read(path)

    with pytest.raises(errors.OperationFailed):
        effect.run(neon)


@pytest.mark.parametrize("kind", ["snapshot", "restore"])
def test_a_project_that_the_lost_request_locks_is_looked_at_and_not_waited_for(api, neon, kind):
    """To wait until it is free would be to ask twice: the first request is what locks it."""
    effect = Effect(api, kind)
    effect.before = [httpx.ReadTimeout, Response(423, json=payloads.error("locked"))]
    looked = effect.read

    def read(path):
        effect.there = effect.times == 2  # it comes through only now
        return looked(path)

    effect.read = read

    assert effect.run(neon) == MADE[kind]
    assert effect.times == 2
