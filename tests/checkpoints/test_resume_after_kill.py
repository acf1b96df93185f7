"""Whoever executes a run is killed: the next one brings it to the same end, and the user is not locked out."""

import signal
import time

import pytest

from checkpoints import runs, services
from checkpoints.models import Project, Run
from tests.checkpoints import flows, processes
from tests.waiting import until

pytestmark = pytest.mark.kill

KILLED = str(-signal.SIGKILL)
PEOPLE = {"Ada Lovelace", "Alan Turing", "Grace Hopper"}
# Long enough that there is a middle.
OPERATION_SECONDS = "0.5"


@pytest.fixture(scope="module")
def mortal(django_db_setup):
    """A process that executes runs in children that are killed."""
    process = processes.Process("-m", "tests.checkpoints.mortal")
    yield process
    process.kill()


@pytest.fixture
def killed_in(mortal):
    """A function that executes a run until it is killed in a step."""

    def execute(run, step):
        # Not before the server has noticed that the last process is dead.
        until(lambda: mortal.ask(f"{run.pk} {step}") == KILLED)

    return execute


@pytest.fixture
def workers():
    """A function that starts one worker more."""
    started = []

    def start():
        started.append(processes.worker(NEON_LOCAL_OPERATION_SECONDS=OPERATION_SECONDS))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()


def resumed(run):
    """Execute a run as the next worker would: as soon as the server has noticed that the last one is dead."""
    until(lambda: flows.done(run).is_finished)
    run.refresh_from_db()
    return run


def is_in(run, name):
    """Tell whether a run is in a step."""
    return any(step.name == name and step.state == "running" for step in run.progress)


def test_a_start_that_is_killed_in_each_of_its_steps_is_done_once(ada, killed_in):
    run = runs.begin(owner=ada, kind=Run.Kind.START)
    for step in ("create", "apply", "snapshot", "record"):
        killed_in(run, step)
    assert resumed(run).status == "succeeded"
    project = Project.objects.get()
    assert flows.neon_projects(ada) == {project.neon_project_id}
    assert flows.snapshots(project) == {project.head.snapshot_id}
    assert flows.people(project).keys() == PEOPLE
    assert not services.differs(project, project.head)


def test_an_advance_that_is_killed_in_each_of_its_steps_is_done_once(ada, killed_in):
    head = flows.start(ada).result
    run = flows.begin(head, Run.Kind.ADVANCE)
    for step in ("apply", "snapshot", "record"):
        killed_in(run, step)
    second = resumed(run).result
    project = Project.objects.get()
    assert (second.version, second.parent, project.head) == ("v2", head, second)
    assert flows.snapshots(project) == {head.snapshot_id, second.snapshot_id}
    assert flows.people(project)["Alan Turing"].company == "Bletchley Park"
    assert not services.differs(project, second)


def test_a_restore_that_is_killed_in_each_of_its_steps_is_done_once(ada, killed_in):
    head = flows.start(ada).result
    flows.advance(head)
    run = flows.begin(head, Run.Kind.RESTORE)
    for step in ("restore", "verify", "record"):
        killed_in(run, step)
    assert resumed(run).result == head
    project = Project.objects.get()
    assert project.head == head
    assert not services.differs(project, head)
    runs.clean_up(run.pk)
    assert flows.branches(project) == {"main"}


def test_workers_that_are_killed_in_the_middle_of_each_flow_lock_nobody_out(ada, workers):
    worker = workers()

    def killed_in_the_middle(kind, step, **options):
        nonlocal worker
        run = runs.begin(owner=ada, kind=kind, **options)
        until(lambda: is_in(Run.objects.get(pk=run.pk), step))
        time.sleep(float(OPERATION_SECONDS) / 3)
        worker.kill()
        assert Run.objects.get(pk=run.pk).status == "running"
        worker = workers()
        run = until(lambda: Run.objects.filter(pk=run.pk, finished_at__isnull=False).first(), seconds=10)
        assert (run.status, run.error) == ("succeeded", "")
        return run.result

    first = killed_in_the_middle(Run.Kind.START, "create")
    project = Project.objects.get()
    assert flows.neon_projects(ada) == {project.neon_project_id}
    second = killed_in_the_middle(Run.Kind.ADVANCE, "snapshot", project=project, target=first)
    assert flows.snapshots(project) == {first.snapshot_id, second.snapshot_id}
    killed_in_the_middle(Run.Kind.RESTORE, "restore", project=project, target=first)
    until(lambda: flows.branches(project) == {"main"})
    project.refresh_from_db()
    assert project.head == first
    assert flows.people(project).keys() == PEOPLE
