"""What people see while the meta database is away: 503 in plain words, whatever the request needed it for."""

import logging
import uuid

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client

from checkpoints.views import pages
from tests.checkpoints.html import HTMX, Page

SECRET = 'connection to server at "10.0.0.1", user "somebody", failed'


@pytest.fixture
def browser(user):
    """A signed-in browser that gets an answer whatever fails."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


@pytest.fixture
def away(browser):
    """A meta database that answers nothing."""
    with connection.execute_wrapper(_refuse):
        yield browser


def _refuse(execute, sql, params, many, context):
    raise OperationalError(SECRET)


def check(response):
    page = Page(response)
    assert response.status_code == 503
    assert page.headings == ["The site is away for a moment"]
    assert page.all("a", class_="brand")
    assert SECRET not in response.content.decode()
    assert (response["Retry-After"], "no-store" in response["Cache-Control"]) == ("5", True)
    return page


def refreshes(page):
    return [element["content"] for element in page.all("meta") if element["http-equiv"] == "refresh"]


@pytest.mark.parametrize("path", ["/", "/accounts/email/", "/admin/", f"/checkpoints/{uuid.UUID(int=0)}/", "/nothing/"])
def test_a_page_says_so_and_tries_again_by_itself(away, path):
    page = check(away.get(path))
    assert refreshes(page) == ["5"]


def test_visitors_are_told_where_the_page_needs_it(db):
    visitor = Client(raise_request_exception=False)
    with connection.execute_wrapper(_refuse):
        assert visitor.get("/").status_code == 200
        check(visitor.post("/accounts/login/", {"login": "ada@example.com", "password": "x"}))


def test_an_action_is_not_sent_again_by_itself(away):
    page = check(away.post("/start/"))
    assert refreshes(page) == []
    assert "look whether what you sent was saved" in page.one(id="main").words


def test_what_needs_no_database_is_served(away):
    assert away.get("/healthz").status_code == 200


def test_a_failure_after_the_view_counts_as_well(browser, monkeypatch):
    """The session is saved by a middleware, when the view has answered."""
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.save", lambda *_, **__: _refuse(*"     "))
    monkeypatch.setattr(pages.access, "project", lambda request: request.session.__setitem__("a", 1))
    check(browser.get("/"))


def test_a_full_disk_is_called_so(browser, monkeypatch):
    def fill(*_):
        raise OperationalError(SECRET) from psycopg.errors.DiskFull(SECRET)

    with connection.execute_wrapper(fill):
        page = check(browser.get("/"))
    assert "The disk of the database server is full" in page.one(id="main").words


def test_it_is_one_line_in_the_log_without_what_the_driver_says(away, caplog):
    away.get("/")
    assert [record.getMessage() for record in caplog.records] == ["GET /: meta database away"]
    assert "Traceback" not in logging.Formatter().format(caplog.records[0])


def test_any_other_fault_stays_a_500(browser, monkeypatch):
    monkeypatch.setattr(pages.access, "project", lambda request: 1 / 0)
    assert browser.get("/").status_code == 500


def test_htmx_is_told_to_leave_the_page_as_it_is_and_to_show_the_banner(away):
    """By the header, as site.js knows: any other 503 comes with something to show. The rest is the browser's."""
    assert away.get("/", headers=HTMX)["Retry-After"] == "5"
    (line,) = [line for line in Page(Client().get("/")).all("p") if "data-outage" in line.attributes]
    assert "Nothing that was saved is lost" in line.words


def test_a_contact_for_which_there_is_no_room_is_refused_in_its_form_with_what_was_typed(owner, head, execute):
    execute(
        "CREATE FUNCTION full_up() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$"
    )
    execute("CREATE TRIGGER full_up BEFORE INSERT ON contacts EXECUTE FUNCTION full_up()")
    response = owner.post(
        f"/checkpoints/{head.pk}/contacts/", {"name": "Ada", "email": "ada@example.org"}, headers=HTMX
    )
    page = Page(response)
    assert response.status_code == 502
    assert page.alerts == ["The app database has no room left, so nothing was saved. Make room, then try again."]
    assert page.one("input", name="email")["value"] == "ada@example.org"
