"""The pages of one who has three checkpoints: as quick beside ten thousand others, and with as many queries."""

import json

import pytest
from django.db import connection
from django.utils import timezone

from checkpoints import kept
from checkpoints.models import Project, Run
from tests.scale.sites import compare, is_within_twice, readings

pytestmark = pytest.mark.scale

PAGES = {
    "home": "/",
    "head": "/checkpoints/{head}/",
    "meta db": "/checkpoints/{head}/?tab=meta",
    "schema": "/checkpoints/{head}/?tab=schema",
    "another checkpoint": "/checkpoints/{parent}/",
    "what has changed": "/checkpoints/{head}/changes/",
    "deletion": "/checkpoints/{parent}/delete/",
    "no room": "/runs/{run}/",
}


@pytest.fixture
def look(small):
    """A function that returns what lets Ada look at a page."""
    with small.visited():
        project = Project.objects.select_related("head").first()
        failed = Run.objects.get(project=project, status="failed")

    def act(name):
        path = PAGES[name].format(head=project.head_id, parent=project.head.parent_id, run=failed.pk)
        return lambda site: site.browser("ada@example.com").get(path)

    return act


@pytest.mark.parametrize("name", PAGES)
def test_a_page_takes_at_most_twice_as_long(small, full, look, made_anew, name):
    seconds = compare(small, full, look(name))
    assert is_within_twice(seconds), seconds


@pytest.mark.parametrize("name", ["head", "meta db", "schema", "another checkpoint"])
def test_a_page_that_is_kept_takes_at_most_twice_as_long(small, full, look, name):
    seconds = compare(small, full, look(name))
    assert is_within_twice(seconds), seconds


@pytest.mark.parametrize(("neon_project", "most"), [("calm-sea-9", 40), ("calm-sea-1", 100)])
def test_whether_it_is_the_same_is_found_in_few_blocks(full, neon_project, most):
    with full.visited(), connection.cursor() as cursor:
        session = full.browser("ada@example.com").session.session_key
        project = Project.objects.get(neon_project_id=neon_project)
        parameters = [project.head_id, session, timezone.now()]
        for _ in range(2):  # the first one plans
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {kept.VERSIONS}", parameters)
            [(plan,)] = cursor.fetchall()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    blocks = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    assert 10 < blocks < most, (blocks, plan)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_as_often_and_reads_as_much(small, full, look, made_anew, name):
    counts = []
    for site in (small, full):
        with site.visited():
            response = look(name)(site)
            assert response.status_code == 200
            read = readings(lambda: look(name)(site))  # noqa: B023
            counts.append(len(read))
    assert sum(each.rows for each in read) < 50, read
    assert counts[0] == counts[1] <= 10


def test_a_start_reads_few_rows(full):
    with full.visited():
        read = readings(lambda: full.browser("ada@example.com").post("/start/", {"seen": "1"}))
    assert sum(each.rows for each in read) < 50, read
