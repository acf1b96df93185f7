"""Fixtures that every test may use."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from checkpoints import runs
from checkpoints.models import Run
from neon import service as neon
from neon.local import postgres


@pytest.hookimpl(tryfirst=True)  # before the temporary folders' plugin looks
def pytest_configure(config: pytest.Config) -> None:
    """Give the session a folder of its own: by default the end of one session empties those of all others."""
    if not config.option.basetemp:
        config.option.basetemp = tempfile.mkdtemp(prefix="checkpoints-pytest-")
        atexit.register(shutil.rmtree, config.option.basetemp, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, all of the browser's in another, and begin with those: they take longest."""
    items.sort(key=lambda item: item.path.parent.name != "browser")
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group("browser" if folder == "browser" else f"{folder}/{item.path.name}"))


@pytest.fixture(scope="session", autouse=True)
def _embedded_server() -> Iterator[None]:
    """Stop this process's server at the end."""
    yield
    postgres.embedded().leave()


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


@pytest.fixture
def started(user: User) -> Iterator[User]:
    """A user whose demo is started: a project of their own, at v1."""
    run = runs.begin(owner=user, kind=Run.Kind.START, queue=False)
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED, run.detail
    yield user
    for neon_project_id in {run.state["neon_project_id"], *user.projects.values_list("neon_project_id", flat=True)}:
        neon.connect().delete_project(neon_project_id)
    neon.upkeep()
