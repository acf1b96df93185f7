"""The process that executes a run, and cleans up after it, is killed between any two of its round trips."""

import pytest

from tests.checkpoints.kills.points import chosen, every
from tests.checkpoints.kills.scenes import FLOWS
from tests.checkpoints.kills.stage import content, settle
from tests.checkpoints.kills.victims import EVERY, NTH, nobody_is_left


@pytest.mark.kill
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("stage", FLOWS, indirect=True)
def test_the_next_worker_brings_the_run_to_its_end(stage, mortal, account):
    def attempt(at):
        stage.prepare()
        old, head = content(stage.project), stage.project.head
        run = stage.ask()
        passed, killed = mortal.order("execute", [str(run.pk)], at, settings=stage.settings)
        nobody_is_left()
        return passed, killed, settle(stage, run, old, head)

    passed, killed, _ = attempt(None)
    assert not killed
    for at in every(passed) if EVERY else chosen(passed)[::NTH]:
        _, killed, outcome = attempt(at)
        account(outcome if killed else "over before")
    account("drifts mended by doctor", stage.drifts)
    assert not stage.drifts
