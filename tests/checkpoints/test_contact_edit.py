"""Changing a contact: /checkpoints/<id>/contacts/<id>/edit/."""

import uuid

import pytest

from checkpoints import runs
from checkpoints.models import Run
from tests.checkpoints.html import HTMX, Page

COUNTESS = {"name": "Countess of Lovelace", "email": "countess@example.com"}
DOWN = "The app database does not answer right now. Try again in a moment."


@pytest.fixture
def ada(contacts):
    return contacts()["Ada Lovelace"]


@pytest.fixture
def url(head, ada):
    return f"/checkpoints/{head.pk}/contacts/{ada.id}/edit/"


def typed(page, contact):
    """What the fields of the contact's form hold."""
    return {
        field["name"]: field["value"]
        for field in page.all("input")
        if (field["id"] or "").startswith(f"contact-{contact.id}-")
    }


def test_htmx_gets_a_form_in_place_of_the_row(owner, url, ada):
    response = owner.get(url, headers=HTMX)
    page = Page(response)
    assert page.elements[0]["id"] == f"contact-{ada.id}"
    assert response["HX-Retarget"] == f"#contact-{ada.id}"
    assert typed(page, ada) == {"name": "Ada Lovelace", "email": "ada@example.com"}
    assert page.labels == ["Save", "Cancel"]


def test_without_htmx_the_form_is_a_page(owner, url, ada, head):
    page = Page(owner.get(url))
    assert page.headings == ["Edit Ada Lovelace"]
    assert typed(page, ada) == {"name": "Ada Lovelace", "email": "ada@example.com"}
    assert page.one("a", class_="button")["href"] == f"/checkpoints/{head.pk}/"


def test_a_contact_is_changed(owner, url, ada, head, contacts):
    response = owner.post(url, COUNTESS)
    assert (response.status_code, response["Location"]) == (302, f"/checkpoints/{head.pk}/")
    changed = contacts()["Countess of Lovelace"]
    assert (changed.id, changed.email) == (ada.id, "countess@example.com")


def test_htmx_gets_the_list_read_again(owner, url):
    response = owner.post(url, COUNTESS, headers=HTMX)
    page = Page(response)
    assert (response.status_code, response["HX-Retarget"], response["HX-Reswap"]) == (200, "#contacts", "outerHTML")
    assert [element.words for element in page.all("span", class_="name")] == [
        "Alan Turing",
        "Countess of Lovelace",
        "Grace Hopper",
    ]


def test_saving_what_is_there_already_is_fine(owner, url, contacts):
    before = contacts()
    assert owner.post(url, {"name": "Ada Lovelace", "email": "ada@example.com"}).status_code == 302
    assert contacts() == before


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_a_duplicate_is_said_at_the_email_and_all_that_was_typed_is_kept(owner, url, ada, headers):
    values = {"name": "Countess", "email": "alan@example.com"}
    response = owner.post(url, values, headers=headers)
    page = Page(response)
    assert response.status_code == 422
    assert typed(page, ada) == values
    error = page.one("ul", class_="errorlist", id=f"contact-{ada.id}-email_error")
    assert error.words == "Another contact has this email."
    assert page.one("input", id=f"contact-{ada.id}-email")["aria-invalid"] == "true"
    if headers:
        assert response["HX-Retarget"] == f"#contact-{ada.id}"
    else:
        assert page.is_whole


def test_bad_input_is_422_and_changes_nothing(owner, url, contacts):
    before = contacts()
    for values in (
        {"name": ""},
        {"email": ""},
        {"email": "nobody"},
        {"name": "a\x00b"},
        {"name": "a" * 201},
        {"email": "a\x00@b.c"},
    ):
        assert owner.post(url, COUNTESS | values, headers=HTMX).status_code == 422, values
    assert contacts() == before


def test_no_form_at_all_is_422(owner, url):
    assert owner.post(url, {}, headers=HTMX).status_code == 422


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_a_contact_that_is_gone_is_said_and_the_list_read_again(owner, url, execute, method, headers):
    execute("DELETE FROM contacts WHERE name = 'Ada Lovelace'")
    response = getattr(owner, method)(url, COUNTESS, headers=headers)
    page = Page(response)
    assert response.status_code == 409
    assert page.alerts == ["This contact no longer exists."]
    assert [element.words for element in page.all("span", class_="name")] == ["Alan Turing", "Grace Hopper"]
    assert page.is_whole is not bool(headers)


def test_an_unknown_contact_is_a_message(owner, url, ada):
    response = owner.get(url.replace(str(ada.id), str(uuid.uuid4())))
    assert response.status_code == 409
    assert Page(response).alerts == ["This contact no longer exists."]


def test_while_a_run_is_at_work_nothing_is_written(owner, url, head, started, contacts):
    runs.begin(owner=started, kind=Run.Kind.RESTORE, project=head.project, target=head)
    response = owner.post(url, COUNTESS, headers=HTMX)
    assert response.status_code == 409
    assert Page(response).alerts == ["Another action is at work on this database. Try again when it has finished."]
    assert "Ada Lovelace" in contacts()


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_when_the_head_has_moved_the_page_offers_the_jump(owner, url, moved, method, headers):
    response = getattr(owner, method)(url, COUNTESS, headers=headers)
    assert response.status_code == 409
    assert "Jump to this checkpoint" in Page(response).labels


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_a_database_that_is_down_is_said(owner, url, method, headers, database_down):
    response = getattr(owner, method)(url, COUNTESS, headers=headers)
    assert response.status_code == 502
    assert DOWN in Page(response).alerts


def test_a_table_that_is_gone_is_said(owner, url, execute):
    execute("DROP TABLE contacts")
    assert owner.post(url, COUNTESS, headers=HTMX).status_code == 409


def test_a_stranger_gets_404_and_changes_nothing(stranger, url, contacts):
    assert stranger.get(url).status_code == 404
    assert stranger.post(url, COUNTESS).status_code == 404
    assert "Ada Lovelace" in contacts()


def test_a_visitor_is_sent_to_sign_in(client, url):
    assert client.get(url)["Location"] == f"/accounts/login/?next={url}"
    assert client.post(url, COUNTESS)["Location"] == "/accounts/login/?next=/"


def test_other_methods_are_refused(owner, url):
    for method in ["put", "patch", "delete"]:
        assert getattr(owner, method)(url).status_code == 405, method
