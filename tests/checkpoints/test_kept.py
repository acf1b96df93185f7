"""A checkpoint's page is rendered once, as long as all that it is made from is the same."""

import pytest
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.cache import caches
from django.http import HttpRequest
from django.test import Client
from django.test.signals import template_rendered

from checkpoints import kept, runs
from checkpoints.models import Checkpoint, Run
from tests.checkpoints.html import HTMX, Page


@pytest.fixture(autouse=True)
def nothing_kept():
    """No page is there yet."""
    caches["pages"].clear()


@pytest.fixture
def rendered():
    """The names of the templates that have been rendered."""
    names = []

    def note(sender, template, **signal):
        names.append(template.name)

    template_rendered.connect(note)
    yield names
    template_rendered.disconnect(note)


@pytest.fixture
def look(owner, head, rendered):
    """A function that looks at the page, and tells how it is and whether it was rendered for that."""

    def look(browser=owner, query="", **options):
        rendered.clear()
        answer = browser.get(f"{head.get_absolute_url()}{query}", **options)
        assert answer.status_code == 200
        return Page(answer), "checkpoint.html" in rendered

    return look


def words(page):
    return page.one("main").words


def test_what_is_the_same_is_rendered_once(look):
    first, is_fresh = look()
    again, is_fresh_again = look()
    assert (is_fresh, is_fresh_again) == (True, False)
    assert words(again) == words(first)
    assert [element.tag for element in again.elements] == [element.tag for element in first.elements]


def test_token_and_moment_are_new_in_each(look):
    def stand_ins(page):
        assert not {*kept.STAND_INS.values()} & {value for each in page.elements for value in each.attributes.values()}
        tokens = {element["value"] for element in page.all("input", name="csrfmiddlewaretoken")}
        moments = {element["value"] for element in page.all("input", name="seen")}
        (token,), (moment,) = tokens, moments
        assert token in page.one("body")["hx-headers"]
        return token, float(moment)

    (token, moment), (token_again, moment_again) = [stand_ins(look()[0]) for _ in range(2)]
    assert token != token_again
    assert moment < moment_again


def test_the_token_of_a_kept_page_is_taken(look, started, head):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(started)
    look(browser)
    page, is_fresh = look(browser)
    token = page.all("input", name="csrfmiddlewaretoken")[0]["value"]
    data = {"label": "The first one", "csrfmiddlewaretoken": token}
    assert not is_fresh
    assert browser.post(f"{head.get_absolute_url()}rename/", data).status_code == 302
    assert browser.post(f"{head.get_absolute_url()}rename/", {"label": "No token"}).status_code == 403


def rename_by_sql(head, execute):
    execute("UPDATE contacts SET name = 'Ada King' WHERE name LIKE 'Ada%'")
    return "Ada King"


def label(head, execute):
    Checkpoint.objects.filter(pk=head.pk).update(label="The first one")
    return "The first one"


def pin(head, execute):
    Checkpoint.objects.filter(pk=head.pk).update(pinned=True)
    return "pinned"


def grow(head, execute):
    Checkpoint.objects.create(project=head.project, parent=head, prompt="Add more", version="v2", snapshot_id="s")
    return "Add more"


def jump(head, execute):
    origin = Checkpoint.objects.create(project=head.project, parent=head, prompt="x", version="v2", snapshot_id="s")
    led = {"project": head.project, "origin": origin, "target": head, "result": head}
    Run.objects.create(owner=head.project.owner, kind="restore", status="succeeded", steps=[], **led)
    return "The last jump came from v2"


def drop(head, execute):
    execute("DROP TABLE contacts")
    return "table"


@pytest.mark.parametrize("change", [rename_by_sql, label, pin, grow, jump, drop])
def test_what_has_changed_anywhere_is_seen_at_once(look, head, execute, change):
    look()
    new = change(head, execute)
    page, is_fresh = look()
    assert is_fresh
    assert new in words(page)


def test_who_sees_it_belongs_to_the_page(look, started):
    look()
    User.objects.filter(pk=started.pk).update(email="ada@lovelace.example")
    page, is_fresh = look()
    assert is_fresh
    assert "ada@lovelace.example" in page.one("a", class_="account").words


def test_another_tab_is_another_page(look):
    look()
    page, is_fresh = look(query="?tab=schema")
    assert is_fresh
    assert "email" in words(page)


def test_a_page_that_tells_of_a_run_is_not_kept(look, started):
    run = runs.begin(owner=started, kind=Run.Kind.START)
    for _ in range(2):
        page, is_fresh = look()
        assert is_fresh
        assert "open" in page.one("dialog").attributes
    run.fail("No.")
    look()
    assert look()[1] is False


def test_a_message_is_said_once(look, owner):
    look()
    storage = CookieStorage(HttpRequest())
    owner.cookies[storage.cookie_name] = storage._encode([Message(messages.SUCCESS, "Saved.")])
    page, is_fresh = look()
    assert is_fresh
    assert "Saved." in page.one("ul", class_="messages").words
    page, is_fresh = look()
    assert not is_fresh
    assert page.all("ul", class_="messages") == []


def test_what_htmx_asks_for_is_not_kept(look):
    assert look(headers=HTMX)[1]
    whole, is_fresh = look()
    assert is_fresh
    assert whole.is_whole
    part, is_fresh = look(headers=HTMX)
    assert is_fresh
    assert not part.is_whole
