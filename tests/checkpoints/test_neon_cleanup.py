"""The command neon_cleanup: what it finds, deletes, leaves alone and says."""

import io
import re
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import httpx
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from checkpoints import cleanup, runs, services
from checkpoints.models import Checkpoint, Project, Run
from neon import client
from neon import service as neon
from tests.checkpoints import flows
from tests.checkpoints.demo import NEVER_SHOWN

SECRET = "postgresql://somebody:s3cret@db.example.com/neondb"
PEOPLE = {"Ada Lovelace", "Alan Turing", "Grace Hopper"}
AT_WORK = "An action is at work on it. Try again when that has ended."


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self):
        return True


def clean(*arguments, out=None, **options):
    """Call the command, and return what it writes, and what it ends with when that is an error."""
    out, error = out or io.StringIO(), ""
    try:
        call_command("neon_cleanup", *arguments, stdout=out, **options)
    except CommandError as refusal:
        error = str(refusal)
    said = SimpleNamespace(output=out.getvalue(), error=error)
    assert not NEVER_SHOWN.search(said.output + said.error)
    return said


def summary(said):
    """Return how many were found, deleted and failed."""
    found = re.search(r"Found (\d+), deleted (\d+), failed (\d+)\.", said.output)
    return tuple(map(int, found.groups())) if found else said.output.splitlines()[-1]


def in_neon():
    """Return the ids of all projects in Neon."""
    return {project.id for project in neon.connect().projects("")}


def in_meta():
    """Return what the meta database holds of projects and checkpoints, and how the runs stand."""
    return (
        set(Project.objects.values_list("pk", "head", "neon_project_id")),
        set(Checkpoint.objects.values_list("pk", "parent", "snapshot_id")),
        set(Run.objects.values_list("pk", "status")),
    )


def unreferenced(project):
    """Take a snapshot that no checkpoint will refer to, and return its id."""
    return neon.connect().snapshot(project.neon_project_id, "nobody's").id


def half_started(owner, *, age=timedelta()):
    """Leave a start as a kill after its first step does, and return the run and its project in Neon."""
    run = runs.begin(owner=owner, kind=Run.Kind.START, queue=False)
    run.begin()
    with run.step("create"):
        run.state["neon_project_id"] = neon.connect().create_project(services.neon_project_name(run)).project_id
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - age)
    return run, run.state["neon_project_id"]


@contextmanager
def at_work(run):
    """Be the process that executes a run."""
    with runs._lock(run.pk) as held:
        assert held
        yield


@pytest.fixture(autouse=True)
def _only_ours():
    """Delete whatever a test has left in Neon, and nothing that was there before."""
    before = in_neon()
    yield
    for neon_project_id in in_neon() - before:
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


# Without --yes


def test_a_dry_run_says_what_it_would_delete_and_deletes_nothing(fork, project, eve, theirs):
    flows.restore(fork.first)  # leaves a branch
    half_started(User.objects.create_user("bob"), age=timedelta(hours=2))
    unreferenced(project)
    before = in_neon(), in_meta(), flows.snapshots(project), flows.branches(project)
    for arguments, count, example in [
        (["demo-content"], 4, f"project {project.name} ({project.neon_project_id}) of ada@example.com, 4 checkpoints"),
        (["snapshots", project.name, "--all"], 5, f"snapshot {fork.second.snapshot_id}: with checkpoint v2: "),
        (["snapshots", project.name, "--unreferenced"], 1, ": no checkpoint refers to it\n"),
        (["branches", project.name], 1, "branch main (old) (br-"),
        (["orphans"], 2, " of bob: not finished since "),
    ]:
        said = clean(*arguments)
        assert example in said.output
        assert f"Found {count}, deleted none: this is a dry run. Add --yes to delete.\n" in said.output
        assert said.error == ""
    assert (in_neon(), in_meta(), flows.snapshots(project), flows.branches(project)) == before


# demo-content


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


# What fails


def test_a_failure_is_one_sentence_the_rest_is_done_and_the_end_is_an_error(project, eve, wire):
    wire.before(
        f"DELETE .*/projects/{project.neon_project_id}$",
        lambda: httpx.Response(500, json={"message": f"cannot reach {SECRET} with napi_s3cret"}),
    )
    said = clean("demo-content", "--yes")
    assert f"✗ project {project.name} " in said.output
    assert "\n  Neon has a fault on its side. Try again later.\n" in said.output
    assert summary(said) == (2, 1, 1)
    assert said.error == "Not everything was deleted. What was is no longer found when this runs again."
    assert Project.objects.get() == project
    wire.mend()
    assert summary(clean("demo-content", "--yes")) == (1, 1, 0)
    assert not Project.objects.exists()


def test_who_wants_to_know_more_hears_what_neon_said_without_secrets(project, wire):
    wire.before("DELETE", lambda: httpx.Response(500, json={"message": f"cannot reach {SECRET}"}))
    said = clean("demo-content", "--yes", verbosity=2)
    assert f"(DELETE /projects/{project.neon_project_id}: 500 cannot reach ***)" in said.output


def test_what_nobody_foresaw_stops_nothing_else_and_is_not_quoted(project, eve, monkeypatch):
    delete = services.delete_project

    def breaks(victim):
        if victim.pk == project.pk:
            raise RuntimeError(f"cannot connect to {SECRET}")
        delete(victim)

    monkeypatch.setattr(services, "delete_project", breaks)
    said = clean("demo-content", "--yes")
    assert "Something unexpected went wrong; the log has it." in said.output
    assert summary(said) == (2, 1, 1)
    assert said.error
    assert Project.objects.get() == project


def test_neon_that_does_not_answer_is_one_sentence(project, wire):
    wire.refuses("GET .*/projects$", 500)
    for arguments in (["demo-content", "--yes"], ["orphans", "--yes"]):
        assert clean(*arguments).error == "Neon has a fault on its side. Try again later."
    assert Project.objects.get() == project


def test_ctrl_c_says_how_far_it_got(project, eve, monkeypatch):
    def interrupt(victim):
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "delete_project", interrupt)
    assert clean("demo-content", "--yes").error == "Stopped after 0 of 2, of which 0 failed."


# Which project


@pytest.mark.parametrize("name", ["pk", "name", "neon_project_id"])
def test_a_project_is_called_by_id_by_name_or_by_id_in_neon(project, name):
    said = clean("snapshots", str(getattr(project, name)), "--unreferenced")
    assert (said.output.splitlines()[-1], said.error) == ("Found nothing to delete.", "")


def test_a_project_that_is_not_this_sites_is_not_touched(project, theirs):
    for wanted in (theirs, "nobody's"):
        assert clean("branches", wanted, "--yes").error == f"This site has no project {wanted}."


def test_a_name_that_two_projects_have_is_not_enough(project):
    Project.objects.create(owner=project.owner, name=project.name, neon_project_id="other", database_url=SECRET)
    assert "There are several projects" in clean("branches", project.name).error


@pytest.mark.parametrize("arguments", [["branches"], ["snapshots", "--all"], ["snapshots", "--unreferenced"]])
def test_a_project_that_is_at_work_is_not_touched(project, head, arguments):
    extra = unreferenced(project)
    flows.begin(head, Run.Kind.ADVANCE)
    assert clean(*arguments, project.name, "--yes").error == AT_WORK
    assert flows.snapshots(project) == {head.snapshot_id, extra}


# snapshots


def test_snapshots_wants_to_know_which(project):
    assert "one of the arguments --unreferenced --all is required" in clean("snapshots", project.name).error


def test_unreferenced_snapshots_go_and_those_of_checkpoints_stay(fork, project, eve):
    kept, extra = flows.snapshots(project), {unreferenced(project), unreferenced(project)}
    other = unreferenced(Project.objects.current(eve))
    said = clean("snapshots", project.name, "--unreferenced", "--yes")
    assert (summary(said), said.error) == ((2, 2, 0), "")
    assert flows.snapshots(project) == kept
    assert not kept & extra
    assert other in flows.snapshots(Project.objects.current(eve))
    assert "Checkpoints refer to 4 more, which stay; --all deletes them" in said.output
    assert flows.restore(fork.third).status == "succeeded"


def test_all_snapshots_go_and_with_them_every_checkpoint_but_the_head(fork, project):
    unreferenced(project)
    said = clean("snapshots", project.name, "--all", "--yes")
    assert (summary(said), said.error) == ((5, 5, 0), "")
    assert flows.snapshots(project) == set()
    assert list(project.checkpoints.all()) == [fork.first]
    assert flows.people(project).keys() == PEOPLE


def test_a_head_without_its_snapshot_goes_on_to_the_next_prompt_and_cannot_be_returned_to(grown, project):
    clean("snapshots", project.name, "--all", "--yes")
    (head,) = project.checkpoints.all()
    assert (head, head.parent) == (grown.second, None)
    refused = flows.restore(head)
    assert refused.error == "Neon does not know this project, branch or snapshot. The database is as it was."
    third = flows.advance(head).result
    assert (third.version, third.parent) == ("v3", head)


def test_a_snapshot_that_stays_keeps_its_checkpoint_in_the_tree(fork, project, wire):
    Project.objects.update(head=fork.third)  # so that one in the middle goes
    wire.refuses(f"DELETE .*/snapshots/{fork.first.snapshot_id}$", 500)
    said = clean("snapshots", project.name, "--all", "--yes")
    assert summary(said) == (4, 3, 1)
    assert said.error
    assert dict(project.checkpoints.values_list("pk", "parent")) == {fork.first.pk: None, fork.third.pk: fork.first.pk}
    wire.mend()
    clean("snapshots", project.name, "--all", "--yes")
    assert dict(project.checkpoints.values_list("pk", "parent")) == {fork.third.pk: None}


def test_a_checkpoint_whose_snapshot_went_before_goes_too(grown, project):
    neon.connect().drop_snapshot(project.neon_project_id, grown.first.snapshot_id)
    assert f"  checkpoint {grown.first}: its snapshot is gone\n" in clean("snapshots", project.name, "--all").output
    assert summary(clean("snapshots", project.name, "--all", "--yes")) == (2, 2, 0)
    assert list(project.checkpoints.all()) == [grown.second]


# branches


def test_branches_go_but_the_default_one(head, project, eve):
    for _ in range(2):
        flows.restore(head)
    other = Project.objects.current(eve)
    flows.restore(other.head)
    said = clean("branches", project.neon_project_id, "--yes")
    assert (summary(said), said.error) == ((2, 2, 0), "")
    assert flows.branches(project) == {"main"}
    assert flows.branches(other) == {"main", "main (old)"}
    assert flows.people(project).keys() == PEOPLE


def test_children_go_before_their_parents_and_what_the_default_was_made_from_stays(project, wire):
    gone = []
    parents = {
        "root": None,
        "default": "root",
        "child": "default",
        "other": None,
        "grandchild": "child",
        "twig": "other",
    }
    rows = [
        {"id": id, "name": id, "default": id == "default", "parent_id": parent, "current_state": "ready"}
        for id, parent in parents.items()
    ]
    wire.before("GET .*/branches$", lambda: httpx.Response(200, json={"branches": rows}))
    for id in parents:
        wire.before(f"DELETE .*/branches/{id}$", lambda id=id: gone.append(id) or httpx.Response(204))
    said = clean("branches", project.name, "--yes")
    assert (summary(said), said.error) == ((4, 4, 0), "")
    assert set(gone) == {"child", "grandchild", "other", "twig"}
    assert gone.index("grandchild") < gone.index("child")
    assert gone.index("twig") < gone.index("other")
    assert "The default branch was made from root, which stays." in said.output


def test_a_branch_that_neon_does_not_give_up_is_said_and_the_others_go(head, project, wire):
    for _ in range(2):
        flows.restore(head)
    protected = next(b for b in neon.connect().branches(project.neon_project_id) if not b.default)
    wire.refuses(f"DELETE .*/branches/{protected.id}$", 422)
    said = clean("branches", project.name, "--yes")
    assert f"✗ branch {protected.name} ({protected.id})\n  Neon refused the request.\n" in said.output
    assert summary(said) == (2, 1, 1)
    assert flows.branches(project) == {"main", protected.name}


# orphans


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
    monkeypatch.setattr(runs, "is_at_work", lambda run: False)  # as it was a moment ago
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


def test_minutes_below_zero_are_refused(db):
    assert clean("orphans", "--older-than", "-1").error == "--older-than takes a number of minutes."


# What a person sees


def test_there_is_a_progress_bar_on_a_terminal_alone(project, eve):
    assert "\r" not in clean("snapshots", project.name, "--all", "--yes").output
    said = clean("demo-content", "--yes", out=Terminal())
    assert f"\r[{'.' * 30}] 0/2" in said.output
    assert said.output.endswith("\r\x1b[KFound 2, deleted 2, failed 0.\n")
