"""The flow undo: back to what the last restore replaced."""

import io

import pytest
from django.core.management import CommandError, call_command

from checkpoints import runs
from checkpoints.models import Project, Run
from tests.checkpoints import flows

WRITE = "INSERT INTO contacts (name, email) VALUES ('Barbara', 'barbara@example.com')"


@pytest.fixture
def second(head):
    """A second checkpoint, v2, where the database is."""
    return flows.advance(head).result


def test_edits_since_the_checkpoint_are_back(project, head, second, execute):
    execute(WRITE)
    flows.restore(head)
    assert "Barbara" not in flows.people(project)
    run = flows.undo(project)  # before anybody has cleaned up
    assert (run.status, run.error) == ("succeeded", "")
    assert "Barbara" in flows.people(project)
    assert (run.target.kind, run.target.parent) == ("safety", second)
    assert Project.objects.get().head == run.target


def test_a_jump_from_an_untouched_checkpoint_leads_back_to_it(project, head, second):
    runs.clean_up(flows.restore(head).pk)
    assert flows.undo(project).result == second


def test_the_undo_can_itself_be_undone(project, head, second, execute):
    execute(WRITE)
    flows.restore(head)
    flows.execute(project.database_url, "DELETE FROM contacts WHERE name = 'Ada Lovelace'")
    for there in (True, False, True):
        assert flows.undo(project).status == "succeeded"
        assert ("Barbara" in flows.people(project)) == there
        assert ("Ada Lovelace" in flows.people(project)) == there
    for run in Run.objects.with_leftovers():
        runs.clean_up(run.pk)
    assert flows.branches(project) == {"main"}


def test_there_is_nothing_to_undo_before_a_restore(project, head):
    run = flows.undo(project)
    assert (run.error, run.remedy) == ("There is no restore to undo. The database is as it was.", Run.Remedy.NONE)


def test_an_advance_since_the_restore_is_not_undone_with_it(project, head, second):
    flows.restore(head)
    flows.advance(head)
    assert flows.undo(project).status == "failed"


def test_only_the_restore_that_was_meant_is_undone(project, head, second):
    meant = flows.restore(head)
    flows.restore(second)
    run = flows.done(
        runs.begin(owner=project.owner, kind=Run.Kind.UNDO, project=project, queue=False, undoes=str(meant.pk))
    )
    assert run.error == "There is no restore to undo. The database is as it was."
    assert Project.objects.get().head == second


def test_what_was_let_go_is_not_promised(project, head, second, execute):
    execute(WRITE)
    flows.restore(head)
    runs.clean_up(Run.objects.get(kind="restore").pk)
    flows.delete(Run.objects.get(kind="restore").saved)
    assert Run.objects.undoable(Project.objects.get()) is None
    assert flows.undo(project).status == "failed"


def test_the_command_undoes_and_says_each_step(project, head, second, execute):
    execute(WRITE)
    flows.restore(head)
    out = io.StringIO()
    call_command("undo_restore", email=project.owner.email, stdout=out)
    assert "Barbara" in flows.people(project)
    assert "Save what the restore replaced" in out.getvalue()
    assert "The database is at v2: Before the jump to v1" in out.getvalue()


@pytest.mark.parametrize(
    ("email", "sentence"),
    [("nobody@example.com", "nobody@example.com has no project."), ("", "There is no restore to undo.")],
)
def test_the_command_says_what_it_cannot_do(project, email, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("undo_restore", email=email or project.owner.email, stdout=io.StringIO())
