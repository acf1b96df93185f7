"""Advance: POST /checkpoints/<id>/advance/."""

import uuid

from checkpoints.models import Run
from tests.checkpoints.html import HTMX, Page


def url(checkpoint):
    return f"/checkpoints/{checkpoint.pk}/advance/"


def test_the_next_checkpoint_is_made_and_shown(owner, head, project, working):
    response = owner.post(url(head), follow=True)
    project.refresh_from_db()
    page = Page(response)
    assert response.redirect_chain[-1] == (f"/checkpoints/{project.head_id}/", 302)
    assert page.headings[0] == "Checkpoint v2"
    assert [span.words for span in page.all("span", class_="key")][:3] == ["Email", "Role", "Company"]


def test_htmx_gets_the_new_page_and_its_address(owner, head, project, working):
    response = owner.post(url(head), headers=HTMX)
    project.refresh_from_db()
    assert response["HX-Push-Url"] == f"/checkpoints/{project.head_id}/"
    assert Page(response).headings[0] == "Checkpoint v2"


def test_without_a_worker_yet_the_progress_lies_over_the_page(owner, head, impatient):
    response = owner.post(url(head), headers=HTMX)
    assert (response["HX-Retarget"], response["HX-Reswap"]) == ("#overlay", "innerHTML")
    assert Page(response).headings == ["Creating the next checkpoint"]


def test_from_the_last_version_there_is_nothing_to_come(owner, grown, project):
    owner.post(url(grown.second))
    project.refresh_from_db()
    page = Page(owner.post(url(project.head), headers=HTMX))
    assert page.alerts == ["That was the last prompt. Nothing was changed."]


def test_from_a_checkpoint_that_is_not_the_head_nothing_is_done(owner, moved, project, working):
    page = Page(owner.post(url(moved.first), headers=HTMX))
    project.refresh_from_db()
    assert page.alerts == [
        "The database has moved to another checkpoint in the meantime. Nothing was changed.",
    ]
    assert project.head == moved.second


def test_a_full_plan_leaves_everything_as_it_was(owner, head, project, contacts, execute, working, settings):
    settings.NEON_LOCAL_SNAPSHOT_LIMIT = 1
    execute("UPDATE contacts SET name = 'Countess' WHERE email = 'ada@example.com'")
    page = Page(owner.post(url(head), headers=HTMX))
    project.refresh_from_db()
    assert page.alerts == [
        "This Neon plan holds no more snapshots. Delete one or use a larger plan. The database is as it was.",
    ]
    assert project.head == head
    assert "Countess" in contacts()


def test_a_database_that_is_down_is_said(owner, head, project, working, database_down):
    page = Page(owner.post(url(head), headers=HTMX))
    project.refresh_from_db()
    assert page.alerts == ["The app database does not answer right now. Try again in a moment. Nothing was changed."]
    assert project.head == head


def test_a_stranger_gets_404_and_nothing_happens(stranger, head):
    assert stranger.post(url(head)).status_code == 404
    assert Run.objects.unfinished().count() == 0


def test_an_unknown_checkpoint_is_404(owner):
    assert owner.post(f"/checkpoints/{uuid.uuid4()}/advance/").status_code == 404


def test_a_visitor_is_sent_to_sign_in_and_then_home(client, head):
    response = client.post(url(head))
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/?next=/")


def test_other_methods_are_refused(owner, head):
    for method in ["get", "head", "put", "patch", "delete"]:
        assert getattr(owner, method)(url(head)).status_code == 405, method
