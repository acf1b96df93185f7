"""What a restore replaced is saved when it was not what its head recorded, and only then deleted."""

import pytest

from checkpoints import runs, services
from checkpoints.models import Checkpoint, Project, Run
from neon.errors import NeonError
from tests.checkpoints import flows

WRITE = "INSERT INTO contacts (name, email) VALUES ('Barbara', 'barbara@example.com')"


def here(project):
    """Return the project as it is now."""
    return Project.objects.select_related("head").get(pk=project.pk)


def safety(project):
    """Return the project's safety checkpoints, the oldest first."""
    return list(project.checkpoints.filter(kind=Checkpoint.Kind.SAFETY).order_by("created_at"))


@pytest.fixture
def second(head):
    """A second checkpoint, v2, where the database is."""
    return flows.advance(head).result


def jump(target):
    """Restore a checkpoint, and clean up after it."""
    run = flows.restore(target)
    assert run.status == "succeeded", run.error
    runs.clean_up(run.pk)
    return Run.objects.get(pk=run.pk)


def test_a_database_as_recorded_is_not_saved_again(project, head, second):
    run = jump(head)
    assert (run.origin, run.saved, safety(project)) == (second, None, [])
    assert flows.branches(project) == {"main"}


def test_what_was_written_past_the_site_is_saved_under_the_old_head(project, head, second, execute):
    execute(WRITE)
    run = jump(head)
    (kept,) = safety(project)
    assert (run.saved, kept.parent, kept.version, kept.prompt) == (kept, second, "v2", "Before the jump to v1")
    assert flows.branches(project) == {"main"}
    assert kept.snapshot_id in flows.snapshots(project)
    assert flows.restore(kept).status == "succeeded"
    assert "Barbara" in flows.people(project)
    assert not services.differs(here(project), kept)


def test_what_is_written_between_the_look_and_the_swap_is_saved_too(project, head, second, wire):
    wire.before("POST .*/restore$", lambda: flows.execute(project.database_url, WRITE))
    run = jump(head)
    assert run.state["differs"] is False
    wire.mend()
    assert flows.restore(run.saved).status == "succeeded"
    assert "Barbara" in flows.people(project)
    assert not services.differs(here(project), run.saved)


def test_what_is_written_after_the_look_at_what_has_changed_already_is_not_taken_for_damage(
    project, head, second, execute, wire
):
    execute("DELETE FROM contacts WHERE name = 'Ada Lovelace'")
    wire.before("POST .*/restore$", lambda: flows.execute(project.database_url, WRITE))
    kept = jump(head).saved
    wire.mend()
    assert flows.restore(kept).status == "succeeded"
    assert flows.people(project).keys() == {"Alan Turing", "Grace Hopper", "Barbara"}
    kept.refresh_from_db()
    assert kept.fingerprint == {}  # so it is saved again whenever it is left
    assert jump(head).saved.parent == kept


def test_the_branch_stays_until_it_is_saved(project, head, second, execute, wire):
    execute(WRITE)
    run = flows.restore(head)
    wire.refuses("POST .*/snapshot$", 500)
    with pytest.raises(NeonError):
        runs.clean_up(run.pk)
    assert flows.branches(project) == {"main", "main (old)"}
    assert Run.objects.get(pk=run.pk).state["trouble"] == "Neon has a fault on its side. Try again later."
    wire.mend()
    runs.clean_up(run.pk)
    assert flows.branches(project) == {"main"}
    assert [kept.parent for kept in safety(project)] == [second]


def test_a_snapshot_whose_answer_was_lost_is_not_taken_twice(project, head, second, execute, wire):
    execute(WRITE)
    wire.loses_the_answer("POST .*/snapshot$")
    run = jump(head)
    assert flows.snapshots(project) == {each.snapshot_id for each in (head, second, run.saved)}


def test_a_replaced_branch_that_gets_no_endpoint_is_saved_unseen(project, head, second, wire):
    wire.refuses("POST .*/endpoints$", 422)
    assert jump(head).saved.parent == second


def test_only_the_newest_few_are_kept(project, head, settings, execute):
    settings.SAFETY_CHECKPOINTS = 2
    for number in range(4):
        flows.execute(project.database_url, f"INSERT INTO contacts (name, email) VALUES ('{number}', '{number}@x.org')")
        jump(head)
    kept = safety(project)
    assert len(kept) == 2
    assert flows.snapshots(project) == {each.snapshot_id for each in (head, *kept)}
    flows.restore(kept[-1])
    assert "3" in flows.people(project)


def test_pruning_spares_what_is_pinned_the_head_and_what_it_descends_from(project, head, settings):
    flows.execute(project.database_url, WRITE)
    line = jump(head).saved
    flows.execute(project.database_url, WRITE)
    pinned = jump(head).saved
    Checkpoint.objects.filter(pk=pinned.pk).update(pinned=True)
    flows.restore(Checkpoint.objects.get(pk=line.pk))
    second = flows.advance(Checkpoint.objects.get(pk=line.pk)).result  # the head, and a safety checkpoint before it
    settings.SAFETY_CHECKPOINTS = 1
    for _ in range(3):
        flows.execute(project.database_url, "UPDATE contacts SET name = name")
        jump(second)
    assert {line, pinned} < set(safety(project))
    assert len(safety(project)) == 3


def test_a_known_limit_refuses_beforehand_and_says_so(project, head, second, execute, settings):
    execute(WRITE)
    project.note_full(True)
    before = flows.branches(project)
    run = flows.restore(head)
    assert (run.remedy, run.error) == (
        Run.Remedy.ROOM,
        "This Neon plan holds no more snapshots, and to save what has changed here needs one."
        " The database is as it was.",
    )
    assert (here(project).head, flows.branches(project)) == (second, before)
    assert "Barbara" in flows.people(project)


def test_a_known_limit_does_not_matter_where_nothing_is_to_be_saved(project, head, second):
    project.note_full(True)
    assert flows.restore(head).status == "succeeded"


def test_room_is_made_by_deleting_a_named_checkpoint(project, head, second, settings):
    third = flows.advance(second).result
    flows.execute(project.database_url, WRITE)
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 3
    project.note_full(True)
    run = flows.done(flows.begin(head, Run.Kind.RESTORE, prune=str(second.pk)))
    assert run.status == "succeeded", run.error
    runs.clean_up(run.pk)
    third.refresh_from_db()
    assert third.parent == head
    assert [kept.parent for kept in safety(project)] == [third]
    assert second.snapshot_id not in flows.snapshots(project)


def test_one_may_go_on_without(project, head, second, execute):
    execute(WRITE)
    project.note_full(True)
    run = flows.done(flows.begin(head, Run.Kind.RESTORE, unsaved=True))
    assert run.status == "succeeded", run.error
    runs.clean_up(run.pk)
    assert (safety(project), flows.branches(project)) == ([], {"main"})


def test_a_limit_met_only_afterwards_is_learnt_and_the_branch_stays(project, head, second, execute, settings):
    execute(WRITE)
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 2
    run = flows.restore(head)
    with pytest.raises(NeonError):
        runs.clean_up(run.pk)
    assert here(project).is_full
    assert flows.branches(project) == {"main", "main (old)"}


def test_a_look_that_takes_too_long_saves_what_may_have_changed(project, head, second, monkeypatch):
    monkeypatch.setattr("checkpoints.changes.look", lambda project: services.changes.Changes())
    assert jump(head).saved.parent == second


def test_the_target_of_a_jump_is_not_deleted_to_make_room_for_it(project, head, second, execute):
    execute(WRITE)
    project.note_full(True)
    run = flows.done(flows.begin(head, Run.Kind.RESTORE, prune=str(head.pk)))
    assert run.remedy == Run.Remedy.ROOM
    assert head in project.checkpoints.deletable()
    assert head not in project.checkpoints.deletable(apart_from=head)
    assert flows.done(flows.begin(head, Run.Kind.RESTORE, unsaved=True)).status == "succeeded"


def test_pruning_spares_where_a_jump_that_is_under_way_leads(project, head, settings):
    settings.SAFETY_CHECKPOINTS = 1
    flows.execute(project.database_url, WRITE)
    wanted = jump(head).saved
    flows.execute(project.database_url, "UPDATE contacts SET name = name")
    last = flows.restore(head)
    under_way = flows.begin(wanted, Run.Kind.RESTORE)
    runs.clean_up(last.pk)
    assert flows.done(under_way).result == wanted


def test_a_full_plan_does_not_keep_from_deleting_nor_from_undoing_then(project, head, second, execute, settings):
    third = flows.advance(second).result
    flows.execute(project.database_url, WRITE)
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 3
    flows.restore(head)
    failed = flows.undo(project)
    assert failed.remedy == Run.Remedy.ROOM
    assert flows.delete(third).error.startswith("What a jump from this checkpoint has replaced is still to be saved.")
    assert flows.delete(second).status == "succeeded"
    assert flows.undo(project).status == "succeeded"
    assert "Barbara" in flows.people(project)
