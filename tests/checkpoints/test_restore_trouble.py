"""The flow restore, on a plane that has trouble or of which something is gone."""

import httpx
import pytest

from checkpoints import aftermath, errors, runs, services
from checkpoints.models import Checkpoint, Project, Run
from neon import service as neon
from tests.checkpoints import flows

PEOPLE = {"Ada Lovelace", "Alan Turing", "Grace Hopper"}


@pytest.fixture
def line(head):
    """Three checkpoints in a line; the database is at the last."""
    second = flows.advance(head).result
    return head, second, flows.advance(second).result


def test_a_neon_that_refuses_leaves_the_database_as_it_was(project, line, wire):
    wire.refuses("POST .*/restore$", 500)
    run = flows.restore(line[0])
    assert run.error == "Neon has a fault on its side. Try again later. The database is as it was."
    project.refresh_from_db()
    assert project.head == line[2]
    assert not services.differs(project, line[2])


def test_a_neon_that_is_down_leaves_the_database_as_it_was(project, line, wire):
    wire.before("", _no_connection)
    run = flows.restore(line[0])
    assert run.error == "Neon cannot be reached right now. The database is as it was."
    project.refresh_from_db()
    assert project.head == line[2]


@pytest.mark.parametrize("operation_seconds", [0, 1.6])  # done before the first look, and not yet
def test_a_restore_whose_answer_was_lost_is_found_and_not_done_twice(project, line, wire, settings, operation_seconds):
    settings.NEON_LOCAL_OPERATION_SECONDS = operation_seconds
    wire.loses_the_answer("POST .*/restore$")
    run = flows.restore(line[0])
    assert (run.status, run.error) == ("succeeded", "")
    project.refresh_from_db()
    assert project.head == line[0]
    assert not services.differs(project, line[0])
    assert _restores(wire) == 1
    aftermath.clean_up(run)
    assert flows.branches(project) == {"main"}


def test_a_restore_that_did_not_come_is_asked_for_again(project, line, wire):
    wire.refuses("POST .*/restore$", 500, times=2)
    run = flows.restore(line[0])
    assert (run.status, _restores(wire)) == ("succeeded", 3)
    aftermath.clean_up(run)
    assert flows.branches(project) == {"main"}


def test_what_a_restore_replaced_that_then_failed_is_saved_whatever_it_was(project, line, wire, hasty):
    wire.after("POST .*/restore$", lambda: flows.shut(project.database_url))
    kept = flows.restore(line[0])
    wire.mend()
    flows.allow_connections(project.database_url, True)
    assert flows.branches(project) == {"main", "main (old)"}
    runs.clean_up(kept.pk)
    kept.refresh_from_db()
    assert (kept.saved.kind, kept.saved.parent) == ("safety", line[2])
    runs.clean_up(flows.restore(line[1]).pk)
    assert flows.branches(project) == {"main"}


@pytest.mark.django_db(transaction=True)  # Postgres looks for the project when the run is committed
def test_a_project_deleted_since_the_click_is_said_at_once(started, empty_queue):
    target = Checkpoint.objects.select_related("project__owner").get()
    services.delete_project(Project.objects.current(started))
    with pytest.raises(errors.Gone):
        flows.begin(target, Run.Kind.RESTORE)


def test_what_cannot_be_looked_into_is_said(project, line, wire):
    wire.after("POST .*/restore$", lambda: wire.before("", _no_connection))
    wire.loses_the_answer("POST .*/restore$")
    run = flows.restore(line[0])
    assert run.error == (
        "Neon cannot be reached right now. It is not known whether the database was restored; trying again makes sure."
    )
    assert _restores(wire) == 1
    wire.mend()
    assert flows.restore(line[0]).status == "succeeded"
    assert flows.people(project).keys() == PEOPLE


def test_an_app_database_that_does_not_come_back_is_said_and_the_head_is_true(project, line, wire, hasty):
    wire.after("POST .*/restore$", lambda: flows.shut(project.database_url))
    run = flows.restore(line[0])
    assert run.error == (
        "The app database does not answer right now. Try again in a moment."
        " The database is at the checkpoint now, and what it held before is being saved."
    )
    project.refresh_from_db()
    assert project.head == line[0]
    flows.allow_connections(project.database_url, True)
    wire.mend()
    assert flows.restore(line[0]).status == "succeeded"


def test_a_resumed_restore_is_not_done_twice(project, line, wire):
    run = flows.begin(line[0], Run.Kind.RESTORE)
    wire.after("POST .*/restore$", _killed)
    with pytest.raises(KeyboardInterrupt):
        runs.execute(run.pk)
    wire.mend()
    run = flows.done(run)
    assert run.status == "succeeded"
    aftermath.clean_up(run)
    assert flows.branches(project) == {"main"}


def test_a_checkpoint_that_is_gone_is_said(project, line):
    run = flows.begin(line[2], Run.Kind.RESTORE)
    Run.objects.filter(pk=run.pk).update(target=None)
    run = flows.done(run)
    assert (run.error, run.remedy) == ("That checkpoint is gone. The database is as it was.", Run.Remedy.NONE)


def test_a_snapshot_that_neon_lost_is_said(project, line):
    neon.connect().delete_snapshot(project.neon_project_id, line[0].snapshot_id)
    run = flows.restore(line[0])
    assert run.error == "Neon does not know this project, branch or snapshot. The database is as it was."
    project.refresh_from_db()
    assert project.head == line[2]


def test_a_project_that_was_deleted_behind_our_back_is_said(project, line, wire):
    neon.connect().delete_project(project.neon_project_id)
    run = flows.restore(line[0])
    assert run.error == ("Neon no longer has this project. Its checkpoints are gone with it, so start the demo again.")
    assert (run.remedy, "leftover" in run.state) == (Run.Remedy.START, False)
    project.refresh_from_db()
    assert project.head == line[2]


def _restores(wire):
    """Return how often a restore was asked for."""
    return len([call for call in wire.calls if call.endswith("/restore")])


def _no_connection():
    raise httpx.ConnectError("no route")


def _killed():
    raise KeyboardInterrupt
