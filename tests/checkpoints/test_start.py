"""The flow start, on a real plane."""

import httpx
import psycopg
import pytest

from checkpoints import aftermath, runs, services
from checkpoints.models import Checkpoint, Project, Run
from neon import service as neon
from tests.checkpoints import flows

PEOPLE = {"Ada Lovelace", "Alan Turing", "Grace Hopper"}


def test_a_start_makes_a_project_at_v1(newcomer):
    run = flows.start(newcomer)
    project = Project.objects.get(owner=newcomer)
    head = project.head
    assert (run.status, run.error, run.project, run.result) == ("succeeded", "", project, head)
    assert (head.version, head.kind, head.parent) == ("v1", "prompt", None)
    assert head.prompt == "Create a contact list app with name and email"
    assert flows.people(project).keys() == PEOPLE
    assert flows.snapshots(project) == {head.snapshot_id}


def test_its_name_is_one_that_only_this_run_uses(newcomer):
    run = flows.start(newcomer)
    assert run.project.name == f"checkpoints-{newcomer.pk}-{str(run.pk)[:8]}"
    assert flows.neon_projects(newcomer) == {run.project.neon_project_id}


def test_every_step_is_recorded_with_its_seconds(newcomer):
    run = flows.start(newcomer)
    assert [step.name for step in run.progress] == ["create", "apply", "snapshot", "record"]
    assert {step.state for step in run.progress} == {"done"}
    assert all(step.seconds > 0 for step in run.progress)
    assert run.seconds > 0


def test_the_database_is_what_its_checkpoint_recorded(started):
    project = Project.objects.current(started)
    assert not services.differs(project, project.head)


def test_a_write_past_the_site_is_a_difference(project, execute):
    execute("UPDATE contacts SET name = name")
    assert services.differs(project, project.head)


def test_starting_again_takes_the_place_of_the_old_project(started):
    old = Project.objects.current(started)
    run = flows.start(started)
    assert Project.objects.get(owner=started) == run.project != old
    assert Checkpoint.objects.get() == run.result
    assert flows.people(run.project).keys() == PEOPLE


def test_the_old_project_is_deleted_only_afterwards_and_by_its_id(started):
    old = Project.objects.current(started)
    run = flows.start(started)
    assert flows.people(old, "v1").keys() == PEOPLE
    aftermath.clean_up(run)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(old.database_url)
    assert flows.people(run.project).keys() == PEOPLE


def test_a_neon_that_refuses_changes_nothing(started, project, execute, wire):
    execute("DELETE FROM contacts WHERE name = 'Alan Turing'")
    wire.refuses("POST /api/v2/projects$", 422, "PROJECTS_LIMIT_EXCEEDED")
    run = flows.start(started)
    assert run.status == "failed"
    assert run.error == "This Neon plan holds no more projects. Delete one or use a larger plan. Nothing was changed."
    aftermath.clean_up(run)
    assert Project.objects.get(owner=started) == project
    assert flows.people(project).keys() == PEOPLE - {"Alan Turing"}


def test_what_was_made_before_a_failure_is_deleted_and_the_old_project_is_not(started, project, wire):
    wire.refuses("POST .*/snapshot$", 422, "SNAPSHOTS_LIMIT_EXCEEDED")
    run = flows.start(started)
    assert run.error == "This Neon plan holds no more snapshots. Delete one or use a larger plan. Nothing was changed."
    assert [step.state for step in run.progress] == ["done", "done", "failed", "waiting"]
    assert flows.neon_projects(started) - {project.neon_project_id}
    wire.mend()
    aftermath.clean_up(run)
    assert not flows.neon_projects(started) - {project.neon_project_id}
    assert flows.people(project).keys() == PEOPLE


def test_a_project_whose_answer_was_lost_is_found_and_no_second_one_made(newcomer, wire):
    wire.loses_the_answer("POST /api/v2/projects$")
    run = flows.start(newcomer)
    assert flows.neon_projects(newcomer) == {run.project.neon_project_id}
    assert flows.people(run.project).keys() == PEOPLE


def test_a_project_that_was_not_made_is_asked_for_again(newcomer, wire):
    wire.refuses("POST /api/v2/projects$", 500, times=1)
    run = flows.start(newcomer)
    assert flows.neon_projects(newcomer) == {run.project.neon_project_id}
    assert wire.calls.count("POST /api/v2/projects") == 2


def test_a_project_that_is_never_heard_of_is_deleted_too(newcomer, wire):
    wire.loses_the_answer("POST /api/v2/projects$")
    wire.refuses("GET /api/v2/projects$", 500)
    run = flows.start(newcomer)
    assert run.error == "Neon has a fault on its side. Try again later. Nothing was changed."
    assert wire.calls.count("POST /api/v2/projects") == 1
    wire.mend()
    assert len(flows.neon_projects(newcomer)) == 1
    aftermath.clean_up(run)
    assert flows.neon_projects(newcomer) == set()


def test_an_old_project_that_was_deleted_behind_our_back_does_not_hold_it_up(started, project):
    neon.connect().delete_project(project.neon_project_id)
    run = flows.start(started)
    assert run.status == "succeeded"
    aftermath.clean_up(run)
    assert flows.neon_projects(started) == {run.project.neon_project_id}


def test_a_new_project_that_is_deleted_behind_our_back_is_said_and_the_old_one_stays(started, project, wire):
    def delete():
        (made,) = flows.neon_projects(started) - {project.neon_project_id}
        neon.connect().delete_project(made)

    wire.before("POST .*/snapshot$", delete, times=1)
    run = flows.start(started)
    assert (run.error, run.remedy) == ("Neon no longer has this project. Nothing was changed.", Run.Remedy.RETRY)
    assert flows.people(project).keys() == PEOPLE


def test_a_resumed_start_finds_the_project_that_it_had_created(newcomer):
    run = runs.begin(owner=newcomer, kind=Run.Kind.START, queue=False)
    run.steps[0] |= {"state": "running", "started": run.created_at.isoformat()}
    run.save()
    made = neon.connect().create_project(services.neon_project_name(run))
    assert flows.done(run).project.neon_project_id == made.project_id
    assert flows.neon_projects(newcomer) == {made.project_id}


def test_an_app_database_that_is_down_is_said(newcomer, hasty):
    run = runs.begin(owner=newcomer, kind=Run.Kind.START, queue=False)
    with run.step("create"):
        made = neon.connect().create_project(services.neon_project_name(run))
        run.state["neon_project_id"] = made.project_id
    flows.shut(made.uri)
    run = flows.done(run)
    assert run.error == "The app database does not answer right now. Try again in a moment. Nothing was changed."
    aftermath.clean_up(run)
    assert flows.neon_projects(newcomer) == set()


def test_after_a_failure_the_next_start_works(newcomer, wire):
    wire.before("POST", _no_connection)
    assert flows.start(newcomer).error == "Neon cannot be reached right now. Nothing was changed."
    wire.mend()
    assert flows.start(newcomer).status == "succeeded"


def _no_connection():
    raise httpx.ConnectError("no route")
