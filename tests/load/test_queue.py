"""More actions than a worker may have at work: the others wait, and their pages say for how many."""

import threading
import time

import pytest

from checkpoints.models import Run
from tests.load.site import at_once

USERS, CONCURRENCY = 10, 2

pytestmark = [pytest.mark.scale, pytest.mark.timeout(180)]


def test_a_worker_has_so_many_runs_at_work_and_the_others_wait_for_their_turn(serve):
    site = serve(WORKER_CONCURRENCY=CONCURRENCY, NEON_LOCAL_OPERATION_SECONDS=1.0)
    windows = [site.window(site.person()) for _ in range(USERS)]
    clicking = threading.Thread(target=at_once, args=[lambda window=each: window.act("/start/") for each in windows])
    clicking.start()
    most = 0
    while clicking.is_alive():
        most = max(most, Run.objects.filter(status="running").count())
        time.sleep(0.02)
    assert Run.objects.filter(status="succeeded").count() == USERS
    assert most == CONCURRENCY

    # The last one saw its place shrink; nobody saw it grow, or more of them than there were.
    places = [window.places for window in windows]
    assert all(seen == sorted(seen, reverse=True) for seen in places)
    assert max(max(seen, default=0) for seen in places) in range(USERS // 2, USERS)
    site.verify()
