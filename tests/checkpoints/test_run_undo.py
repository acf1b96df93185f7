"""Undo: POST /runs/<id>/undo/."""

import pytest

from checkpoints import runs
from checkpoints.models import Run
from tests.checkpoints import flows
from tests.checkpoints.html import HTMX, Page


@pytest.fixture
def restored(grown, execute, project):
    """A restore of v1 that replaced a v2 with changes."""
    flows.execute(project.database_url, "DELETE FROM contacts WHERE name = 'Ada Lovelace'")
    return flows.restore(grown.first)


def test_what_was_there_is_back(owner, restored, contacts, working, project):
    response = owner.post(f"/runs/{restored.pk}/undo/", headers=HTMX)
    assert Page(response).headings[0] == "Checkpoint v2"
    assert flows.people(project).keys() == {"Alan Turing", "Grace Hopper"}


def test_the_page_offers_it_and_says_what_is_kept(owner, restored, working):
    page = Page(owner.get(f"/checkpoints/{restored.result_id}/"))
    assert page.all("form", action=f"/runs/{restored.pk}/undo/")
    assert page.one("div", class_="notice undo").words == (
        "The last jump came from v2, and what had changed there is being kept. Undo"
    )
    runs.clean_up(restored.pk)
    page = Page(owner.get(f"/checkpoints/{restored.result_id}/"))
    assert "what had changed there is kept." in page.one("div", class_="notice undo").words


def test_a_stale_page_undoes_nothing_else(owner, restored, grown, project, working):
    flows.restore(grown.second)
    owner.post(f"/runs/{restored.pk}/undo/")
    assert Run.objects.first().error == "There is no restore to undo. The database is as it was."
    project.refresh_from_db()
    assert project.head == grown.second


def test_an_undo_that_failed_is_tried_again_for_the_same_restore(owner, restored, wire, project):
    wire.refuses("POST .*/restore$", 500)
    failed = flows.done(
        runs.begin(owner=project.owner, kind=Run.Kind.UNDO, project=project, queue=False, undoes=str(restored.pk))
    )
    wire.mend()
    owner.post(f"/runs/{failed.pk}/retry/")
    again = Run.objects.first()
    assert (again.kind, again.state["undoes"]) == ("undo", str(restored.pk))
    assert flows.done(again).status == "succeeded"
    assert flows.people(project).keys() == {"Alan Turing", "Grace Hopper"}
