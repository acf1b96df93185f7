"""The two sites that everything here is compared at, made once."""

import pytest

from checkpoints import kept
from contacts import db, schema, versions
from neon import service as neon
from tests.scale import sites


@pytest.fixture(scope="session")
def both(django_db_blocker):
    """The small site and the full one, with the same app database."""
    with django_db_blocker.unblock():
        database = neon.connect().create_project("checkpoints-scale")
        schema.apply(database.uri, versions.FIRST)
        with sites.made(database) as both:
            yield both
        db.forget(database.uri)
        neon.connect().delete_project(database.project_id)
        neon.upkeep()


@pytest.fixture
def small(both, django_db_blocker):
    """The site with next to nothing in it."""
    with django_db_blocker.unblock():
        yield both[0]


@pytest.fixture
def full(both, django_db_blocker):
    """The site with all that ten thousand users have made."""
    with django_db_blocker.unblock():
        yield both[1]


@pytest.fixture
def made_anew(monkeypatch):
    """Pages are made for whoever looks at them, as the first time."""
    monkeypatch.setattr(kept.Look, "unchanged", lambda look: None)
