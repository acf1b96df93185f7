"""What is repeated, how long it is waited for, and when it ends."""

import httpx
import pytest
import time_machine
from httpx import Response

from neon import errors
from neon.client import Client
from neon.pacing import Pacer
from tests.neon import payloads, wire

OK = Response(200, json={"project": payloads.project()})
MADE = Response(201, json=payloads.created_project())


def refuse(status: int, **headers: str) -> Response:
    """Return a refusal."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, json=payloads.error("not now"), headers=names)


def read(client: Client) -> object:
    """Make a call that is safe to repeat."""
    return client.get_project("p")


def write(client: Client) -> object:
    """Make a call that is not."""
    return client.create_project("x")


CALLS = {"read": ("GET", "/projects/p", read, OK), "write": ("POST", "/projects", write, MADE)}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "first",
    [refuse(423), refuse(429), refuse(503), httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout],
)
def test_repeated_for_every_method(api, client, time, call, first):
    method, path, send, success = CALLS[call]
    route = api.route(method=method, path=path).mock(side_effect=[first, first, success])

    send(client)

    assert route.call_count == 3
    assert time.slept == [0.25, 0.5]


AFTER_THE_EFFECT = [
    *(refuse(status) for status in (500, 502, 504, 524)),
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.RemoteProtocolError,
]


HARMLESS = {"GET": lambda client: client.get_project("p"), "DELETE": lambda client: client.delete_project("p")}
WRITES = {
    "/projects": lambda client: client.create_project("x"),
    "/projects/p/branches/b/snapshot": lambda client: client.create_snapshot("p", "b", "x"),
    "/projects/p/snapshots/s/restore": lambda client: client.restore_snapshot("p", "s", target_branch_id="b"),
}


@pytest.mark.parametrize("first", AFTER_THE_EFFECT)
@pytest.mark.parametrize("method", HARMLESS)
def test_what_may_come_after_the_effect_is_repeated_where_a_second_time_is_harmless(api, client, time, first, method):
    route = api.route(method=method, path="/projects/p").mock(side_effect=[first, OK])

    HARMLESS[method](client)

    assert route.call_count == 2
    assert time.slept == [0.25]


def test_a_deletion_that_had_worked_finds_nothing_the_second_time(api, client):
    api.delete("/projects/p/branches/b").mock(side_effect=[httpx.ReadTimeout, Response(204)])

    assert client.delete_branch("p", "b") == ()


@pytest.mark.parametrize("first", AFTER_THE_EFFECT)
@pytest.mark.parametrize("path", WRITES)
def test_what_may_come_after_the_effect_is_not_repeated_for_writes(api, client, time, first, path):
    route = api.post(path).mock(side_effect=[first])

    with pytest.raises(errors.NeonError) as caught:
        WRITES[path](client)

    assert route.call_count == 1
    assert time.slept == []
    assert caught.value.effect_unknown


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501, 505])
def test_other_refusals_are_not_repeated(api, client, status):
    route = api.get("/projects/p").mock(return_value=refuse(status))

    with pytest.raises(errors.NeonError):
        read(client)

    assert route.call_count == 1


@pytest.mark.parametrize("answer", [refuse(429), refuse(503), refuse(500), httpx.ReadTimeout, httpx.ConnectError])
def test_four_retries_and_no_more(api, client, time, answer):
    route = api.get("/projects/p").mock(side_effect=[answer] * 9)

    with pytest.raises(errors.NeonError):
        read(client)

    assert route.call_count == 5
    assert time.slept == [0.25, 0.5, 1, 2]


def test_a_locked_project_is_waited_for_as_long_as_the_deadline_allows(api, client, time):
    api.post("/projects").mock(side_effect=[*[refuse(423)] * 8, MADE])

    write(client)

    assert time.slept == [0.25, 0.5, 1, 2, 4, 8, 10, 10]


def test_a_locked_project_does_not_use_up_the_other_retries(api, client):
    api.post("/projects").mock(side_effect=[*[refuse(423)] * 4, *[refuse(429), refuse(423), refuse(503)] * 2, MADE])

    write(client)


def test_never_sleeps_past_the_deadline(api, time):
    route = api.post("/projects").mock(return_value=refuse(423))
    client = wire.client(time, deadline=5)

    with pytest.raises(errors.Locked):
        write(client)

    assert time.slept == [0.25, 0.5, 1, 2]
    assert route.call_count == 5


def test_a_slow_answer_counts_against_the_deadline(api, client, time):
    def slow(request: httpx.Request) -> Response:
        time.now += 30
        raise httpx.ReadTimeout("slow", request=request)

    route = api.get("/projects/p").mock(side_effect=slow)

    with pytest.raises(errors.Timeout):
        read(client)

    assert route.call_count == 2


def test_every_call_has_a_deadline_of_its_own(api, client, time):
    api.post("/projects").mock(side_effect=[refuse(423), MADE, refuse(423), MADE])

    write(client)
    time.now += 1000
    write(client)

    assert time.slept == [0.25, 0.25]


@pytest.mark.parametrize("status", [423, 429, 503])
@pytest.mark.parametrize("seconds", ["3", "10"])
def test_waits_for_as_many_seconds_as_asked(api, client, time, status, seconds):
    api.post("/projects").mock(side_effect=[refuse(status, retry_after=seconds), MADE])

    write(client)

    assert time.slept == [float(seconds)]


def test_waits_until_the_date_asked(api, client, time):
    later = "Wed, 04 Mar 2026 05:06:11 GMT"
    api.post("/projects").mock(side_effect=[refuse(429, retry_after=later), MADE])

    with time_machine.travel("2026-03-04T05:06:07Z", tick=False):
        write(client)

    assert time.slept == [4.0]


@pytest.mark.parametrize("at_once", ["0", "Wed, 04 Mar 2020 05:06:07 GMT"])
def test_asked_for_no_wait_it_waits_as_if_not_asked(api, client, time, at_once):
    api.post("/projects").mock(side_effect=[refuse(423, retry_after=at_once), refuse(429, retry_after=at_once), MADE])

    write(client)

    assert time.slept == [0.25, 0.5]


@pytest.mark.parametrize("header", ["11", "86400", "Fri, 04 Mar 2191 05:06:07 GMT"])
def test_gives_up_when_asked_to_wait_too_long(api, client, time, header):
    route = api.post("/projects").mock(return_value=refuse(429, retry_after=header))

    with pytest.raises(errors.RateLimited):
        write(client)

    assert route.call_count == 1
    assert time.slept == []


@pytest.mark.parametrize("header", ["", "soon", "-5", "1.5", "nan", "Wed, 99 Foo 2026"])
def test_what_is_neither_seconds_nor_a_date_is_not_heeded(api, client, time, header):
    api.post("/projects").mock(side_effect=[refuse(429, retry_after=header), MADE])

    write(client)

    assert time.slept == [0.25]


def test_the_wait_is_a_random_share_of_its_ceiling(api, time):
    api.post("/projects").mock(side_effect=[refuse(423), refuse(423), refuse(423), MADE])
    shares = iter([0.0, 0.5, 0.25, 0.9])
    client = Client(wire.KEY, base_url=wire.API, clock=time.clock, sleep=time.sleep, random=lambda: next(shares))

    write(client)

    assert time.slept == [0.0, 0.25, 0.25]


def test_every_attempt_passes_the_pacer_and_knows_its_deadline(api, time):
    asked = []

    class Watched(Pacer):
        def wait(self, deadline):
            asked.append((time.now, deadline))

    api.post("/projects").mock(side_effect=[refuse(423), refuse(503), MADE])

    write(wire.client(time, deadline=20, pacer=Watched()))

    assert asked == [(1000, 1020), (1000.25, 1020), (1000.75, 1020)]


def test_a_pace_that_leaves_no_time_is_said_and_nothing_is_sent(api, time):
    route = api.get("/projects/p").mock(side_effect=[OK])
    pacer = Pacer(per_second=1, per_ten_seconds=1, clock=time.clock, sleep=time.sleep)
    client = wire.client(time, deadline=5, pacer=pacer)
    read(client)

    with pytest.raises(errors.RateLimited, match=r"^our own pace allows no request for 10.0 s") as caught:
        read(client)

    assert caught.value.sentence == "Neon gets too many requests from this account. Try again in a minute."
    assert route.call_count == 1
    assert time.slept == []


def test_a_write_is_sent_again_whole(api, client):
    route = api.post("/projects").mock(side_effect=[refuse(503), MADE])

    write(client)

    first, second = (call.request for call in route.calls)
    assert first.content == second.content != b""
    assert first.url == second.url
