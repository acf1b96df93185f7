"""What a run says while it waits for a worker."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from checkpoints import runs, tasks
from checkpoints.models import Run
from tests.checkpoints.html import HTMX, Page

NO_WORKER = "No worker is running. The action starts as soon as one does."


@pytest.fixture
def run(user):
    """A start that nobody has taken yet."""
    return runs.begin(owner=user, kind=Run.Kind.START)


@pytest.fixture
def said(user, client_of, impatient):
    """A function that returns what the page of a run says about its waiting."""
    browser = client_of(user)
    return lambda run: [p.words for p in Page(browser.get(f"/runs/{run.pk}/", headers=HTMX)).all("p", class_="notice")]


@pytest.fixture
def others(db):
    """A function that lets so many others queue a start."""

    def queue(count):
        users = [User.objects.create_user(f"other-{number}") for number in range(count)]
        return [runs.begin(owner=each, kind=Run.Kind.START) for each in users]

    return queue


def employ(*, heard_of):
    """Let a worker be there that was last heard of so long ago."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (%s)", [timezone.now() - heard_of])


def long_ago(*waiting):
    """Let runs have waited for longer than a worker takes."""
    Run.objects.filter(pk__in=[run.pk for run in waiting]).update(created_at=timezone.now() - timedelta(seconds=4))


def test_it_says_for_how_many_others_it_waits(others, user, said):
    before = others(3)
    run = runs.begin(owner=user, kind=Run.Kind.START)
    assert said(run) == ["Waiting for its turn: 3 other actions first."]
    before[0].begin()
    before[1].fail("No.")
    assert said(run) == ["Waiting for its turn: 1 other action first."]
    before[2].begin()
    assert said(run) == ["Waiting for its turn: it is next."]


def test_those_who_come_later_do_not_count(run, others, said):
    others(2)
    assert said(run) == ["Waiting for its turn: it is next."]


def test_a_run_at_work_does_not_say_that_it_waits(others, run, said):
    others(1)
    run.begin()
    assert said(run) == []


def test_where_no_worker_is_it_says_that_instead(others, user, said):
    before = others(2)
    run = runs.begin(owner=user, kind=Run.Kind.START)
    long_ago(*before, run)
    assert said(run) == [NO_WORKER]
    employ(heard_of=timedelta(minutes=1))  # and killed since
    assert said(run) == [NO_WORKER]


def test_where_a_worker_is_there_it_waits_for_its_turn(run, said):
    long_ago(run)
    employ(heard_of=timedelta(seconds=5))
    assert said(run) == ["Waiting for its turn: it is next."]


def test_its_place_costs_one_query(others, run, django_assert_num_queries):
    others(5)
    with django_assert_num_queries(1):
        assert run.place == 0


def test_upkeep_comes_before_the_runs_that_wait(others):
    others(2)
    tasks.upkeep.defer(timestamp=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name FROM procrastinate_fetch_job_v2(NULL, NULL)")
        assert cursor.fetchone() == ("checkpoints.tasks.upkeep",)
