"""Delete a checkpoint: GET asks, POST /checkpoints/<id>/delete/ does it."""

import pytest

from checkpoints import runs
from checkpoints.models import Checkpoint, Run
from neon.errors import NeonError
from tests.checkpoints import flows
from tests.checkpoints.html import HTMX, Page


def url(checkpoint):
    return f"/checkpoints/{checkpoint.pk}/delete/"


@pytest.fixture
def line(head):
    """Three checkpoints in a line; the database is at the last."""
    second = flows.advance(head).result
    return head, second, flows.advance(second).result


def test_it_is_asked_first(owner, line):
    response = owner.get(url(line[1]))
    assert Page(response).headings == ["Delete this checkpoint?"]
    assert Checkpoint.objects.count() == 3


def test_checkpoint_and_snapshot_go_and_its_children_stay(owner, line, project, working):
    first, second, third = line
    response = owner.post(url(second), follow=True)
    assert response.redirect_chain[-1] == (f"/checkpoints/{third.pk}/", 302)
    third.refresh_from_db()
    assert third.parent == first
    assert flows.snapshots(project) == {first.snapshot_id, third.snapshot_id}
    assert flows.restore(first).status == "succeeded"
    assert flows.restore(third).status == "succeeded"


def test_the_first_may_go(owner, line, working):
    owner.post(url(line[0]), headers=HTMX)
    line[1].refresh_from_db()
    assert line[1].parent is None


def test_where_the_database_is_stays(owner, line, working):
    assert Page(owner.get(f"/checkpoints/{line[2].pk}/")).all("a", href=url(line[2])) == []
    owner.post(url(line[2]))
    run = Run.objects.first()
    assert run.error == "The database is at this checkpoint, so it cannot be deleted. Nothing was deleted."
    assert Checkpoint.objects.count() == 3


def test_what_is_pinned_stays(owner, line, working, project):
    Checkpoint.objects.filter(pk=line[0].pk).update(pinned=True)
    owner.post(url(line[0]))
    assert Run.objects.first().error == "This checkpoint is pinned. Unpin it first. Nothing was deleted."
    assert line[0].snapshot_id in flows.snapshots(project)


def test_a_snapshot_that_neon_does_not_delete_is_deleted_later(line, project, wire):
    wire.refuses("DELETE .*/snapshots/", 500)
    run = flows.delete(line[0])
    assert run.error == (
        "Neon has a fault on its side. Try again later."
        " The checkpoint is gone; its snapshot is deleted as soon as that is possible."
    )
    with pytest.raises(NeonError):
        runs.clean_up(run.pk)
    wire.mend()
    runs.clean_up(run.pk)
    assert line[0].snapshot_id not in flows.snapshots(project)


def test_what_is_still_to_be_saved_under_it_is_saved_first(line, project, head):
    flows.execute(project.database_url, "DELETE FROM contacts")
    flows.restore(head)
    assert flows.delete(line[2]).status == "succeeded"
    kept = Checkpoint.objects.get(kind="safety")
    assert kept.parent == line[1]
