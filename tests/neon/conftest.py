"""Fixtures of the tests at the wire."""

import functools
from collections.abc import Iterator

import httpx
import pytest
import respx

from neon.client import Client
from neon.service import Neon
from tests.neon import wire


@pytest.fixture(scope="session", autouse=True)
def _certificates_read_once() -> Iterator[None]:
    """Read the machine's certificates once: every client of hundreds would do so again, and need most of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", functools.cache(httpx.create_ssl_context))
        yield


@pytest.fixture
def time() -> wire.Time:
    """Time that only sleeping moves."""
    return wire.Time()


@pytest.fixture
def client(time: wire.Time) -> Iterator[Client]:
    """A client without an organisation."""
    with wire.client(time) as client:
        yield client


@pytest.fixture
def neon(client: Client, time: wire.Time) -> Neon:
    """The flows, on that client."""
    return Neon(client, clock=time.clock, sleep=time.sleep)


@pytest.fixture
def api() -> Iterator[respx.MockRouter]:
    """Neon's API at the wire; every route that a test sets up has to be used."""
    with respx.mock(base_url=wire.API) as router:
        yield router
