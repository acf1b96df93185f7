"""How fast requests may go, whoever sends them."""

import random
import threading
import time as real_time

import pytest

from neon import pacing
from neon.errors import RateLimited
from neon.pacing import Pacer
from tests.neon.wire import Time

LATE = float("inf")
# What Neon allows an account.
NEONS_MINUTE, NEONS_SECOND = 700, 40


def pacer(time: Time, **limits: int) -> Pacer:
    """Return a pacer whose time only sleeping moves."""
    return Pacer(clock=time.clock, sleep=time.sleep, **limits)


def most_within(moments: list[float], span: float) -> int:
    """Return how many moments lie in the fullest window of that length."""
    start, most = 0, 0
    for end, moment in enumerate(moments):
        while moment - moments[start] >= span:
            start += 1
        most = max(most, end - start + 1)
    return most


def test_few_requests_do_not_wait(time):
    paced = pacer(time)

    for _ in range(pacing.PER_SECOND):
        paced.wait(LATE)

    assert time.slept == []


def test_a_burst_is_spread_over_seconds_and_tens_of_them(time):
    paced, moments = pacer(time), []

    for _ in range(2000):
        paced.wait(LATE)
        moments.append(time.now)

    assert most_within(moments, 1) == pacing.PER_SECOND
    assert most_within(moments, 10) == pacing.PER_TEN_SECONDS
    assert moments[-1] - moments[0] == pytest.approx(19 * 10 + 3)  # no slower than it has to be


@pytest.mark.parametrize("seed", range(20))
def test_no_window_ever_holds_more_than_neon_allows_whatever_the_traffic(seed):
    chance, time, moments = random.Random(seed), Time(), []
    paced = pacer(time)

    for _ in range(3000):
        time.now += chance.choice([0, 0, 0, 0.001, 0.03, 0.2, 1.5 * chance.random()])
        paced.wait(LATE)
        moments.append(time.now)

    assert most_within(moments, 1) <= pacing.PER_SECOND < NEONS_SECOND
    assert most_within(moments, 60) <= 6 * pacing.PER_TEN_SECONDS < NEONS_MINUTE


def test_a_wait_past_the_deadline_is_refused_at_once_and_takes_no_turn(time):
    paced = pacer(time, per_second=2, per_ten_seconds=3)
    for _ in range(3):
        paced.wait(LATE)
    slept = list(time.slept)

    for _ in range(50):
        with pytest.raises(RateLimited):
            paced.wait(time.now + 8.9)

    assert time.slept == slept
    paced.wait(time.now + 9)
    assert time.now == 1010


def test_threads_share_one_pace():
    paced, moments, lock = Pacer(per_second=20, per_ten_seconds=1000), [], threading.Lock()

    def work() -> None:
        for _ in range(5):
            paced.wait(LATE)
            with lock:
                moments.append(real_time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # 50 at 20 a second: at once, after one second, after two. A thread may wake late, never early.
    moments.sort()
    assert len(moments) == 50
    assert moments[20] - moments[0] > 0.9
    assert moments[40] - moments[0] > 1.9
    assert moments[-1] - moments[0] < 4
