"""Restore: POST /checkpoints/<id>/restore/."""

import uuid

from checkpoints.models import Run
from tests.checkpoints.html import HTMX, Page


def url(checkpoint):
    return f"/checkpoints/{checkpoint.pk}/restore/"


def test_a_jump_leads_to_the_checkpoints_page(owner, grown, project, contacts):
    response = owner.post(url(grown.first), follow=True)
    project.refresh_from_db()
    assert project.head == grown.first
    assert response.redirect_chain[-1] == (f"/checkpoints/{grown.first.pk}/", 302)
    assert "Next checkpoint" in Page(response).labels
    assert set(contacts()) == {"Ada Lovelace", "Alan Turing", "Grace Hopper"}


def test_htmx_gets_the_restored_page_and_its_address(owner, grown):
    response = owner.post(url(grown.first), headers=HTMX)
    assert Page(response).headings[0] == "Checkpoint v1"
    assert response["HX-Push-Url"] == f"/checkpoints/{grown.first.pk}/"
    assert response["HX-Retarget"] == "#main"


def test_without_a_worker_yet_the_progress_lies_over_the_page(owner, head, impatient):
    response = owner.post(url(head), headers=HTMX)
    assert (response["HX-Retarget"], response["HX-Reswap"]) == ("#overlay", "innerHTML")
    assert Page(response).headings == ["Restoring the checkpoint"]


def test_a_second_click_shows_the_running_one(owner, head, impatient):
    first = owner.post(url(head))
    again = owner.post(f"/checkpoints/{head.pk}/advance/")
    assert again["Location"] == first["Location"]
    assert Run.objects.unfinished().count() == 1


def test_edits_since_the_snapshot_are_gone(owner, head, execute, contacts, working):
    execute("DELETE FROM contacts")
    owner.post(url(head))
    assert set(contacts()) == {"Ada Lovelace", "Alan Turing", "Grace Hopper"}


def test_a_dropped_table_comes_back(owner, head, execute, contacts, working):
    execute("DROP TABLE contacts")
    owner.post(url(head))
    assert set(contacts()) == {"Ada Lovelace", "Alan Turing", "Grace Hopper"}


def test_a_snapshot_that_neon_lost_is_said(owner, head, working):
    head.snapshot_id = "snap-lost"
    head.save()
    response = owner.post(url(head), headers=HTMX)
    page = Page(response)
    assert (response.status_code, response["HX-Retarget"]) == (200, "#overlay")
    assert page.headings == ["That did not work"]
    assert page.alerts == ["Neon does not know this project, branch or snapshot. The database is as it was."]
    assert {"Try again", "Close"} <= set(page.labels)


def test_a_stranger_gets_404_and_nothing_happens(stranger, head):
    assert stranger.post(url(head)).status_code == 404
    assert Run.objects.unfinished().count() == 0


def test_an_unknown_checkpoint_is_404(owner):
    assert owner.post(f"/checkpoints/{uuid.uuid4()}/restore/").status_code == 404


def test_a_visitor_is_sent_to_sign_in_and_then_home(client, head):
    response = client.post(url(head))
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/?next=/")


def test_other_methods_are_refused(owner, head):
    for method in ["get", "head", "put", "patch", "delete"]:
        assert getattr(owner, method)(url(head)).status_code == 405, method
