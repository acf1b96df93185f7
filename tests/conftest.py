"""Fixtures that every test may use."""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from xdist.scheduler import LoadFileScheduling

from checkpoints import locks, runs
from checkpoints.models import Run
from contacts import db
from neon import service as neon
from neon.local import cluster, postgres

# Each in one process: there is one browser, and large databases are filled once.
TOGETHER = ("tests/browser/", "tests/scale/")
# What takes a minute: early, so that nobody waits for it in the end, and each test by itself.
LONG = ("tests/load/", "tests/checkpoints/test_outages_for_real.py")
SUITES = {"clients", "kill", "scale", "speed"}
# What goes through everything there is, where another module has the rule and an example: for .ci/run.
THOROUGH = {
    "browser": "test_contacts_list test_flow_over_http test_fork test_outage test_pages test_progress"
    " test_two_users test_without_javascript",
    "checkpoints": "test_access test_accounts test_admin test_advance_view test_call_budget test_changes"
    " test_checkpoint_delete test_checks test_clean_up test_contact_add test_contact_delete test_contact_edit"
    " test_contacts_list test_deleted_secrets test_demo_log test_doctor test_headers test_hostile_input"
    " test_late_click test_limits test_neon_cleanup test_neon_cleanup_branches test_neon_cleanup_demo_content"
    " test_neon_cleanup_orphans test_neon_cleanup_snapshots test_restore_view test_restore_trouble test_rotate_keys"
    " test_run_retry test_run_undo test_run_view test_start_demo test_start_view test_tabs test_url_table"
    " test_weight test_worker",
    "local": "test_account test_bad_input test_branch_pages test_branch_restore test_databases test_dropped_by_owner"
    " test_endpoints test_faults test_faults_of_operations test_greed test_held_up test_isolation_between"
    " test_isolation_within test_local_postgres_url test_neon_local test_operations test_planted_code test_postgres"
    " test_recover test_roles test_router test_router_trouble test_schema test_server_away test_snapshot_contents"
    " test_snapshot_expiry test_startup test_sweep test_two_step_restore test_wire_shapes",
}


@pytest.hookimpl(tryfirst=True)  # before the temporary folders' plugin looks
def pytest_configure(config: pytest.Config) -> None:
    """Give the session a folder of its own: by default the end of one session empties those of all others.

    And keep the tests as pytest has rewritten them, also where PYTHONDONTWRITEBYTECODE is set: to rewrite them takes
    each process six seconds.
    """
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # nor are the processes that tests start to compile all anew
    if not config.option.basetemp:
        config.option.basetemp = tempfile.mkdtemp(prefix="checkpoints-pytest-")
        atexit.register(shutil.rmtree, config.option.basetemp, ignore_errors=True)


class Scheduling(LoadFileScheduling):
    """Keeps a file's tests in one process, and those of some folders."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(LONG):
            return nodeid
        file = nodeid.partition("::")[0]
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Not ``loadgroup``: it writes groups where pytest 9.2 no longer reads a test's id.

    In the order of the collection: by itself it would end with the files of few tests, which are those that take long.
    """
    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is thorough, and begin with what takes longest.

    The browser comes second: it leaves an event loop running, in which nothing else can be run to its end.
    """
    for item in items:
        has_suite = SUITES & {marker.name for marker in item.iter_markers()}
        if not has_suite and item.path.stem in THOROUGH.get(item.path.parent.name, "").split():
            item.add_marker("thorough")
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    folder = item.path.parent.name
    if folder == "scale" and item.get_closest_marker("scale"):
        return 0
    if folder == "browser":
        return 1
    return 2 if folder == "kills" or item.nodeid.startswith(LONG) else 3


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what has been killed, how often, and how that ended."""
    for report in terminalreporter.getreports("passed"):
        if counts := dict(report.user_properties).get("kills"):
            how = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
            terminalreporter.write_line(f"{report.nodeid.rpartition('/')[2]}: {how}")


@pytest.fixture(scope="session", autouse=True)
def _embedded_server() -> Iterator[None]:
    """Stop this process's server at the end; in it, where nothing is flushed to disk, copy every database's files.

    That takes a third of the time. The processes that tests start copy as they do for users.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "COPY_SMALL", cluster.COPY_LARGE)
        yield
    postgres.embedded().leave()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """End the sessions that locks were on, before their database is dropped."""
    yield
    locks.end_idle_sessions()


@pytest.fixture
def user(db: None) -> User:
    """A user who has not started anything."""
    return User.objects.create_user("ada@example.com", "ada@example.com", "correct horse")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that hardly waits for an app database to which nobody can connect."""
    for name in ("RETRY_SECONDS", "CLOSED_SECONDS"):
        monkeypatch.setattr(db, name, 0.02)


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
