"""The pages for what went wrong."""

import pytest
from django.test import Client

from checkpoints.models.runs import RunQuerySet
from tests.checkpoints.html import HTMX, Page


def test_an_unknown_address_is_404(client, db):
    response = client.get("/nothing/here/")
    page = Page(response)
    assert response.status_code == 404
    assert page.headings == ["Not found"]
    assert page.all("a", class_="brand")


def test_a_404_says_who_is_signed_in(user, client_of):
    assert "Account ada@example.com" in Page(client_of(user).get("/nothing/")).labels


def test_a_fault_of_ours_is_500_and_says_nothing_about_itself(started, head, monkeypatch, caplog):
    def fail(*arguments):
        raise RuntimeError("postgresql://somebody:secret@host/db")

    monkeypatch.setattr(RunQuerySet, "at_work_and_undoable", fail)
    client = Client(raise_request_exception=False)
    client.force_login(started)
    response = client.get(f"/checkpoints/{head.pk}/")
    page = Page(response)
    assert response.status_code == 500
    assert page.headings == ["Something went wrong"]
    assert page.all("a", class_="brand")
    assert "secret" not in response.content.decode()


def test_a_form_without_its_token_is_refused(user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    response = client.post("/start/")
    page = Page(response)
    assert response.status_code == 403
    assert page.headings == ["The form was not accepted"]
    assert page.all("a", class_="brand")


def test_the_token_of_the_page_is_accepted_in_the_header_as_htmx_sends_it(user, impatient):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    token = Page(client.get("/")).one("body")["hx-headers"].split('"')[3]
    assert client.post("/start/", headers=HTMX | {"X-CSRFToken": token}).status_code == 200


def test_who_may_not_enter_is_told(user, client_of):
    response = client_of(user).get("/admin/", follow=True)
    page = Page(response)
    assert response.status_code == 403
    assert page.headings == ["Not allowed"]
    assert "You may not see this page or do this." in [element.words for element in page.all("p")]


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded; charset=utf-7", "multipart/form-data"],
    ids=["another encoding", "no boundary"],
)
def test_a_request_that_cannot_be_read_is_400(owner, head, content_type):
    response = owner.generic("POST", f"/checkpoints/{head.pk}/contacts/", b"name=a", content_type=content_type)
    assert response.status_code == 400
    assert Page(response).headings == ["The request was not understood"]


def test_too_many_attempts_are_429(client, db):
    for _ in range(31):
        response = client.post("/accounts/login/", {"login": "", "password": ""})
    page = Page(response)
    assert response.status_code == 429
    assert page.headings == ["Too many attempts"]
    assert page.all("a", class_="brand")


def test_htmx_leaves_the_page_as_it_is_and_shows_the_banner(client, db):
    """Statuses with something to show are swapped; 404 is not among them."""
    page = Page(client.get("/"))
    config = page.one("meta", name="htmx-config")["content"]
    assert '"code": "(409|422|429|502|503|504)", "swap": true' in config
    assert page.one(id="offline")["role"] == "alert"
