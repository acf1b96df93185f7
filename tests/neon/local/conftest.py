"""Fixtures of the plane's tests."""

import pytest

from tests.neon.local import plane
from tests.neon.local.kills import Victim


@pytest.fixture(scope="session")
def http():
    """An HTTP client of the plane, with its key."""
    with plane.wire() as client:
        yield client


@pytest.fixture
def project(http):
    """A project of its own."""
    with plane.project(http) as made:
        yield made


@pytest.fixture
def other(http):
    """A second project, of somebody else."""
    with plane.project(http, "other") as made:
        yield made


@pytest.fixture(scope="module")
def victim():
    """A process whose calls can be killed."""
    made = Victim()
    yield made
    made.process.stdin.close()
    assert made.process.wait(10) == 0
    made.process.stdout.close()
