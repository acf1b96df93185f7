"""What the kills need: a stage for each flow, a process to be killed, and an account of how it went."""

import pytest

from neon import waiting
from tests.checkpoints.kills import scenes
from tests.checkpoints.kills.victims import KEPT, Mortal


@pytest.fixture(scope="module")
def mortal(django_db_setup):
    """A process whose children are killed."""
    process = Mortal()
    yield process
    process.kill()


@pytest.fixture
def stage(ada, settings, monkeypatch, request):
    """The flow of the test's parameter, with all that comes before it."""
    settings.SAFETY_CHECKPOINTS = KEPT["SAFETY_CHECKPOINTS"]
    monkeypatch.setattr(waiting, "STILL_AT_WORK", 0)  # nobody else is
    return getattr(scenes, request.param)(ada)


@pytest.fixture
def account(record_property):
    """A function that counts how an attempt ended; at its end the session says how often."""
    counts = {}
    record_property("kills", counts)

    def count(outcome, number=1):
        counts[outcome] = counts.get(outcome, 0) + number

    return count
