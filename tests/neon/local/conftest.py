"""Fixtures of the plane's tests."""

import httpx
import pytest
from django.conf import settings

from neon.local import faults, server
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
def served():
    """The plane, served by this process."""
    with server.serving("127.0.0.1", 0) as served:
        yield served


@pytest.fixture(scope="module")
def api(served):
    """An HTTP client of the served plane, whose URIs lead to the router."""
    headers = {"Authorization": f"Bearer {settings.NEON_LOCAL_API_KEY}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def faults_on(settings):
    """The setting is on, and no call has been counted yet."""
    settings.NEON_LOCAL_FAULTS = True
    faults._seen.clear()


@pytest.fixture(scope="module")
def victim():
    """A process whose calls can be killed."""
    made = Victim()
    yield made
    made.process.stdin.close()
    assert made.process.wait(10) == 0
    made.process.stdout.close()
