"""Try again: POST /runs/<id>/retry/."""

import uuid

import pytest

from checkpoints import runs
from checkpoints.models import Run
from tests.checkpoints import flows
from tests.checkpoints.html import HTMX, Page


@pytest.fixture
def failed(started, head):
    """A restore that failed."""
    run = runs.begin(owner=started, kind=Run.Kind.RESTORE, project=head.project, target=head)
    run.fail("Neon cannot be reached right now.")
    return run


def url(run):
    return f"/runs/{run.pk}/retry/"


def test_what_failed_is_done_again(owner, failed, head, working):
    response = owner.post(url(failed), follow=True)
    assert response.redirect_chain[-1] == (f"/checkpoints/{head.pk}/", 302)
    again = Run.objects.first()
    assert (again.status, again.kind, again.target) == ("succeeded", "restore", head)
    assert again != failed


def test_htmx_gets_the_result(owner, failed, head, working):
    response = owner.post(url(failed), headers=HTMX)
    assert response["HX-Push-Url"] == f"/checkpoints/{head.pk}/"


def test_htmx_gets_the_progress_of_the_new_run(owner, failed, impatient):
    response = owner.post(url(failed), headers=HTMX)
    assert response["HX-Retarget"] == "#overlay"
    assert Page(response).one(id="run")["hx-get"] == f"/runs/{Run.objects.first().pk}/"


def test_a_failed_start_keeps_what_it_was_to_replace(owner, started, project, working):
    run = runs.begin(owner=started, kind=Run.Kind.START, project=project)
    run.fail("No.")
    owner.post(url(run))
    assert Run.objects.first().status == "succeeded"
    assert started.projects.count() == 1


def test_an_old_start_asks_before_it_replaces_a_project_made_since(owner, started, project, working):
    old = runs.begin(owner=started, kind=Run.Kind.START)
    old.fail("No.")
    page = Page(owner.post(url(old)))
    assert "Delete and start again" in page.labels
    assert list(started.projects.all()) == [project]


def test_two_clicks_begin_one_run(owner, failed, impatient):
    assert owner.post(url(failed))["Location"] == owner.post(url(failed))["Location"]
    assert Run.objects.unfinished().count() == 1


def test_a_run_that_did_not_fail_is_only_shown(owner, started):
    run = Run.objects.get()
    assert owner.post(url(run))["Location"] == f"/runs/{run.pk}/"
    assert Run.objects.count() == 1


def test_a_run_whose_project_is_gone_says_so(owner, failed, working):
    Run.objects.update(project=None, target=None)
    page = Page(owner.post(url(failed), headers=HTMX))
    assert page.alerts == ["That project is gone. The database is as it was."]


def test_a_stranger_gets_404_and_nothing_happens(stranger, failed):
    assert stranger.post(url(failed)).status_code == 404
    assert Run.objects.unfinished().count() == 0


def test_an_unknown_run_is_404(owner):
    assert owner.post(f"/runs/{uuid.uuid4()}/retry/").status_code == 404


def test_a_visitor_is_sent_to_sign_in_and_then_home(client, failed):
    assert client.post(url(failed))["Location"] == "/accounts/login/?next=/"


def test_other_methods_are_refused(owner, failed):
    for method in ["get", "head", "put", "patch", "delete"]:
        assert getattr(owner, method)(url(failed)).status_code == 405, method


@pytest.fixture
def without_room(started, project, grown):
    """A restore that failed because what has changed could not be saved."""
    flows.execute(project.database_url, "DELETE FROM contacts WHERE name = 'Ada Lovelace'")
    project.note_full(True)
    return flows.restore(grown.first)


def test_without_room_both_ways_on_are_offered(owner, without_room, grown):
    third = grown.second.children.create(project=grown.second.project, snapshot_id="snap-third", version="v3")
    page = Page(owner.get(f"/runs/{without_room.pk}/"))
    assert page.one("option")["value"] == str(third.pk)  # neither where the database is nor where the jump leads
    assert {"Delete it and go on", "Go on without a safety checkpoint"} <= set(page.labels)


def test_one_may_go_on_unsaved(owner, without_room, grown, project, working):
    owner.post(url(without_room), {"unsaved": "on"})
    project.refresh_from_db()
    assert project.head == grown.first
    assert "leftover" in Run.objects.first().state
    assert not Run.objects.first().is_unsaved


def test_a_checkpoint_may_be_deleted_for_it(owner, project, grown, working):
    third = flows.advance(grown.second).result
    flows.execute(project.database_url, "DELETE FROM contacts WHERE name = 'Ada Lovelace'")
    project.note_full(True)
    failed = flows.restore(grown.first)
    owner.post(url(failed), {"prune": str(grown.second.pk)})
    project.refresh_from_db()
    assert project.head == grown.first
    assert set(project.checkpoints.all()) == {grown.first, third}


@pytest.mark.parametrize("prune", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_what_is_no_checkpoint_of_the_project_is_not_deleted(owner, without_room, project, grown, prune, working):
    owner.post(url(without_room), {"prune": prune})
    assert Run.objects.first().remedy == Run.Remedy.ROOM
    assert project.checkpoints.count() == 2
