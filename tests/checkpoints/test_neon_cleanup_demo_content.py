"""The command neon_cleanup demo-content: all that the demo has made, here and in Neon, and nothing else."""

import pytest
from django.contrib.auth.models import User

from checkpoints.models import Checkpoint, Project, Run
from neon import service as neon
from tests.checkpoints import flows
from tests.checkpoints.cleaning import AT_WORK, at_work, clean, half_started, in_neon, summary

pytestmark = pytest.mark.usefixtures("only_ours")


def test_demo_content_is_all_projects_and_checkpoints_here_and_in_neon_but_no_user(fork, eve, theirs):
    users, made = set(User.objects.all()), set(Run.objects.all())
    said = clean("demo-content", "--yes")
    assert (summary(said), said.error) == ((2, 2, 0), "")
    assert not Project.objects.exists()
    assert not Checkpoint.objects.exists()
    assert flows.neon_projects(eve) == set()
    assert set(User.objects.all()) == users
    assert set(Run.objects.all()) == made  # by them alone it is known what in Neon is this site's


def test_demo_content_leaves_alone_what_others_have_in_the_same_account(project, theirs):
    personal = neon.connect().create_project("checkpoints-of-mine").project_id
    clean("demo-content", "--yes")
    assert project.neon_project_id not in in_neon()
    assert {theirs, personal} <= in_neon()


def test_demo_content_is_also_what_runs_left_and_what_nobody_finished(started, eve, theirs):
    replaced = Project.objects.current(started).neon_project_id
    assert "leftover" in flows.start(started).state
    bob = User.objects.create_user("bob")
    run, unfinished = half_started(bob)
    assert {replaced, unfinished} <= in_neon()
    said = clean("demo-content", "--yes")
    assert (summary(said), said.error) == ((4, 4, 0), "")
    assert not {replaced, unfinished} & in_neon()
    assert theirs in in_neon()
    run.refresh_from_db()
    assert (run.status, run.error) == (
        "failed",
        "Nobody finished this action, so it was given up. Nothing was changed.",
    )


def test_demo_content_leaves_what_is_at_work_and_says_so(project, head, eve):
    run = flows.begin(head, Run.Kind.RESTORE)
    with at_work(run):
        said = clean("demo-content", "--yes")
    assert said.output.count(AT_WORK) == 2  # the run, and its project
    assert summary(said) == (3, 1, 2)
    assert said.error
    assert Project.objects.get() == project
    assert flows.done(run).status == "succeeded"


def test_a_second_time_there_is_nothing(project):
    clean("demo-content", "--yes")
    said = clean("demo-content", "--yes")
    assert (summary(said), said.error) == ("Found nothing to delete.", "")
