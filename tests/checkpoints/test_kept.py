"""A checkpoint's page is made once, as long as all that it is made from is the same."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.test import Client
from django.test.signals import template_rendered
from django.utils import timezone

import contacts.db
from checkpoints import kept, runs
from checkpoints.models import Checkpoint, Project, Run
from contacts.errors import Unavailable
from tests.checkpoints.html import HTMX, Page


@pytest.fixture(autouse=True)
def nothing_kept():
    """No page is there yet."""
    kept.forget()


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
    assert (look()[1], look()[1]) == (True, False)
    new = change(head, execute)
    page, is_fresh = look()
    assert is_fresh
    assert new in words(page)


@pytest.fixture
def jumped(head):
    """A jump that has led to the head, from a checkpoint that is there as well."""
    jump(head, None)
    return Run.objects.get(kind="restore")


def go_elsewhere(run):
    Project.objects.update(head=run.origin)
    return "The database is at v2"


def note_trouble(run):
    Run.objects.update(state={"trouble": "Neon is out of order."})
    return "Neon is out of order."


def save(run):
    Run.objects.update(saved=run.origin, state={"saved": True})
    return "what had changed there is kept"


def begin(run):
    runs.begin(owner=run.owner, kind=Run.Kind.START)
    return "Waiting for its turn"


@pytest.mark.parametrize("change", [go_elsewhere, note_trouble, save, begin])
def test_what_has_changed_in_one_row_alone_is_seen_at_once(look, jumped, change):
    assert (look()[1], look()[1]) == (True, False)
    new = change(jumped)
    page, is_fresh = look()
    assert is_fresh
    assert new in words(page)


def test_a_checkpoint_that_is_gone_is_not_shown(look, jumped):
    assert (look()[1], look()[1]) == (True, False)
    Run.objects.update(origin=None)
    assert look()[1]
    Checkpoint.objects.filter(pk=jumped.origin_id).delete()
    page, is_fresh = look()
    assert is_fresh
    assert len(page.all(class_="place")) == 1


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


def log_out(started, monkeypatch):
    Session.objects.all().delete()  # as if the cookie had been copied before


def expire(started, monkeypatch):
    later = timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE)
    monkeypatch.setattr(timezone, "now", lambda: later)


def change_password(started, monkeypatch):
    started.set_password("another one")
    started.save()


def deactivate(started, monkeypatch):
    User.objects.filter(pk=started.pk).update(is_active=False)


@pytest.mark.parametrize("change", [log_out, expire, change_password, deactivate])
def test_it_is_shown_to_nobody_who_is_not_signed_in_any_more(look, owner, started, head, monkeypatch, change):
    assert (look()[1], look()[1]) == (True, False)
    change(started, monkeypatch)
    assert owner.get(head.get_absolute_url()).status_code == 302


def test_it_is_shown_in_no_other_session(look, started, head, django_user_model):
    look()
    assert Client().get(head.get_absolute_url()).status_code == 302
    stranger = Client()
    stranger.force_login(django_user_model.objects.create_user("eve"))
    assert stranger.get(head.get_absolute_url()).status_code == 404


def test_who_signs_in_anew_in_the_same_browser_sees_what_is_theirs(look, owner, head, django_user_model):
    look()
    owner.force_login(django_user_model.objects.create_user("eve"))
    assert owner.get(head.get_absolute_url()).status_code == 404


@pytest.mark.parametrize(("tab", "reads"), [("app", 1), ("meta", 0), ("schema", 1)])
def test_it_costs_one_query_and_what_it_shows_of_the_app_database(
    look, head, monkeypatch, django_assert_num_queries, tab, reads
):
    look(query=f"?tab={tab}")
    asked = count_reads(monkeypatch)
    with django_assert_num_queries(1):
        _, is_fresh = look(query=f"?tab={tab}")
    assert not is_fresh
    assert asked == [head.project.database_url] * reads


def test_what_has_changed_is_read_once_as_well(look, head, execute, monkeypatch):
    look()
    rename_by_sql(head, execute)
    asked = count_reads(monkeypatch)
    _, is_fresh = look()
    assert is_fresh
    assert asked == [head.project.database_url]


def count_reads(monkeypatch):
    """Return a list that gets the address of each app database that is read."""
    read, asked = contacts.db.read, []

    def note(uri, work):
        asked.append(uri)
        return read(uri, work)

    monkeypatch.setattr(contacts.db, "read", note)
    return asked


def test_it_has_the_headers_of_any_page(owner, head, look):
    made, kept_one = [owner.get(head.get_absolute_url()) for _ in range(2)]
    assert look()[1] is False
    assert {**kept_one.headers, "Content-Length": ""} == {**made.headers, "Content-Length": ""}
    assert kept_one.cookies.keys() == made.cookies.keys()


def test_the_log_knows_who_has_seen_it(look, started, caplog):
    look()
    with caplog.at_level("INFO", logger="config.requests"):
        _, is_fresh = look()
    assert not is_fresh
    assert caplog.records[-1].user_id == started.pk


def test_while_the_app_database_is_away_the_page_says_so(look, monkeypatch):
    def fail(uri, work):
        raise Unavailable("cannot connect")

    look()
    with monkeypatch.context() as away:
        away.setattr(contacts.db, "read", fail)
        for _ in range(2):
            page, is_fresh = look()
            assert is_fresh
            assert Unavailable.sentence in page.one("main").words
    assert (look()[1], look()[1]) == (True, False)


def test_once_the_database_is_elsewhere_it_shows_nothing_of_it(look, head, execute):
    look()
    other = Checkpoint.objects.create(project=head.project, parent=head, prompt="x", version="v2", snapshot_id="s")
    Project.objects.filter(pk=head.project_id).update(head=other)
    execute("DROP TABLE contacts")
    for is_first in (True, False):
        page, is_fresh = look()
        assert is_fresh == is_first
        assert "The database is at v2" in words(page)


def test_what_is_written_while_it_is_made_is_seen_the_next_time(look, head, monkeypatch):
    timeline = Project.timeline

    def pinned_meanwhile(project, *also, before=None):
        found = timeline(project, *also, before=before)
        Checkpoint.objects.filter(pk=head.pk).update(pinned=True)
        return found

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Project, "timeline", pinned_meanwhile)
        assert "pinned" not in words(look()[0])
    page, is_fresh = look()
    assert is_fresh
    assert "pinned" in words(page)
