"""What a run leaves in Neon, and how it goes."""

import httpx
import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from checkpoints import aftermath, runs, services
from checkpoints.models import Run
from neon import service as neon
from neon.errors import NeonError
from tests.checkpoints import flows


@pytest.fixture
def restored(head):
    """A restore that has left a replaced branch."""
    return flows.restore(head)


def queued(run):
    """Return how many clean-ups of a run are waiting for a worker."""
    jobs = ProcrastinateJob.objects.filter(task_name="checkpoints.tasks.clean_up", status="todo")
    return jobs.filter(args__run_id=str(run.pk)).count()


def test_a_restore_leaves_the_replaced_branch_and_has_it_cleaned_up(restored, project):
    assert flows.branches(project) == {"main", "main (old)"}
    assert queued(restored) == 1
    runs.clean_up(restored.pk)
    assert flows.branches(project) == {"main"}
    assert set(flows.people(project)) == {"Ada Lovelace", "Alan Turing", "Grace Hopper"}


def test_it_is_done_once(restored, wire):
    runs.clean_up(restored.pk)
    assert "leftover" not in Run.objects.get(pk=restored.pk).state
    wire.before("", lambda: pytest.fail("There is nothing left to ask for."))
    runs.clean_up(restored.pk)


def test_a_second_time_at_the_same_is_harmless(restored, project):
    aftermath.clean_up(Run.objects.get(pk=restored.pk))
    aftermath.clean_up(restored)
    assert flows.branches(project) == {"main"}


def test_it_is_repeated_until_it_works(restored, project, wire):
    wire.refuses("DELETE .*/branches/", 500)
    for _ in range(2):
        with pytest.raises(NeonError):
            runs.clean_up(restored.pk)
        runs.enqueue_clean_ups()
        assert queued(restored) == 1
    wire.mend()
    runs.clean_up(restored.pk)
    runs.enqueue_clean_ups()
    assert flows.branches(project) == {"main"}


def test_one_refusal_does_not_stop_the_rest(restored, project, wire):
    spare = neon.connect().create_project("spare").project_id
    run = Run.objects.get(pk=restored.pk)
    run.remember(leftover=run.state["leftover"] | {"projects": ["first", spare], "snapshot_names": [["first", "s"]]})
    wire.refuses("DELETE .*/projects/first$|GET .*/first/snapshots$", 422)
    with pytest.raises(NeonError):
        runs.clean_up(run.pk)
    assert flows.branches(project) == {"main"}
    assert not neon.connect().has_project(spare)
    run.refresh_from_db()
    assert run.state["leftover"] == {"projects": ["first"], "snapshot_names": [["first", "s"]]}
    wire.mend()
    runs.clean_up(run.pk)
    assert "leftover" not in Run.objects.get(pk=run.pk).state


def test_what_cannot_be_saved_does_not_stop_the_rest_and_stays(project, head, wire):
    spare = neon.connect().create_project("spare").project_id
    flows.execute(project.database_url, "DELETE FROM contacts")
    run = flows.restore(head)
    run.remember(leftover=run.state["leftover"] | {"projects": [spare]})
    wire.refuses("POST .*/snapshot$", 422)
    with pytest.raises(NeonError):
        runs.clean_up(run.pk)
    assert not neon.connect().has_project(spare)
    assert Run.objects.get(pk=run.pk).is_unsaved
    assert flows.branches(project) == {"main", "main (old)"}


def test_waiting_once_is_enough(restored):
    runs.enqueue_clean_ups()
    runs.enqueue_clean_ups()
    assert queued(restored) == 1


def test_a_run_that_is_at_work_keeps_what_it_needs(head, project):
    run = flows.begin(head, Run.Kind.RESTORE)
    run.remember(leftover={"projects": [project.neon_project_id]})
    runs.clean_up(run.pk)
    runs.enqueue_clean_ups()
    assert queued(run) == 0
    assert flows.people(project)


def test_a_clean_up_that_failed_does_not_stand_in_the_way(restored, project, head, wire):
    wire.before("DELETE", _no_connection)
    with pytest.raises(NeonError):
        runs.clean_up(restored.pk)
    wire.mend()
    second = flows.restore(head)
    assert second.status == "succeeded"
    for run in (restored, second):
        runs.clean_up(run.pk)
    assert flows.branches(project) == {"main"}


def test_what_belongs_to_a_deleted_project_is_gone_already(restored, project):
    services.delete_project(project)
    runs.clean_up(restored.pk)
    assert "leftover" not in Run.objects.get(pk=restored.pk).state


def _no_connection():
    raise httpx.ConnectError("no route")
