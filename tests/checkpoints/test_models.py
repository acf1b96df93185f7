"""Projects, checkpoints and runs, as the meta database holds them."""

import uuid
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from checkpoints.models import Checkpoint, Project, Run, plan
from checkpoints.models.timeline import DEEPEST, SHOWN, draw
from contacts import versions

NOW = timezone.now()


@pytest.fixture
def project(user):
    return Project.objects.create(owner=user, name="a project", neon_project_id="calm-sea-1", database_url="")


@pytest.fixture
def grow(project):
    """A function that adds a checkpoint to the tree."""

    def add(prompt, parent=None, **fields):
        return Checkpoint.objects.create(project=project, prompt=prompt, parent=parent, snapshot_id="snap-1", **fields)

    return add


@pytest.fixture
def run(user):
    return Run.objects.create(owner=user, kind=Run.Kind.RESTORE, steps=plan(Run.Kind.RESTORE))


def walk(line, depth=0):
    """Return each entry of a line and of its forks, with how deep it is."""
    for entry in line:
        yield entry, depth
        for fork in entry.forks:
            yield from walk(fork, depth + 1)


def drawn(line):
    """Return a line as nested lists of prompts."""
    return [
        [entry.checkpoint.prompt, *(drawn(fork) for fork in entry.forks)] if entry.forks else entry.checkpoint.prompt
        for entry in line
    ]


def test_the_newest_project_is_the_current_one(project, user):
    newer = Project.objects.create(owner=user, name="newer", neon_project_id="calm-sea-2", database_url="")
    assert Project.objects.current(user) == newer


def test_who_has_none_has_no_current_project(user):
    assert Project.objects.current(user) is None


def test_no_two_projects_are_the_same_in_neon(project, user):
    with pytest.raises(IntegrityError), transaction.atomic():
        Project.objects.create(owner=user, name="twin", neon_project_id="calm-sea-1", database_url="")


def test_an_empty_timeline_is_empty(project):
    assert project.timeline().line == []


def test_a_timeline_without_forks_is_one_line(project, grow):
    a = grow("a")
    b = grow("b", a)
    grow("c", b)
    assert drawn(project.timeline().line) == ["a", "b", "c"]


def test_the_oldest_child_goes_on_with_the_line_and_others_fork(project, grow):
    a = grow("a")
    b = grow("b", a)
    other = grow("b2", a)
    grow("c", b)
    third = grow("b3", a)
    grow("c2", other)
    grow("c3", third)
    assert drawn(project.timeline().line) == [["a", ["b2", "c2"], ["b3", "c3"]], "b", "c"]


def test_forks_of_forks_are_nested(project, grow):
    a = grow("a")
    grow("b", a)
    fork = grow("b2", a)
    grow("c", fork)
    grow("c2", fork)
    assert drawn(project.timeline().line) == [["a", [["b2", ["c2"]], "c"]], "b"]


def test_a_timeline_takes_one_query(project, grow, django_assert_num_queries):
    parent = None
    for number in range(8):
        parent = grow(str(number), parent)
    with django_assert_num_queries(1):
        project.timeline()


def test_a_long_line_is_no_problem(project):
    line = [
        Checkpoint(project=project, prompt="and then", created_at=NOW + timedelta(number)) for number in range(1500)
    ]
    for parent, child in pairwise(line):
        child.parent = parent
    assert len(draw(line)) == 1500


@pytest.mark.parametrize("kind", Checkpoint.Kind)
def test_no_number_of_forks_of_forks_or_of_one_is_too_much(project, kind):
    root = Checkpoint(project=project, created_at=NOW)
    fan = [Checkpoint(project=project, parent=root, kind=kind, created_at=NOW) for _ in range(1000)]
    (entry, *rest) = draw([root, *fan])
    assert len(entry.forks) + len(rest) == 1000
    nested = [root]
    for _ in range(1000):
        nested += [Checkpoint(project=project, parent=nested[-1], kind=kind, created_at=NOW) for _ in range(2)]
    assert sum(1 for _ in walk(draw(nested))) == 2001
    assert max(depth for _, depth in walk(draw(nested))) <= DEEPEST


def test_what_was_not_made_from_the_one_above_is_cut_off(grow):
    a = grow("a")
    b, c = grow("b", a), grow("c", a)
    d = grow("d", c)
    whole = draw([a, b, c, d])
    assert [entry.is_cut for entry, _ in walk(whole)] == [False] * 4
    assert [(entry.checkpoint.prompt, entry.is_cut) for entry in draw([b, c, d])] == [
        ("b", True),
        ("c", True),
        ("d", False),
    ]
    assert [entry.is_cut for entry in draw([a, d])] == [False, True]


def test_so_many_are_shown_and_earlier_ones_on_demand(project, grow):
    line = [grow("0")]
    for number in range(1, 2 * SHOWN + 1):
        line.append(grow(str(number), line[-1]))
    newest = project.timeline()
    assert newest.checkpoints == line[: -SHOWN - 1 : -1]
    assert (newest.is_newest, newest.earlier) == (True, line[-SHOWN])
    middle = project.timeline(line[-1].pk, None, before=newest.earlier.pk)
    assert middle.checkpoints == line[SHOWN:0:-1]
    assert [entry.checkpoint for entry in middle.line] == [*line[1 : SHOWN + 1], line[-1]]
    assert (middle.is_newest, middle.earlier) == (False, line[1])
    oldest = project.timeline(before=middle.earlier.pk)
    assert (oldest.checkpoints, oldest.is_newest, oldest.earlier) == (line[:1], False, None)


def test_before_one_that_is_gone_or_another_projects_are_the_newest(project, grow, user):
    theirs = Project.objects.create(owner=user, name="b", neon_project_id="calm-sea-2", database_url="")
    other = Checkpoint.objects.create(project=theirs, prompt="x", snapshot_id="snap-x")
    a = grow("a")
    for before in (uuid.uuid4(), other.pk):
        timeline = project.timeline(before=before)
        assert (timeline.checkpoints, timeline.is_newest) == ([a], True)


def test_the_timeline_knows_what_follows(project, grow):
    a = grow("a")
    b = grow("b", a)
    grow("saved", a, kind=Checkpoint.Kind.SAFETY)
    assert (project.timeline().next(a), project.timeline().next(b)) == (b, None)


def test_all_but_the_fingerprint_of_a_checkpoint_is_in_the_timeline(project, grow):
    grow("a")
    (checkpoint,) = project.timeline().checkpoints
    assert checkpoint.get_deferred_fields() == {"fingerprint"}


def test_next_is_the_newest_child(grow):
    a = grow("a")
    assert a.next is None
    grow("b", a)
    newest = grow("b2", a)
    assert a.next == newest


def test_next_is_one_that_a_prompt_made(grow):
    a = grow("a")
    b = grow("b", a)
    grow("by hand", a, kind=Checkpoint.Kind.MANUAL)
    assert a.next == b


@pytest.mark.parametrize(("version", "following"), [("v1", "v2"), ("v2", "v3")])
def test_the_next_version_follows(grow, version, following):
    assert grow("a", version=version).next_version == versions.get(following)


@pytest.mark.parametrize("version", ["v3", ""])
def test_after_the_last_version_and_without_one_there_is_no_next(grow, version):
    assert grow("a", version=version).next_version is None


def test_a_parent_cannot_go_before_its_children(grow):
    a = grow("a")
    grow("b", a)
    with pytest.raises(IntegrityError), transaction.atomic():
        a.delete()


def test_a_project_goes_with_its_whole_tree(project, grow):
    a = grow("a")
    project.head = grow("b", a)
    project.save()
    project.delete()
    assert not Checkpoint.objects.exists()


@pytest.mark.parametrize("kind", Run.Kind)
def test_a_new_run_waits_at_every_step(kind):
    assert {step["state"] for step in plan(kind)} == {"waiting"}


def test_a_step_that_ends_well_is_recorded_with_what_it_produced(run):
    with run.step("look") as attempt:
        assert attempt
        assert not attempt.again
        assert Run.objects.get().progress[0].state == "running"
        run.state["branch"] = "br-1"
    kept = Run.objects.get()
    assert (kept.progress[0].state, kept.state) == ("done", {"branch": "br-1"})
    assert kept.progress[0].seconds >= 0
    assert [step.state for step in kept.progress[1:]] == ["running", "waiting", "waiting"]


def test_from_step_to_step_it_is_saved_once(run, django_assert_num_queries):
    with django_assert_num_queries(4):
        run.begin()
        for name in ("look", "restore", "verify"):
            with run.step(name) as attempt:
                assert not attempt.again


def test_a_step_that_may_be_done_again_is_saved_with_the_next(run, django_assert_num_queries):
    def states():
        return [step["state"] for step in Run.objects.get().steps]

    run.begin()
    for name in ("look", "restore"):
        with run.step(name):
            pass
    with django_assert_num_queries(0), run.step("verify", saved_with_next=True):
        pass
    assert states() == ["done", "done", "running", "waiting"]
    with django_assert_num_queries(1), run.step("record"):
        pass
    assert states() == ["done"] * 4


def test_one_that_was_begun_before_comes_again(run):
    run.begin()
    with run.step("look"):
        pass
    resumed = Run.objects.get()
    resumed.begin()
    with resumed.step("look") as look, resumed.step("restore") as restore:
        assert look is None
        assert restore.again
    with resumed.step("verify") as verify:
        assert not verify.again


def test_a_step_that_breaks_keeps_nothing_and_comes_again(run):
    def enter():
        with run.step("look"):
            run.state["branch"] = "br-1"
            raise KeyError

    with pytest.raises(KeyError):
        enter()
    resumed = Run.objects.get()
    assert (resumed.progress[0].state, resumed.state) == ("running", {})
    with resumed.step("look") as attempt:
        assert attempt.again


def test_a_step_that_is_done_is_skipped(run):
    with run.step("look"):
        pass
    with Run.objects.get().step("look") as attempt:
        assert attempt is None


def test_a_listener_hears_of_each_step_as_it_finishes(run):
    heard = []
    run.listener = heard.append
    for name in ("restore", "verify"):
        with run.step(name):
            pass
    assert [(step.name, step.state) for step in heard] == [("restore", "done"), ("verify", "done")]


def test_what_is_remembered_outlives_its_step(run):
    def enter():
        with run.step("look"):
            run.remember(branch_id="br-1")
            raise KeyError

    with pytest.raises(KeyError):
        enter()
    assert Run.objects.get().state == {"branch_id": "br-1"}


def test_a_failed_run_shows_where(run):
    with pytest.raises(KeyError), run.step("look"):
        raise KeyError
    run.fail("It broke.", "KeyError")
    kept = Run.objects.get()
    assert [step.state for step in kept.progress] == ["failed", "waiting", "waiting", "waiting"]
    assert (kept.status, kept.error, kept.detail) == ("failed", "It broke.", "KeyError")
    assert kept.is_finished


def test_a_run_that_is_resumed_keeps_its_start(run):
    run.begin()
    first = run.started_at
    run.begin()
    assert Run.objects.get().started_at == first


def test_an_owner_has_one_unfinished_run(run, user):
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.create(owner=user, kind=Run.Kind.START)
    run.fail("No.")
    Run.objects.create(owner=user, kind=Run.Kind.START)


@pytest.mark.parametrize(
    ("status", "age", "waiting"), [("queued", 4, True), ("queued", 1, False), ("running", 4, False)]
)
def test_a_run_that_nobody_takes_is_waiting_for_a_worker(run, status, age, waiting):
    run.status, run.created_at = status, timezone.now() - timedelta(seconds=age)
    assert run.is_waiting_for_a_worker is waiting


def test_only_a_finished_run_has_leftovers(run):
    run.remember(leftover={"branches": []})
    assert not Run.objects.with_leftovers().exists()
    run.fail("No.")
    assert Run.objects.with_leftovers().get() == run
