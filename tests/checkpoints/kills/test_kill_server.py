"""The server of all databases is killed under a run, which may find it again, and under its clean-up."""

import pytest

from tests.checkpoints.kills.points import every, middles
from tests.checkpoints.kills.scenes import FLOWS
from tests.checkpoints.kills.stage import content, settle
from tests.checkpoints.kills.victims import EVERY, NTH, nobody_is_left


@pytest.mark.kill
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("stage", FLOWS, indirect=True)
def test_nothing_is_lost_with_the_server(stage, mortal, account):
    def attempt(at):
        stage.prepare()
        old, head = content(stage.project), stage.project.head
        run = stage.ask()
        passed, _ = mortal.order("execute", [str(run.pk)], at, victim="server", settings=stage.settings)
        nobody_is_left()
        return passed, settle(stage, run, old, head)

    passed, _ = attempt(None)
    for at in every(passed) if EVERY else middles(passed)[::NTH]:
        _, outcome = attempt(at)
        account(outcome)
    account("drifts mended by doctor", stage.drifts)
    assert not stage.drifts
