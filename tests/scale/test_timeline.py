"""The timeline of a project with a thousand checkpoints: the newest at once, all others on demand."""

import re
from math import ceil

import pytest

from checkpoints.models import Project
from checkpoints.models.timeline import SHOWN
from tests.checkpoints.html import HTMX, Page
from tests.scale.sites import compare, is_within_twice, readings

pytestmark = pytest.mark.scale

SHAPES = {"a line with forks": 1, "all made from one": 2, "forks of forks": 3}
TIMELINE = HTMX | {"HX-Target": "timeline"}


@pytest.fixture(params=SHAPES)
def large(request, full):
    """A project with a thousand checkpoints, and a function that looks at a page of its head."""
    number = SHAPES[request.param]
    with full.visited():
        project = Project.objects.get(neon_project_id=f"calm-sea-{number}")
        browser = full.browser(f"user-{number}@example.com")

    def look(query="", headers=None, checkpoint=project.head_id):
        response = browser.get(f"/checkpoints/{checkpoint}/{query}", headers=headers)
        assert response.status_code == 200
        return response

    return project, look


def shown(response):
    """Return the prompts in a timeline, and the address of earlier ones."""
    page = Page(response)
    names = [int(re.search(r"Prompt (\d+)", place.words)[1]) for place in page.all(class_="place")]
    links = page.all("a", id="earlier")
    return names, links[0]["href"].partition("/?")[2] if links else None


@pytest.fixture
def times(small, full, large):
    """A function that returns how long a tab takes with three checkpoints, and with a thousand."""
    with small.visited():
        head = Project.objects.first().head_id

    def times(tab):
        return compare(
            small,
            full,
            lambda site: site.browser("ada@example.com").get(f"/checkpoints/{head}/?tab={tab}"),
            full_act=lambda site: large[1](f"?tab={tab}"),
        )

    return times


@pytest.mark.parametrize("tab", ["app", "meta", "schema"])
def test_it_takes_at_most_twice_as_long_as_with_three(times, made_anew, tab):
    seconds = times(tab)
    assert is_within_twice(seconds), seconds


def test_kept_it_takes_at_most_twice_as_long_as_with_three(times):
    seconds = times("meta")
    assert is_within_twice(seconds), seconds


def test_the_newest_are_shown_and_the_head(full, large):
    with full.visited():
        names, earlier = shown(large[1]())
    assert set(range(1001 - SHOWN, 1001)) == set(names)
    assert earlier


def test_one_after_the_other_all_are_shown(full, large):
    _, look = large
    with full.visited():
        seen, earlier = shown(look())
        count = 1
        while earlier:
            names, earlier = shown(look(f"?{earlier}", TIMELINE))
            assert 1000 in names  # the head, wherever it is
            assert len(names) <= SHOWN + 1
            seen += names
            count += 1
    assert count == ceil(1000 / SHOWN)
    assert set(seen) == set(range(1, 1001))
    assert len(seen) == 1000 + count - 1


@pytest.mark.parametrize("query", ["", "?tab=meta"])
def test_it_reads_few_rows(full, large, query):
    with full.visited():
        read = readings(lambda: large[1](query))
    assert sum(each.rows for each in read) < 4 * SHOWN, read


def test_earlier_ones_read_at_most_what_is_the_projects_own(full, large):
    project, look = large
    with full.visited():
        middle = project.checkpoints.order_by("created_at")[500]
        read = readings(lambda: look(f"?before={middle.pk}"))
    assert sum(each.rows for each in read) < 500 + 4 * SHOWN, read


def test_the_oldest_is_shown_with_the_newest(full, large):
    project, look = large
    with full.visited():
        oldest = project.checkpoints.order_by("created_at").first()
        names, _ = shown(look(checkpoint=oldest.pk))
    assert set(names) == {1, *range(1001 - SHOWN, 1001)}
