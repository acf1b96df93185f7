"""Which Neon the site speaks to."""

from collections.abc import Iterator

import pytest

from neon import service
from neon.errors import NeonError
from tests.neon import payloads, wire


@pytest.fixture
def _fresh() -> Iterator[None]:
    service.connect.cache_clear()
    yield
    service.connect.cache_clear()


@pytest.mark.usefixtures("_fresh")
def test_connect_with_a_key_goes_to_neon(api, settings):
    settings.NEON_API_KEY, settings.NEON_API_URL, settings.NEON_ORG_ID = wire.KEY, wire.API, "org-1"
    route = api.get("/projects").respond(json=payloads.projects())

    neon = service.connect()
    list(neon.client.list_projects())

    request = route.calls.last.request
    assert request.headers["Authorization"] == f"Bearer {wire.KEY}"
    assert request.url.params["org_id"] == "org-1"
    assert service.connect() is neon
    assert wire.KEY not in repr(neon)


@pytest.mark.usefixtures("_fresh")
def test_connect_with_a_malformed_key_says_so_each_time(settings):
    settings.NEON_API_KEY = "napi\nbroken"

    for _ in range(2):
        with pytest.raises(NeonError, match="the API key is empty or holds"):
            service.connect()


@pytest.mark.usefixtures("_fresh")
def test_connect_without_a_key_goes_to_the_local_plane(settings):
    settings.NEON_API_KEY = ""

    assert repr(service.connect().client) == "<Client http://neon.local/api/v2/>"


def test_upkeep_is_the_planes_own_affair(settings, monkeypatch):

    done = []
    monkeypatch.setattr("neon.local.engine.upkeep.run", lambda: done.append("upkeep"))

    settings.NEON_API_KEY = wire.KEY
    service.upkeep()
    assert done == []

    settings.NEON_API_KEY = ""
    service.upkeep()
    assert done == ["upkeep"]
