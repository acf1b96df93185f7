"""The command neon_cleanup orphans: what in Neon and here has lost its counterpart or its run."""

from datetime import timedelta

import httpx
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from checkpoints import cleanup, locks, runs
from checkpoints.models import Project, Run
from neon import client
from neon import service as neon
from tests.checkpoints import flows
from tests.checkpoints.cleaning import AT_WORK, PEOPLE, at_work, clean, half_started, in_meta, in_neon, summary

pytestmark = pytest.mark.usefixtures("only_ours")


def test_a_site_in_order_has_no_orphans(fork, project, eve, theirs):
    before = in_neon(), in_meta(), flows.snapshots(project), flows.branches(project)
    said = clean("orphans", "--yes")
    assert (summary(said), said.error) == ("Found nothing to delete.", "")
    assert (in_neon(), in_meta(), flows.snapshots(project), flows.branches(project)) == before


def test_a_neon_project_that_this_site_made_and_no_row_refers_to_is_an_orphan(project, eve, theirs):
    Project.objects.get(owner=eve).delete()
    said = clean("orphans", "--yes")
    assert (summary(said), said.error) == ((1, 1, 0), "")
    assert flows.neon_projects(eve) == set()
    assert {project.neon_project_id, theirs} <= in_neon()


def test_what_a_run_left_is_an_orphan_once(started, theirs):
    replaced = Project.objects.current(started).neon_project_id
    run = flows.start(started)
    said = clean("orphans")
    assert f"  run {run} of ada@example.com: left the project that it replaced\n" in said.output
    assert summary(clean("orphans", "--yes")) == (1, 1, 0)
    assert {Project.objects.get().neon_project_id, theirs} <= in_neon()
    assert replaced not in in_neon()
    assert not Run.objects.with_leftovers()


def test_an_unfinished_run_keeps_its_project(project):
    _, unfinished = half_started(User.objects.create_user("bob"), age=timedelta(minutes=59))
    assert summary(clean("orphans", "--yes")) == "Found nothing to delete."
    assert unfinished in in_neon()


def test_a_run_that_nobody_has_been_at_for_an_hour_is_given_up(project):
    run, unfinished = half_started(User.objects.create_user("bob"), age=timedelta(minutes=61))
    with at_work(run):
        assert summary(clean("orphans", "--yes")) == "Found nothing to delete."
    assert summary(clean("orphans", "--older-than", "120", "--yes")) == "Found nothing to delete."
    assert summary(clean("orphans", "--yes")) == (1, 1, 0)
    run.refresh_from_db()
    assert (run.status, run.state.get("leftover")) == ("failed", None)
    assert unfinished not in in_neon()


def test_a_run_is_not_given_up_under_whoever_has_just_taken_it(project, monkeypatch):
    run, unfinished = half_started(User.objects.create_user("bob"), age=timedelta(hours=2))
    monkeypatch.setattr(locks, "is_executed", lambda run_id: False)  # as it was a moment ago
    with at_work(run):
        said = clean("orphans", "--yes")
    assert AT_WORK in said.output
    assert summary(said) == (1, 0, 1)
    assert unfinished in in_neon()


def test_an_advance_that_nobody_finished_is_undone(project, head):
    run = flows.begin(head, Run.Kind.ADVANCE)
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(hours=2))
    assert summary(clean("orphans", "--yes")) == (1, 1, 0)
    assert flows.people(project, "v1").keys() == PEOPLE
    assert flows.advance(head).status == "succeeded"


def test_a_row_whose_neon_project_is_gone_is_an_orphan(fork, project, eve):
    neon.connect().delete_project(project.neon_project_id)
    assert f"project {project.name} ({project.neon_project_id}) of ada@example.com, 4 checkpoints: gone from Neon" in (
        clean("orphans").output
    )
    said = clean("orphans", "--yes")
    assert (summary(said), said.error) == ((1, 1, 0), "")
    assert [left.owner for left in Project.objects.all()] == [eve]
    assert flows.start(project.owner).status == "succeeded"


def test_a_row_at_whose_project_somebody_is_at_work_is_none(project, eve):
    neon.connect().delete_project(project.neon_project_id)
    runs.begin(owner=project.owner, kind=Run.Kind.START, project=project, queue=False)
    assert summary(clean("orphans", "--yes")) == "Found nothing to delete."
    assert Project.objects.count() == 2


def test_neon_that_knows_none_of_the_projects_is_taken_for_the_wrong_one(project, head, eve):
    for neon_project_id in (project.neon_project_id, Project.objects.get(owner=eve).neon_project_id):
        neon.connect().delete_project(neon_project_id)
    said = clean("orphans", "--yes")
    assert "If NEON_API_KEY and NEON_ORG_ID are right, add --all-gone." in said.output
    assert summary(said) == (1, 0, 1)
    assert said.error
    assert Project.objects.count() == 2
    assert summary(clean("orphans", "--all-gone", "--yes")) == (2, 2, 0)
    assert not Project.objects.exists()


def test_a_project_that_was_renamed_in_neon_is_not_gone(project, wire):
    wire.before("GET .*/projects$", lambda: httpx.Response(200, json={"projects": []}))  # nothing by that name
    assert summary(clean("orphans", "--all-gone", "--yes")) == "Found nothing to delete."
    assert Project.objects.get() == project


def test_orphans_are_found_on_every_page(project, eve, monkeypatch):
    monkeypatch.setattr(client, "PAGE", 1)
    monkeypatch.setattr(cleanup, "BATCH", 2)
    Project.objects.all().delete()
    assert summary(clean("orphans", "--yes")) == (2, 2, 0)
    assert flows.neon_projects(eve) == flows.neon_projects(project.owner) == set()


@pytest.mark.parametrize("minutes", ["-1", "525601", "99999999999999"])
def test_minutes_below_zero_or_beyond_a_year_are_refused(db, minutes):
    error = "--older-than takes a number of minutes from 0 to 525600, a year."
    assert clean("orphans", "--older-than", minutes).error == error


def test_a_year_is_a_time_too(db, theirs):
    assert summary(clean("orphans", "--older-than", "525600")) == "Found nothing to delete."
