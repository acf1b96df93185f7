"""What another action takes away while a page is made, or while a clean-up waits."""

import pytest

from checkpoints import runs
from checkpoints.models import Checkpoint, Project, Run
from tests.checkpoints import flows
from tests.checkpoints.html import HTMX, Page

EDIT = "INSERT INTO contacts (name, email) VALUES ('{0}', '{0}@example.com')"


def test_a_run_whose_project_goes_while_its_page_waits(owner, started, project, monkeypatch):
    run = runs.begin(owner=started, kind=Run.Kind.START, project=project)

    monkeypatch.setattr(runs, "wait", lambda *arguments, **options: Project.objects.all().delete())
    assert owner.get(f"/runs/{run.pk}/", headers=HTMX).status_code == 200


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_a_late_click_on_start_when_its_project_has_been_replaced(owner, project, monkeypatch, impatient, headers):
    begin = runs.begin

    def begin_late(**what):
        run = Run.objects.get(pk=begin(**what).pk)
        Project.objects.all().delete()
        return run

    monkeypatch.setattr(runs, "begin", begin_late)
    answer = owner.post("/start/", {"replace": project.pk}, headers=headers)
    assert answer.status_code == (200 if headers else 302)


def test_an_undo_is_offered_where_the_checkpoint_that_the_jump_came_from_is_deleted(owner, grown):
    jump = flows.restore(grown.first)
    Run.objects.filter(pk=jump.pk).update(origin=None, saved=grown.second, state={"saved": True})
    page = Page(owner.get(f"/checkpoints/{grown.first.pk}/"))
    assert "Undo" in page.labels


def test_where_a_jump_came_from_is_not_pruned_before_what_it_replaced_is_saved(project, head, execute, settings):
    settings.SAFETY_CHECKPOINTS = 1
    flows.execute(project.database_url, EDIT.format("one"))
    runs.clean_up(flows.restore(head).pk)
    origin = Checkpoint.objects.get(kind="safety")
    flows.restore(origin)
    flows.execute(project.database_url, EDIT.format("two"))
    waiting = flows.restore(head)
    flows.execute(project.database_url, EDIT.format("three"))
    runs.clean_up(flows.restore(head).pk)
    assert Checkpoint.objects.filter(pk=origin.pk).exists()
    runs.clean_up(waiting.pk)
    saved = Run.objects.get(pk=waiting.pk).saved
    assert (saved.parent, saved.version) == (head, "v1")  # now there are too many of them
