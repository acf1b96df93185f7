"""The plane, which is served over HTTP as a process of its own, is killed inside each of a flow's calls.

It comes back at once, or only after the run has ended.
"""

from contextlib import suppress
from itertools import cycle

import pytest

from checkpoints import runs
from neon import service as neon
from neon.errors import NeonError
from tests.checkpoints import flows
from tests.checkpoints.kills.points import every, middles
from tests.checkpoints.kills.scenes import FLOWS
from tests.checkpoints.kills.stage import content, settle
from tests.checkpoints.kills.victims import EVERY, NTH, Plane, nobody_is_left


@pytest.fixture(scope="module")
def served(django_db_setup):
    """The plane, over HTTP."""
    plane = Plane()
    plane.serve()
    yield plane
    plane.kill()


@pytest.fixture(autouse=True)
def _by_http(served, settings):
    """Neon is where the plane is served."""
    settings.NEON_API_KEY = settings.NEON_LOCAL_API_KEY
    settings.NEON_API_URL = f"http://127.0.0.1:{served.port}/api/v2"
    neon.connect.cache_clear()
    yield
    neon.connect().client.close()
    neon.connect.cache_clear()


@pytest.mark.kill
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("stage", [flow for flow in FLOWS if flow != "Refused"], indirect=True)
def test_a_run_bears_it_or_says_so(stage, served, account):
    def attempt(at, away=False):
        stage.prepare()
        old, head = content(stage.project), stage.project.head
        run = stage.ask()
        served.serve(at, away=away)
        flows.done(run)
        with suppress(NeonError):
            runs.clean_up(run.pk)
        passed, killed = served.serve()
        nobody_is_left()
        return passed, killed, settle(stage, run, old, head)

    passed, killed, outcome = attempt(None)
    assert (killed, outcome) == (False, "succeeded")
    points = [(at, away) for at in every(passed) for away in (False, True)]
    for at, away in points if EVERY else zip(middles(passed)[::NTH], cycle([True, False]), strict=False):
        _, killed, outcome = attempt(at, away)
        account(outcome if killed else "over before")
    account("drifts mended by doctor", stage.drifts)
