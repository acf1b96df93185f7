"""Browsers, a worker, and the app database of a started demo."""

import time
from types import SimpleNamespace

import psycopg
import pytest
from django.contrib.auth.models import User
from psycopg import conninfo, sql

from checkpoints import runs
from checkpoints.models import Project
from checkpoints.views import actions, pages
from contacts import db, queries, versions
from neon.local import postgres


@pytest.fixture
def project(started):
    """The project of the started demo."""
    return Project.objects.current(started)


@pytest.fixture
def head(project):
    """The checkpoint that the database is at: v1."""
    return project.head


@pytest.fixture
def owner(started, client_of):
    """The browser of the user whose demo is started."""
    return client_of(started)


@pytest.fixture
def stranger(db, client_of):
    """The browser of somebody else."""
    return client_of(User.objects.create_user("eve@example.com", "eve@example.com"))


@pytest.fixture
def working(monkeypatch):
    """A worker that takes a run the moment somebody waits for it, in the same thread."""
    wait = runs.wait

    def execute_and_wait(run, seconds, **options):
        runs.execute(run.pk)
        return wait(run, seconds, **options)

    monkeypatch.setattr(runs, "wait", execute_and_wait)


@pytest.fixture
def impatient(monkeypatch):
    """No worker, and nobody who waits for one."""
    monkeypatch.setattr(actions, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(pages, "PATIENCE_SECONDS", 0)


@pytest.fixture
def contacts(project):
    """The contacts by name, as the app database has them now."""
    return lambda: {
        contact.name: contact for contact in queries.list_contacts(project.database_url, versions.get("v1"))
    }


@pytest.fixture
def execute(project):
    """A function that runs SQL in the app database, past the site."""
    with psycopg.connect(project.database_url, autocommit=True) as connection:
        yield connection.execute


@pytest.fixture
def database_down(project, monkeypatch):
    """An app database that lets nobody in, and a site that does not wait for it long."""
    monkeypatch.setattr(db, "RETRY_SECONDS", 0.02)
    name = conninfo.conninfo_to_dict(project.database_url)["dbname"]
    with psycopg.connect(**postgres.server().address(), dbname="postgres", autocommit=True) as superuser:
        superuser.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        while superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        ).fetchall():
            time.sleep(0.001)


@pytest.fixture
def grown(project, owner, working):
    """A project that went on to v2: its first and its second checkpoint."""
    owner.post(f"/checkpoints/{project.head_id}/advance/")
    first = project.head
    project.refresh_from_db()
    return SimpleNamespace(first=first, second=project.head)
