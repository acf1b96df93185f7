"""The worker, as a process, and the tasks that it repeats."""

import time

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from checkpoints import runs, tasks
from checkpoints.models import Project, Run
from tests.checkpoints import flows, processes
from tests.waiting import until


@pytest.fixture
def worker(empty_queue):
    """A worker that is ready."""
    process = processes.worker()
    until(ProcrastinateWorker.objects.exists)
    yield process
    process.kill()


def test_it_does_what_is_queued_at_once_cleans_up_and_stops_when_told(ada, worker):
    begun = time.monotonic()
    run = runs.begin(owner=ada, kind=Run.Kind.START)
    until(lambda: Run.objects.filter(status="succeeded"))
    assert time.monotonic() - begun < 3
    project = Project.objects.get()

    runs.begin(owner=ada, kind=Run.Kind.RESTORE, project=project, target=project.head)
    until(lambda: Run.objects.filter(kind="restore", status="succeeded"))
    until(lambda: flows.branches(project) == {"main"})
    until(lambda: not ProcrastinateJob.objects.filter(status__in=["todo", "doing"], args__run_id=str(run.pk)))

    begun = time.monotonic()
    assert worker.terminate() == 0
    assert time.monotonic() - begun < 3


def test_a_failure_does_not_end_it(ada, worker):
    runs.begin(owner=ada, kind=Run.Kind.RESTORE)
    until(lambda: Run.objects.filter(status="failed"))
    runs.begin(owner=ada, kind=Run.Kind.START)
    until(lambda: Run.objects.filter(status="succeeded"))


def test_every_ten_seconds_it_looks_for_runs_whose_worker_died(user):
    run = runs.begin(owner=user, kind=Run.Kind.START, queue=False)
    tasks.upkeep(timestamp=0)
    job = ProcrastinateJob.objects.get()
    assert (job.task_name, job.args) == ("checkpoints.tasks.execute", {"run_id": str(run.pk)})


def test_every_minute_it_repeats_the_clean_ups_that_failed(user):
    run = runs.begin(owner=user, kind=Run.Kind.START, queue=False)
    run.remember(leftover={"project_names": ["nobody's"]})
    run.fail("No.")
    tasks.clean_up_all(timestamp=0)
    job = ProcrastinateJob.objects.get()
    assert (job.task_name, job.args) == ("checkpoints.tasks.clean_up", {"run_id": str(run.pk)})
    tasks.clean_up(str(run.pk))
    assert not Run.objects.with_leftovers()
