"""A site under load."""

from contextlib import ExitStack

import pytest
from django.db import connection

from tests.load.site import Site


@pytest.fixture
def serve(transactional_db, tmp_path, monkeypatch):
    """A function that starts the site; in the end it stops, and all that people have made is deleted."""
    with ExitStack() as stack:

        def start(workers=1, **variables):
            own = {
                "DJANGO_SETTINGS_MODULE": "tests.load.settings",
                "TEST_DATABASE": connection.settings_dict["NAME"],
                "LOAD_LOG": tmp_path / "log",
                "TMPDIR": tmp_path / "temporary",
            }
            own["TMPDIR"].mkdir()
            for name, value in (own | variables).items():
                monkeypatch.setenv(name, str(value))
            site = Site(own["LOAD_LOG"], own["TMPDIR"], workers)
            stack.callback(site.delete_everything)
            stack.callback(lambda: print(site.log[-20_000:]))  # which pytest shows when the test has failed
            stack.callback(site.stop)
            site.await_ready()
            return site

        yield start


@pytest.fixture
def site(serve):
    """The site as it comes."""
    return serve()
