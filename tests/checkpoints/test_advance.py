"""The flow advance, on a real plane."""

import re

import httpx
import pytest

from checkpoints import aftermath, runs, services
from checkpoints.models import Checkpoint, Project, Run
from contacts import db, schema
from neon import service as neon
from tests.checkpoints import flows

PEOPLE = {"Ada Lovelace", "Alan Turing", "Grace Hopper"}
GONE = "Neon no longer has this project. Its checkpoints are gone with it, so start the demo again."
NO_MORE = "This Neon plan holds no more snapshots. Delete one or use a larger plan. The database is as it was."


def test_the_next_prompt_makes_a_child_of_the_head(project, head):
    run = flows.advance(head)
    project.refresh_from_db()
    second = project.head
    assert (run.status, run.result, second.parent, second.version) == ("succeeded", second, head, "v2")
    assert second.prompt == "Add role and company"
    assert schema.contact_columns(project.database_url) == {"id", "name", "email", "role", "company"}
    assert flows.people(project)["Grace Hopper"].company == "US Navy"
    assert flows.snapshots(project) == {head.snapshot_id, second.snapshot_id}
    assert not services.differs(project, second)


def test_three_prompts_make_a_line(project, head):
    second = flows.advance(head).result
    third = flows.advance(second).result
    project.refresh_from_db()
    assert project.head == third
    assert [entry.checkpoint for entry in project.timeline().line] == [head, second, third]
    assert flows.people(project)["Ada Lovelace"].tags == ("mathematics", "pioneer")


def test_after_the_last_prompt_there_is_none(project, head):
    last = flows.advance(flows.advance(head).result).result
    run = flows.advance(last)
    assert (run.error, run.remedy) == ("That was the last prompt. Nothing was changed.", Run.Remedy.NONE)
    assert project.checkpoints.count() == 3


def test_edits_since_the_head_are_carried_on(project, head, execute):
    execute("DELETE FROM contacts WHERE name = 'Alan Turing'")
    flows.advance(head)
    assert flows.people(project).keys() == PEOPLE - {"Alan Turing"}


def test_from_a_checkpoint_that_has_a_next_it_makes_a_fork(project, head):
    second = flows.advance(head).result
    flows.restore(head)
    flows.execute(project.database_url, "DELETE FROM contacts WHERE name = 'Alan Turing'")
    other = flows.advance(head).result
    assert set(head.children.all()) == {second, other}
    assert head.next == other
    line = project.timeline().line
    assert [entry.checkpoint for entry in line] == [head, second]
    assert [[entry.checkpoint for entry in fork] for fork in line[0].forks] == [[other]]
    assert flows.people(project).keys() == PEOPLE - {"Alan Turing"}


def test_a_snapshot_that_the_plan_refuses_leaves_everything_as_it_was(project, head, execute, settings):
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 1
    execute("DELETE FROM contacts WHERE name = 'Alan Turing'")
    execute("UPDATE contacts SET email = 'grace@navy.example' WHERE name = 'Grace Hopper'")
    columns, before = schema.columns(project.database_url), flows.people(project)
    run = flows.advance(head)
    assert (run.status, run.error) == ("failed", NO_MORE)
    assert schema.columns(project.database_url) == columns
    assert flows.people(project) == before
    project.refresh_from_db()
    assert project.head == head
    assert Checkpoint.objects.get() == head
    assert flows.snapshots(project) == {head.snapshot_id}


def test_with_a_larger_plan_it_then_works(project, head, settings):
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 1
    failed = flows.advance(head)
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 2
    assert flows.advance(head).remedy == failed.remedy == Run.Remedy.ROOM
    assert flows.done(flows.begin(head, Run.Kind.ADVANCE, anyway=True)).status == "succeeded"
    assert flows.advance(Project.objects.get().head).error.startswith("This Neon plan holds no more snapshots")
    assert flows.people(project)["Ada Lovelace"].role == "Mathematician"


def test_columns_that_were_there_before_are_not_taken_away(project, head, execute, settings):
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 1
    execute("ALTER TABLE contacts ADD COLUMN role text NOT NULL DEFAULT 'by hand'")
    assert flows.advance(head).error == NO_MORE
    assert schema.contact_columns(project.database_url) == {"id", "name", "email", "role"}
    assert execute("SELECT DISTINCT role FROM contacts").fetchall() == [("by hand",)]


def test_an_app_database_that_is_down_is_said_and_can_be_tried_again(project, head, hasty):
    flows.shut(project.database_url)
    assert flows.advance(head).error == (
        "The app database does not answer right now. Try again in a moment. Nothing was changed."
    )
    flows.allow_connections(project.database_url, True)
    assert flows.advance(head).status == "succeeded"


def test_an_app_database_that_goes_away_in_between_may_be_changed_and_says_so(project, head, wire, hasty):
    wire.before("POST .*/snapshot$", lambda: flows.shut(project.database_url))
    wire.refuses("POST .*/snapshot$", 500)
    assert flows.advance(head).error == (
        "Neon has a fault on its side. Try again later."
        " The prompt may have changed the database already; trying again goes on from there."
    )
    flows.allow_connections(project.database_url, True)
    wire.mend()
    assert flows.advance(head).status == "succeeded"
    assert flows.people(project)["Ada Lovelace"].role == "Mathematician"


def test_a_table_that_is_gone_is_said(project, head, execute):
    execute("DROP TABLE contacts")
    run = flows.advance(head)
    assert run.error == (
        "The app database does not have the table and columns of this version. The database is as it was."
    )


def test_a_step_that_does_not_go_through_leaves_nothing(project, head, execute):
    execute("ALTER TABLE contacts ADD CONSTRAINT short CHECK (name <> 'Ada Lovelace') NOT VALID")
    columns, before = schema.columns(project.database_url), flows.people(project)
    run = flows.advance(head)
    assert run.error == "The app database refused this. The database is as it was."
    assert schema.columns(project.database_url) == columns
    assert flows.people(project) == before


def test_a_database_that_moved_in_the_meantime_is_left_alone(project, head):
    second = flows.advance(head).result
    run = flows.advance(head)
    assert run.error == "The database has moved to another checkpoint in the meantime. Nothing was changed."
    assert run.remedy == Run.Remedy.NONE
    project.refresh_from_db()
    assert project.head == second
    assert schema.contact_columns(project.database_url) == {"id", "name", "email", "role", "company"}


def test_a_project_that_is_gone_in_the_meantime_is_said(head):
    run = flows.begin(head, Run.Kind.ADVANCE)
    Run.objects.filter(pk=run.pk).update(project=None, target=None)
    assert flows.done(run).error == "That project is gone. Nothing was changed."


def test_a_snapshot_whose_answer_was_lost_is_found_and_no_second_one_taken(project, head, wire):
    wire.loses_the_answer("POST .*/snapshot$")
    second = flows.advance(head).result
    assert flows.snapshots(project) == {head.snapshot_id, second.snapshot_id}
    assert not services.differs(project, second)


def test_a_snapshot_that_did_not_come_is_asked_for_again(project, head, wire):
    wire.refuses("POST .*/snapshot$", 500, times=2)
    second = flows.advance(head).result
    assert flows.snapshots(project) == {head.snapshot_id, second.snapshot_id}
    assert len([call for call in wire.calls if re.match("POST .*/snapshot$", call)]) == 3


def test_trouble_that_persists_leaves_everything_as_it_was(project, head, wire):
    wire.refuses("POST .*/snapshot$", 500)
    run = flows.advance(head)
    assert run.error == "Neon has a fault on its side. Try again later. The database is as it was."
    assert schema.contact_columns(project.database_url) == {"id", "name", "email"}
    aftermath.clean_up(run)
    assert flows.snapshots(project) == {head.snapshot_id}


def test_a_snapshot_that_is_never_heard_of_leaves_everything_as_it_was(project, head, wire):
    wire.loses_the_answer("POST .*/snapshot$")
    wire.refuses("GET .*/snapshots$", 500)
    run = flows.advance(head)
    assert run.error == "Neon has a fault on its side. Try again later. The database is as it was."
    assert schema.contact_columns(project.database_url) == {"id", "name", "email"}
    assert len(wire.calls) < 40
    wire.mend()
    assert len(flows.snapshots(project)) == 2
    aftermath.clean_up(run)
    assert flows.snapshots(project) == {head.snapshot_id}


def test_a_project_that_was_deleted_behind_our_back_is_said(project, head, hasty):
    neon.connect().delete_project(project.neon_project_id)
    db.forget(project.database_url)
    run = flows.advance(head)
    assert run.error == GONE
    assert run.remedy == Run.Remedy.START
    assert run.detail.startswith("ProjectGone: ")
    assert "leftover" not in run.state


def test_a_resumed_snapshot_is_looked_for_before_another_is_taken(project, head, wire):
    run = flows.begin(head, Run.Kind.ADVANCE)
    wire.after("POST .*/snapshot$", _killed)
    with pytest.raises(KeyboardInterrupt):
        runs.execute(run.pk)
    wire.mend()
    second = flows.done(run).result
    assert flows.snapshots(project) == {head.snapshot_id, second.snapshot_id}
    assert not services.differs(project, second)


def test_who_writes_between_fingerprint_and_snapshot_costs_the_fingerprint(project, head, wire):
    wire.before("POST .*/snapshot$", lambda: flows.execute(project.database_url, "DELETE FROM contacts"))
    second = flows.advance(head).result
    assert second.fingerprint == {}
    assert services.differs(project, second)
    wire.mend()
    assert flows.restore(second).status == "succeeded"
    assert flows.people(project) == {}


def test_a_neon_that_is_down_leaves_everything_as_it_was(project, head, wire):
    wire.before("", _no_connection)
    run = flows.advance(head)
    assert run.error == "Neon cannot be reached right now. The database is as it was."
    assert schema.contact_columns(project.database_url) == {"id", "name", "email"}


def _no_connection():
    raise httpx.ConnectError("no route")


def _killed():
    raise KeyboardInterrupt
