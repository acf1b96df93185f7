"""One contact's row: GET /checkpoints/<id>/contacts/<id>/."""

import uuid

import pytest

from tests.checkpoints.html import HTMX, Page


@pytest.fixture
def url(head, contacts):
    """Ada's."""
    return f"/checkpoints/{head.pk}/contacts/{contacts()['Ada Lovelace'].id}/"


def test_htmx_gets_the_row(owner, url, contacts):
    page = Page(owner.get(url, headers=HTMX))
    assert page.elements[0]["id"] == f"contact-{contacts()['Ada Lovelace'].id}"
    assert page.one("span", class_="name").words == "Ada Lovelace"
    assert page.labels == ["Edit Ada Lovelace", "Delete Ada Lovelace"]


def test_without_htmx_the_row_is_in_its_page(owner, url, head):
    assert owner.get(url)["Location"] == f"/checkpoints/{head.pk}/"


def test_a_contact_that_is_gone_is_said_and_the_list_read_again(owner, url, execute):
    execute("DELETE FROM contacts WHERE name = 'Ada Lovelace'")
    response = owner.get(url, headers=HTMX)
    page = Page(response)
    assert (response.status_code, response["HX-Retarget"], response["HX-Reswap"]) == (409, "#contacts", "outerHTML")
    assert page.alerts == ["This contact no longer exists."]
    assert [element.words for element in page.all("span", class_="name")] == ["Alan Turing", "Grace Hopper"]


def test_when_the_head_has_moved_the_page_offers_the_jump(owner, url, moved):
    response = owner.get(url, headers=HTMX)
    assert response.status_code == 409
    assert "Jump to this checkpoint" in Page(response).labels
    assert response["HX-Retarget"] == "#main"


def test_a_database_that_is_down_is_said(owner, url, database_down):
    response = owner.get(url, headers=HTMX)
    assert response.status_code == 502
    assert Page(response).alerts == ["The app database does not answer right now. Try again in a moment."]


def test_a_table_that_is_gone_is_said(owner, url, execute):
    execute("DROP TABLE contacts")
    response = owner.get(url, headers=HTMX)
    assert response.status_code == 409
    assert Page(response).alerts == ["The app database does not have the table and columns of this version."]


def test_a_stranger_gets_404(stranger, url):
    assert stranger.get(url, headers=HTMX).status_code == 404


def test_a_contact_of_an_unknown_checkpoint_is_404(owner, url, head):
    assert owner.get(url.replace(str(head.pk), str(uuid.uuid4())), headers=HTMX).status_code == 404


def test_a_visitor_is_sent_to_sign_in_and_back(client, url):
    assert client.get(url)["Location"] == f"/accounts/login/?next={url}"


def test_other_methods_are_refused(owner, url):
    for method in ["post", "put", "patch", "delete"]:
        assert getattr(owner, method)(url).status_code == 405, method
