"""Adding a contact: POST /checkpoints/<id>/contacts/."""

import itertools
import uuid

import psycopg
import pytest

from checkpoints import runs
from checkpoints.models import Run
from contacts import db
from contacts import versions as contact_versions
from tests.checkpoints.html import HTMX, Page
from tests.contacts.everybody import everybody

DUPLICATE = {"name": "Another Ada", "email": "ada@example.com"}
BARBARA = {"name": "Barbara Liskov", "email": "barbara@example.com"}
NOT_TEXT = "Remove the characters that are not text."


def url(checkpoint):
    return f"/checkpoints/{checkpoint.pk}/contacts/"


def typed(page):
    """What the fields of the form hold."""
    return {name: page.one("input", name=name)["value"] for name in ("name", "email")}


def test_a_contact_is_added(owner, head, contacts):
    response = owner.post(url(head), BARBARA)
    assert (response.status_code, response["Location"]) == (302, f"/checkpoints/{head.pk}/")
    assert contacts()["Barbara Liskov"].email == "barbara@example.com"


def test_htmx_gets_the_list_read_again_and_an_empty_form(owner, head, execute):
    execute("DELETE FROM contacts WHERE name = 'Grace Hopper'")
    response = owner.post(url(head), BARBARA, headers=HTMX)
    page = Page(response)
    assert (response.status_code, response["HX-Retarget"], response["HX-Reswap"]) == (200, "#contacts", "outerHTML")
    assert page.elements[0]["id"] == "contacts"
    names = [element.words for element in page.all("span", class_="name")]
    assert names == ["Ada Lovelace", "Alan Turing", "Barbara Liskov"]
    assert typed(page) == {"name": None, "email": None}


def test_what_another_version_does_not_have_is_not_taken(owner, head, contacts):
    owner.post(url(head), BARBARA | {"role": "Professor", "id": str(uuid.uuid4())})
    assert contacts()["Barbara Liskov"].role == ""


def test_tags_come_from_text_with_commas(owner, grown, project):
    owner.post(f"/checkpoints/{grown.second.pk}/advance/")
    project.refresh_from_db()
    owner.post(url(project.head), BARBARA | {"role": "Professor", "company": "MIT", "tags": "types, clu ,types"})
    added = everybody(project.database_url, contact_versions.get("v3"))[2]
    assert (added.role, added.company, added.tags) == ("Professor", "MIT", ("types", "clu"))
    page = Page(owner.get(f"/checkpoints/{project.head_id}/"))
    assert {"types", "clu"} <= {element.words for element in page.all("span", class_="pill")}


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_a_duplicate_is_said_at_the_email_and_all_that_was_typed_is_kept(owner, head, headers):
    response = owner.post(url(head), DUPLICATE, headers=headers)
    page = Page(response)
    assert response.status_code == 422
    assert typed(page) == DUPLICATE
    assert page.one("ul", class_="errorlist", id="contact-email_error").words == "Another contact has this email."
    assert page.one("input", name="email")["aria-invalid"] == "true"
    assert page.one("input", name="email")["aria-describedby"] == "contact-email_error"
    assert page.is_whole is not bool(headers)


def test_bad_input_is_said_at_its_field(owner, head, contacts):
    for field, value, message in (
        ("name", "", "Enter a name."),
        ("name", "  ", "Enter a name."),
        ("email", "", "Enter an email address."),
        ("email", "barbara", "Enter an email address such as ada@example.com."),
        ("name", "a" * 201, "Use at most 200 characters."),
        ("email", f"{'a' * 250}@example.com", "Use at most 254 characters."),
    ):
        response = owner.post(url(head), BARBARA | {field: value}, headers=HTMX)
        assert response.status_code == 422, value
        assert message in Page(response).one("ul", class_="errorlist", id=f"contact-{field}_error").words
    assert len(contacts()) == 3


def test_what_is_not_text_is_refused_in_every_field(owner, grown, project):
    owner.post(f"/checkpoints/{grown.second.pk}/advance/")
    project.refresh_from_db()
    whole = BARBARA | {"role": "Professor", "company": "MIT", "tags": "types"}
    for field, value in whole.items():
        response = owner.post(url(project.head), whole | {field: f"\x00{value}"}, headers=HTMX)
        assert response.status_code == 422
        assert NOT_TEXT in Page(response).one("ul", class_="errorlist", id=f"contact-{field}_error").words


def test_half_a_surrogate_pair_is_no_fault_of_the_site(owner, head):
    for value, charset in itertools.product(
        ("%ED%A0%80", "+2AA-", "%FF%FE%00%D8", "%00"), ("utf-8", "utf-7", "utf-16")
    ):
        response = owner.generic(
            "POST",
            url(head),
            f"name={value}&email=barbara%40example.com",
            content_type=f"application/x-www-form-urlencoded; charset={charset}",
        )
        assert response.status_code in {302, 400, 422}, (value, charset)


def test_no_form_at_all_is_422(owner, head):
    assert owner.post(url(head)).status_code == 422


def test_while_a_run_is_at_work_nothing_is_written(owner, head, started, contacts):
    runs.begin(owner=started, kind=Run.Kind.RESTORE, project=head.project, target=head)
    response = owner.post(url(head), BARBARA, headers=HTMX)
    page = Page(response)
    assert response.status_code == 409
    assert page.alerts[0] == "Another action is at work on this database. Try again when it has finished."
    assert len(contacts()) == 3


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_when_the_head_has_moved_the_page_offers_the_jump(owner, moved, contacts, headers):
    response = owner.post(url(moved.first), BARBARA, headers=headers)
    assert response.status_code == 409
    assert "Jump to this checkpoint" in Page(response).labels
    assert len(contacts()) == 3


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_a_database_that_is_down_is_said_and_what_was_typed_is_kept(owner, head, headers, database_down):
    response = owner.post(url(head), BARBARA, headers=headers)
    page = Page(response)
    assert response.status_code == 502
    assert "The app database does not answer right now. Try again in a moment." in page.alerts
    assert typed(page) == BARBARA


def test_a_table_that_is_gone_is_said(owner, head, execute):
    execute("DROP TABLE contacts")
    response = owner.post(url(head), BARBARA, headers=HTMX)
    assert response.status_code == 409
    assert "The app database does not have the table and columns of this version." in Page(response).alerts


def test_a_column_that_is_gone_is_said(owner, head, execute):
    execute("ALTER TABLE contacts DROP COLUMN name")
    assert owner.post(url(head), BARBARA, headers=HTMX).status_code == 409


def test_a_locked_table_is_said(owner, head, project, monkeypatch):
    monkeypatch.setattr(db, "LOCK_SECONDS", "0.02")
    db.forget(project.database_url)
    with psycopg.connect(project.database_url) as other:
        other.execute("LOCK TABLE contacts IN EXCLUSIVE MODE")
        response = owner.post(url(head), BARBARA, headers=HTMX)
    db.forget(project.database_url)
    assert response.status_code == 409
    assert "The app database is busy with another change. Try again in a moment." in Page(response).alerts


def test_a_stranger_gets_404_and_nothing_is_written(stranger, head, contacts):
    assert stranger.post(url(head), BARBARA).status_code == 404
    assert len(contacts()) == 3


def test_an_unknown_checkpoint_is_404(owner):
    assert owner.post(f"/checkpoints/{uuid.uuid4()}/contacts/", BARBARA).status_code == 404


def test_a_visitor_is_sent_to_sign_in_and_then_home(client, head):
    assert client.post(url(head), BARBARA)["Location"] == "/accounts/login/?next=/"


def test_other_methods_are_refused(owner, head):
    for method in ["get", "head", "put", "patch", "delete"]:
        assert getattr(owner, method)(url(head)).status_code == 405, method
