"""How operations are waited for."""

from collections.abc import Callable

import pytest
from httpx import Request, Response

from neon.errors import OperationFailed, WaitTimeout
from neon.types import Operation
from tests.neon import payloads, wire
from tests.neon.payloads import listing

OPERATIONS = f"/projects/{payloads.PROJECT}/operations"


def handed(*statuses: str) -> list[Operation]:
    """Return operations 1, 2, ... as an answer handed them over."""
    return [Operation.from_json(payloads.operation(number, status)) for number, status in enumerate(statuses, 1)]


@pytest.mark.parametrize("operations", [[], handed("finished"), handed("finished", "skipped")])
def test_settle_makes_no_call_when_all_have_finished(api, neon, time, operations):
    neon.settle(payloads.PROJECT, operations)

    assert time.slept == []


def test_settle_first_looks_after_a_moment_and_with_one_call_for_all(api, neon, time):
    route = api.get(OPERATIONS).mock(side_effect=[listing("finished", "finished", "finished")])

    neon.settle(payloads.PROJECT, handed("running", "scheduling", "scheduling"))

    assert route.call_count == 1
    assert time.slept == [0.05]


def until(time: wire.Time, seconds: float, call: float = 0) -> Callable[[Request], Response]:
    """Answer that the operation is running until it has run for so long; each answer takes a moment."""
    end = time.now + seconds

    def answer(request: Request) -> Response:
        answered = listing("running" if time.now < end else "finished")
        time.now += call
        return answered

    return answer


# A look every 0.05 s up to 0.6 s, then each a twelfth further on up to 12 s, then one a second.
@pytest.mark.parametrize(("seconds", "most_looks"), [(0.04, 1), (0.4, 9), (1.2, 22), (5, 40), (60, 100)])
def test_settle_looks_ever_less_often_and_ends_soon_after_the_operation(api, neon, time, seconds, most_looks):
    route = api.get(OPERATIONS).mock(side_effect=until(time, seconds))
    start = time.now

    neon.settle(payloads.PROJECT, handed("running"))

    assert time.now - start - seconds <= min(max(seconds / 12, 0.05), 1) + 1e-6
    assert time.slept == sorted(time.slept)
    assert time.slept[0] == 0.05
    assert max(time.slept) <= 1
    assert route.call_count <= most_looks


def settle(api, neon, time, seconds: float, call: float = 0) -> tuple[int, float]:
    """Wait for an operation of so many seconds; return how often was looked, and how many seconds too long."""
    api.get(OPERATIONS).mock(side_effect=until(time, seconds, call))
    start, slept = time.now, len(time.slept)
    neon.settle(payloads.PROJECT, handed("running"))
    return len(time.slept) - slept, time.now - start - seconds


@pytest.mark.parametrize(
    ("times", "seconds", "most_looks"),
    [
        *((1, 0.3, 7), (1, 1.2, 12), (1, 5, 18), (1, 60, 72)),
        *((6, 0.3, 6), (6, 1.2, 10), (6, 5, 15), (6, 60, 71)),
    ],
)
def test_settle_looks_seldom_until_the_end_is_expected_and_then_often(api, neon, time, times, seconds, most_looks):
    for _ in range(times):
        settle(api, neon, time, seconds)

    looks, too_long = settle(api, neon, time, seconds)

    assert looks <= most_looks
    assert too_long <= max(0.02, seconds / 120) + 1e-6


@pytest.mark.parametrize("call", [0, 0.005])
@pytest.mark.parametrize(("seconds", "most_looks"), [(0.3, 6), (1.2, 10), (5, 15), (60, 71)])
def test_settle_narrows_down_when_operations_end_that_always_take_as_long(api, neon, time, seconds, most_looks, call):
    for _ in range(2):  # first it knows nothing, then to an eighth of a twelfth
        settle(api, neon, time, seconds, call)

    looks, too_long = settle(api, neon, time, seconds, call)

    assert looks <= most_looks
    assert too_long <= 0.02 + 2 * call + 1e-6


def test_settle_takes_what_it_saw_less_sharply_for_what_it_sees_now(neon):
    for at_work, ended in ((4.5, 5.0), (4.8, 4.9), (4.7, 4.85)):
        neon.looks.note(handed("running"), at_work=at_work, ended=ended)

    assert neon.looks.expected(handed("running")) == (4.7, 4.9)


def test_settle_looks_seldom_at_operations_that_take_one_time_and_another(api, neon, time):
    for seconds in (5, 6, 5.2, 5.9, 5.5):
        settle(api, neon, time, seconds)

    looks, too_long = settle(api, neon, time, 5.7)

    assert looks <= 33
    assert too_long <= 0.1


@pytest.mark.parametrize("call", [0, 0.005])
@pytest.mark.parametrize(("before", "now"), [(1.2, 0.8), (5, 4.6), (5, 3.1)])
def test_settle_soon_forgets_what_took_longer_than_operations_take_now(api, neon, time, before, now, call):
    for seconds in (*[before] * 5, *[now] * 4):
        settle(api, neon, time, seconds, call)

    _, too_long = settle(api, neon, time, now, call)

    assert too_long <= 0.025 + 3 * call


@pytest.mark.parametrize("before", [0.1, 1.2, 60])
@pytest.mark.parametrize("now", [0.04, 0.4, 3, 30])
def test_settle_is_hardly_later_when_operations_take_another_time_than_before(api, neon, time, before, now):
    for _ in range(5):
        settle(api, neon, time, before)

    _, too_long = settle(api, neon, time, now)

    share = 2 if now < before else 12
    assert too_long <= min(max(now / share, 0.05), 1) + 1e-6


def test_settle_expects_what_the_quickest_of_the_last_few_took(api, neon, time):
    for seconds in (1, 9, 9, 9, 9):
        settle(api, neon, time, seconds)
    wary, _ = settle(api, neon, time, 9)
    sure, too_long = settle(api, neon, time, 9)

    assert sure < wary
    assert too_long <= 9 / 120


def test_settle_does_not_take_what_needed_no_wait_for_quick(api, neon, time):
    settle(api, neon, time, 5)
    neon.settle(payloads.PROJECT, handed("finished"))
    looks, _ = settle(api, neon, time, 5)

    assert looks <= 22


def test_settle_does_not_take_a_look_that_failed_for_one_that_found_work(api, neon, time):
    ends, is_back, start = time.now + 1, time.now + 5, time.now  # the client itself asks again for 3.75 s
    answers = [listing("running"), Response(500, json=payloads.error("no")), listing("finished")]
    api.get(OPERATIONS).mock(side_effect=lambda request: answers[(time.now >= ends) + (time.now >= is_back)])

    neon.settle(payloads.PROJECT, handed("running"))

    assert neon.looks.expected(handed("running")).earliest == pytest.approx(0.9 * (time.now - start))


def test_settle_knows_each_kind_of_operations_by_itself(api, neon, time):
    settle(api, neon, time, 60)
    other = [Operation.from_json(payloads.operation(1, "running", action="start_compute"))]
    api.get(OPERATIONS).mock(side_effect=until(time, 0.5))
    start = time.now

    neon.settle(payloads.PROJECT, other)

    assert time.now - start <= 0.55 + 1e-6


def test_settle_gives_up_at_its_deadline_and_names_what_is_pending(api, neon, time):
    api.get(OPERATIONS).mock(side_effect=until(time, 10_000))
    start = time.now

    with pytest.raises(WaitTimeout, match=r"^after 300 s still pending: create_timeline$") as caught:
        neon.settle(payloads.PROJECT, handed("running"))

    assert time.now - start == pytest.approx(300)
    assert caught.value.sentence == "Neon did not finish its work in time. It may still do so."


def test_settle_ends_at_the_deadline_of_its_flow(api, neon, time):
    api.get(OPERATIONS).mock(side_effect=until(time, 10_000))

    with pytest.raises(WaitTimeout, match=r"^after 7 s still pending"):
        neon.settle(payloads.PROJECT, handed("running"), until=time.now + 7)


@pytest.mark.parametrize("status", ["failed", "error", "cancelled"])
def test_settle_names_the_operation_that_failed(api, neon, status):
    api.get(OPERATIONS).mock(side_effect=[listing("finished", "running"), listing("finished", status)])

    with pytest.raises(OperationFailed) as caught:
        neon.settle(payloads.PROJECT, handed("running", "scheduling"))

    assert (caught.value.action, caught.value.operation_status) == ("create_timeline", status)
    assert caught.value.sentence == "Neon could not finish its operation create_timeline."


def fail(status: str, **fields: object) -> Response:
    """Return the list of operations whose only one has failed."""
    return Response(200, json=payloads.operations(payloads.operation(1, status, **fields)))


def test_settle_says_why_an_operation_failed_without_what_is_secret_in_it(api, neon):
    why = f"compute node\n  exited, could not use {payloads.URI}."
    api.get(OPERATIONS).mock(side_effect=[fail("failed", action="start_compute", error=why)])

    with pytest.raises(OperationFailed) as caught:
        neon.settle(payloads.PROJECT, handed("running"))

    assert str(caught.value) == "operation start_compute ended as failed: compute node exited, could not use ***"
    assert caught.value.sentence == (
        "Neon could not finish its operation start_compute: compute node exited, could not use ***."
    )
    assert payloads.PASSWORD not in repr(vars(caught.value))


def test_settle_does_not_put_a_long_story_before_people(api, neon):
    api.get(OPERATIONS).mock(side_effect=[fail("error", error="no " * 1000)])

    with pytest.raises(OperationFailed) as caught:
        neon.settle(payloads.PROJECT, handed("running"))

    assert len(caught.value.sentence) < 300


def test_settle_stops_at_a_failure_though_others_are_still_at_work(api, neon):
    route = api.get(OPERATIONS).mock(side_effect=[listing("error", "running")])

    with pytest.raises(OperationFailed):
        neon.settle(payloads.PROJECT, handed("running", "running"))

    assert route.call_count == 1


def test_settle_that_waited_in_vain_for_another_try_says_what_had_failed(api, neon):
    api.get(OPERATIONS).mock(return_value=fail("failed", retry_at=payloads.MOMENT, error="no capacity"))

    with pytest.raises(WaitTimeout, match=r"^after 300 s still pending: create_timeline no capacity$"):
        neon.settle(payloads.PROJECT, handed("running"))


def test_settle_fails_at_once_when_an_answer_brings_a_failure(api, neon):
    with pytest.raises(OperationFailed):
        neon.settle(payloads.PROJECT, handed("error", "running"))


def test_settle_waits_on_while_neon_tries_again(api, neon):
    again = payloads.operation(1, "failed", failures_count=1, retry_at=payloads.MOMENT)
    route = api.get(OPERATIONS).mock(
        side_effect=[Response(200, json=payloads.operations(again)), listing("running"), listing("finished")]
    )

    neon.settle(payloads.PROJECT, handed("running"))

    assert route.call_count == 3


def test_settle_does_not_take_an_unknown_status_for_done(api, neon):
    route = api.get(OPERATIONS).mock(side_effect=[listing("pondering"), listing("finished")])

    neon.settle(payloads.PROJECT, handed("running"))

    assert route.call_count == 2


def test_settle_heeds_only_its_own_operations(api, neon):
    others = [payloads.operation(8, "failed"), payloads.operation(9, "running")]
    body = payloads.operations(*others, payloads.operation(1, "finished"))
    route = api.get(OPERATIONS).respond(json=body)

    neon.settle(payloads.PROJECT, handed("running"))

    assert route.call_count == 1


def test_settle_waits_for_an_operation_that_the_list_does_not_show_yet(api, neon):
    api.get(OPERATIONS).mock(side_effect=[listing(), listing("finished")])

    neon.settle(payloads.PROJECT, handed("running"))


def test_settle_of_a_project_looks_at_once_and_waits_for_all_that_is_pending(api, neon, time):
    api.get(OPERATIONS).mock(side_effect=[listing("finished", "running"), listing("finished", "finished")])

    neon.settle(payloads.PROJECT)

    assert time.slept == [0.05]


def test_settle_of_a_project_is_not_failed_by_the_past(api, neon, time):
    api.get(OPERATIONS).mock(side_effect=[listing("failed", "cancelled", "error", "finished")])

    neon.settle(payloads.PROJECT)

    assert time.slept == []
