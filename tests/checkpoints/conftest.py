"""Browsers, a worker, and the app database of a started demo."""

import time
from types import SimpleNamespace

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from psycopg import conninfo, sql

from checkpoints import runs
from checkpoints.models import Checkpoint, Project, Run
from checkpoints.views import pages
from contacts import versions
from neon import service as neon
from neon import waiting
from neon.client import Client
from neon.local import postgres
from tests.checkpoints import cleaning, flows
from tests.checkpoints.wire import Wire
from tests.contacts.everybody import everybody


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
    monkeypatch.setattr(pages, "PATIENCE_SECONDS", 0)


@pytest.fixture
def contacts(project):
    """The contacts by name, as the app database has them now."""
    return lambda: {contact.name: contact for contact in everybody(project.database_url, versions.get("v1"))}


@pytest.fixture
def execute(project):
    """A function that runs SQL in the app database, past the site."""
    with psycopg.connect(project.database_url, autocommit=True) as connection:
        yield connection.execute


@pytest.fixture
def database_down(project, hasty):
    """An app database that lets nobody in, and a site that does not wait for it long."""
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


@pytest.fixture
def moved(project):
    """A project whose head moved on, in the meta database alone: enough where the app database must not be asked."""
    first = project.head
    project.head = Checkpoint.objects.create(
        project=project, parent=first, prompt="Add role and company", version="v2", snapshot_id="snap-second"
    )
    project.save()
    return SimpleNamespace(first=first, second=project.head)


@pytest.fixture
def wire(settings, monkeypatch):
    """The way to Neon, on which faults can be put; nobody waits before trying again."""
    wire = Wire()
    client = Client(settings.NEON_LOCAL_API_KEY, transport=wire, sleep=lambda seconds: None)
    monkeypatch.setattr(neon, "connect", lambda: neon.Neon(client))
    monkeypatch.setattr(waiting, "STILL_AT_WORK", 0)
    yield wire
    wire.mend()


@pytest.fixture
def newcomer(user):
    """A user who has not started anything, and whose Neon projects are deleted in the end."""
    yield user
    for neon_project_id in flows.neon_projects(user):
        neon.connect().delete_project(neon_project_id)


@pytest.fixture
def empty_queue(transactional_db):
    """The queue of a test whose rows are seen by other processes; Django does not empty tables it does not manage."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers RESTART IDENTITY CASCADE")


@pytest.fixture
def ada(empty_queue):
    """A newcomer whom other processes see too."""
    user = User.objects.create_user("ada")
    yield user
    for neon_project_id in flows.neon_projects(user):
        neon.connect().delete_project(neon_project_id)


@pytest.fixture
def only_ours():
    """Delete whatever a test has left in Neon, and nothing that was there before."""
    before = cleaning.in_neon()
    yield
    for neon_project_id in cleaning.in_neon() - before:
        neon.connect().delete_project(neon_project_id)
    neon.upkeep()


@pytest.fixture
def eve(db):
    """Somebody else whose demo is started."""
    user = User.objects.create_user("eve@example.com")
    flows.start(user)
    return user


@pytest.fixture
def theirs(project):
    """A project in Neon that another site with the same account has made, for its user of the same number."""
    return neon.connect().create_project(f"checkpoints-{project.owner_id}-01234567").project_id


@pytest.fixture
def fork(project, head):
    """A tree: from v1, where the database is again, one v2 with a v3 below it, and another v2."""
    second = flows.advance(head).result
    third = flows.advance(second).result
    flows.restore(head)
    other = flows.advance(Checkpoint.objects.get(pk=head.pk)).result
    runs.clean_up(flows.restore(head).pk)
    for run in Run.objects.with_leftovers():
        runs.clean_up(run.pk)
    project.refresh_from_db()
    return SimpleNamespace(first=head, second=second, third=third, other=other)
