"""Deleting a contact: /checkpoints/<id>/contacts/<id>/delete/."""

import pytest

from checkpoints import runs
from checkpoints.models import Run
from tests.checkpoints.html import HTMX, Page


@pytest.fixture
def url(head, contacts):
    """Ada's."""
    return f"/checkpoints/{head.pk}/contacts/{contacts()['Ada Lovelace'].id}/delete/"


def test_htmx_is_asked_in_the_row(owner, url, contacts):
    page = Page(owner.get(url, headers=HTMX))
    assert page.elements[0]["id"] == f"contact-{contacts()['Ada Lovelace'].id}"
    assert "Delete Ada Lovelace?" in [element.words for element in page.all("p")]
    assert page.labels == ["Delete contact", "Keep"]


def test_without_htmx_the_question_is_a_page(owner, url, head):
    page = Page(owner.get(url))
    assert page.is_whole
    assert "Delete Ada Lovelace?" in [element.words for element in page.all("p")]
    assert page.one("a", class_="button")["href"] == f"/checkpoints/{head.pk}/"


def test_asking_deletes_nothing(owner, url, contacts):
    owner.get(url)
    owner.head(url)
    assert "Ada Lovelace" in contacts()


def test_a_contact_is_deleted(owner, url, head, contacts):
    response = owner.post(url)
    assert (response.status_code, response["Location"]) == (302, f"/checkpoints/{head.pk}/")
    assert set(contacts()) == {"Alan Turing", "Grace Hopper"}


def test_htmx_gets_the_list_read_again(owner, url):
    response = owner.post(url, headers=HTMX)
    assert (response.status_code, response["HX-Retarget"], response["HX-Reswap"]) == (200, "#contacts", "outerHTML")
    names = [element.words for element in Page(response).all("span", class_="name")]
    assert names == ["Alan Turing", "Grace Hopper"]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_a_contact_that_is_gone_is_said_and_the_list_read_again(owner, url, method, headers, execute):
    execute("DELETE FROM contacts WHERE name = 'Ada Lovelace'")
    response = getattr(owner, method)(url, headers=headers)
    page = Page(response)
    assert response.status_code == 409
    assert page.alerts == ["This contact no longer exists."]
    assert [element.words for element in page.all("span", class_="name")] == ["Alan Turing", "Grace Hopper"]


def test_while_a_run_is_at_work_nothing_is_deleted(owner, url, head, started, contacts):
    runs.begin(owner=started, kind=Run.Kind.RESTORE, project=head.project, target=head)
    assert owner.post(url, headers=HTMX).status_code == 409
    assert "Ada Lovelace" in contacts()


@pytest.mark.parametrize("method", ["get", "post"])
def test_when_the_head_has_moved_the_page_offers_the_jump(owner, url, moved, method):
    response = getattr(owner, method)(url, headers=HTMX)
    assert response.status_code == 409
    assert "Jump to this checkpoint" in Page(response).labels


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_database_that_is_down_is_said(owner, url, method, database_down):
    response = getattr(owner, method)(url)
    assert response.status_code == 502
    assert Page(response).alerts == ["The app database does not answer right now. Try again in a moment."]


def test_a_table_that_is_gone_is_said(owner, url, execute):
    execute("DROP TABLE contacts")
    assert owner.post(url, headers=HTMX).status_code == 409


def test_a_stranger_gets_404_and_deletes_nothing(stranger, url, contacts):
    assert stranger.get(url).status_code == 404
    assert stranger.post(url).status_code == 404
    assert "Ada Lovelace" in contacts()


def test_a_visitor_is_sent_to_sign_in(client, url):
    assert client.get(url)["Location"] == f"/accounts/login/?next={url}"
    assert client.post(url)["Location"] == "/accounts/login/?next=/"


def test_other_methods_are_refused(owner, url):
    for method in ["put", "patch", "delete"]:
        assert getattr(owner, method)(url).status_code == 405, method
