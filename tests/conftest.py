"""Fixtures that every test may use."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from checkpoints import runs, services
from checkpoints.models import Run
from contacts.errors import AppDatabaseError
from neon import service as neon
from neon.local import postgres


@pytest.fixture(scope="session", autouse=True)
def _embedded_server() -> Iterator[None]:
    """Stop this session's server and remove its folder at the end."""
    yield
    postgres.server().leave()
    shutil.rmtree(settings.DATA_DIR, ignore_errors=True)


@pytest.fixture
def user(db: None) -> User:
    """A user who has not started anything."""
    return User.objects.create_user("ada@example.com", "ada@example.com", "correct horse")


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    """A function that returns a browser in which that user is signed in."""

    def sign_in(user: Any) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture(scope="session")
def spare_starts() -> list[Run]:
    """Start runs of earlier tests that left their app database as it was made."""
    return []


@pytest.fixture
def started(user: User, spare_starts: list[Run]) -> Iterator[User]:
    """A user whose demo is started: a project of their own, at v1.

    Making a Neon project takes most of the time, so one that no test has touched is taken over: the run is resumed
    at its last step.
    """
    run = runs.begin(owner=user, kind=Run.Kind.START, queue=False)
    if spare_starts:
        earlier = spare_starts.pop()
        run.state, run.steps = earlier.state, [*earlier.steps[:-1], run.steps[-1]]
        run.save()
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED, run.detail
    yield user
    run.refresh_from_db()
    if _is_untouched(run):
        spare_starts.append(run)
    else:
        for neon_project_id in {run.state["neon_project_id"], *user.projects.values_list("neon_project_id", flat=True)}:
            neon.connect().delete_project(neon_project_id)


def _is_untouched(run: Run) -> bool:
    """Tell whether nothing but the run itself has worked on its app database."""
    if run.project is None or run.result is None or Run.objects.exclude(pk=run.pk).filter(started_at__isnull=False):
        return False
    with suppress(AppDatabaseError):
        return not services.differs(run.project, run.result)
    return False
