"""A click that comes when an earlier one on the same button has been done already: it belongs to that one."""

import time

import pytest

from checkpoints.models import Run
from tests.checkpoints import flows
from tests.checkpoints.html import Page


def restore(browser, checkpoint, seen):
    return browser.post(f"/checkpoints/{checkpoint.pk}/restore/", {"seen": seen})["Location"]


@pytest.fixture
def seen():
    """When the page was made."""
    return time.time()


def test_it_is_shown_what_the_first_one_led_to(owner, grown, seen, working):
    first = restore(owner, grown.first, seen)
    assert restore(owner, grown.first, seen) == first
    assert Run.objects.filter(kind="restore").count() == 1


def test_a_click_on_a_newer_page_begins_another_run(owner, grown, seen, working):
    first = restore(owner, grown.first, seen)
    assert restore(owner, grown.first, time.time()) != first


@pytest.mark.parametrize("nonsense", ["", "x", "nan", "-1", "1e999", "99999999999999999999", "\x00"])
def test_a_click_that_does_not_say_when_begins_another_run(owner, grown, working, nonsense):
    first = restore(owner, grown.first, nonsense)
    assert restore(owner, grown.first, nonsense) != first


def test_where_the_database_has_moved_on_it_begins_another_run(owner, grown, seen, working, project):
    first = restore(owner, grown.first, seen)
    restore(owner, grown.second, seen)
    assert restore(owner, grown.first, seen) != first
    project.refresh_from_db()
    assert project.head == grown.first


def test_a_failed_run_is_not_what_somebody_clicked_for(owner, head, seen, working):
    snapshot_id, head.snapshot_id = head.snapshot_id, "snap-lost"
    head.save()
    first = restore(owner, head, seen)
    head.snapshot_id = snapshot_id
    head.save()
    assert restore(owner, head, seen) != first


def test_a_late_undo_does_not_undo_the_undo(owner, grown, seen, working):
    jump = flows.restore(grown.first)
    undo = owner.post(f"/runs/{jump.pk}/undo/", {"seen": seen})["Location"]
    assert owner.post(f"/runs/{jump.pk}/undo/", {"seen": seen})["Location"] == undo


def test_a_late_start_does_not_ask_whether_to_start_again(user, client_of, seen, working):
    browser = client_of(user)
    first = browser.post("/start/", {"seen": seen})["Location"]
    assert browser.post("/start/", {"seen": seen})["Location"] == first


def test_a_start_asks_as_soon_as_something_was_done(owner, head, seen, working):
    flows.advance(head)
    assert "Delete and start again" in Page(owner.post("/start/", {"seen": 0})).labels


def test_every_button_that_begins_a_run_says_when_its_page_was_made(owner, grown):
    page = owner.get(f"/checkpoints/{grown.second.pk}/").content.decode()
    for button in ("restore/", "advance/"):
        for form in page.split("<form ")[1:]:
            if f'{button}"' in form.partition(">")[0]:
                assert 'name="seen"' in form.partition("</form>")[0]
    assert page.count('name="seen"') >= 3
