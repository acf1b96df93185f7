"""The web process is killed while it begins a run and waits for it; a worker is there all the time."""

import pytest
from django.conf import settings

from checkpoints.models import Run
from tests.checkpoints import processes
from tests.checkpoints.kills.points import every
from tests.checkpoints.kills.scenes import FLOWS
from tests.checkpoints.kills.stage import content, settle
from tests.checkpoints.kills.victims import EVERY, NTH, VARIABLES
from tests.waiting import until

SAMPLE = 5


@pytest.fixture
def _worker(ada):
    """A worker that is not killed."""
    worker = processes.worker(LOG_LEVEL="CRITICAL", **VARIABLES)
    yield
    assert worker.is_alive()
    worker.kill()


@pytest.fixture
def session(ada, client_of):
    """The session of the user's browser."""
    return client_of(ada).cookies[settings.SESSION_COOKIE_NAME].value


@pytest.mark.kill
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("_worker")
@pytest.mark.parametrize("stage", [flow for flow in FLOWS if flow != "Refused"], indirect=True)
def test_a_click_is_taken_as_a_whole_or_not_at_all(stage, mortal, session, account):
    def attempt(at):
        stage.prepare()
        old, head = content(stage.project), stage.project.head
        before = set(Run.objects.values_list("pk", flat=True))
        passed, killed = mortal.order("post", [stage.click[0], session, stage.click[1]], at)
        if run := Run.objects.exclude(pk__in=before).first():
            until(lambda: Run.objects.get(pk=run.pk).is_finished)  # by the worker
            return passed, killed, settle(stage, run, old, head)
        assert content(stage.project) == old
        assert settle(stage, stage.ask(), old, head) == "succeeded"
        return passed, killed, "not begun"

    passed, killed, outcome = attempt(None)
    assert (killed, outcome) == (False, "succeeded")
    for at in every(passed)[:: 1 if EVERY else max(1, NTH * len(passed) // SAMPLE)]:
        _, killed, outcome = attempt(at)
        account(outcome if killed else "over before")
    account("drifts mended by doctor", stage.drifts)
    assert not stage.drifts
