"""The admin's lists and searches: as quick with hundreds of thousands of rows, of which they read few."""

import pytest

from checkpoints import listing
from tests.scale.sites import compare, is_within_twice, readings

pytestmark = pytest.mark.scale

LISTS = ["checkpoints/project/", "checkpoints/checkpoint/", "checkpoints/run/", "auth/user/", "account/emailaddress/"]
# Who is found, is found at both sites; each has some rows of their own.
SEARCHES = [f"{path}?q={term}" for path in LISTS for term in ("user-9980", "user-99", "nobody")]
IDS = [
    "checkpoints/project/?q=calm-sea-9980",
    "checkpoints/checkpoint/?q=calm-sea-9980",
    "checkpoints/checkpoint/?q=snap-9980-7",
    "checkpoints/run/?q=calm-sea-9980",
    "checkpoints/run/?q=01234567",
]
SINCE = "created_at__gte=2000-01-01%2000%3A00%3A00%2B00%3A00"
FILTERS = [
    "checkpoints/run/?status__exact=failed",
    "checkpoints/run/?status__exact=running",
    f"checkpoints/run/?status__exact=succeeded&{SINCE}",
    f"checkpoints/checkpoint/?{SINCE}",
    "checkpoints/run/?o=9",
    "checkpoints/run/?p=40",
]
# Counted once, and then a page of rows with all that they refer to.
READ = listing.LISTED + 2 * listing.USERS * 60 + 25 * 40


def look(path):
    """Return what lets the one who runs the site look at a page of the admin."""

    def act(site):
        response = site.browser("root").get(f"/admin/{path}")
        assert response.status_code == 200, path
        return response

    return act


@pytest.mark.parametrize("path", [*LISTS, *SEARCHES[1::3], *IDS[1:3], *FILTERS[:3]])
def test_a_list_takes_at_most_twice_as_long(small, full, path):
    seconds = compare(small, full, look(path))
    assert is_within_twice(seconds), seconds


@pytest.mark.parametrize("path", [*LISTS, *SEARCHES, *IDS, *FILTERS])
def test_a_list_reads_few_rows(full, path):
    with full.visited():
        read = readings(lambda: look(path)(full))
    assert sum(each.rows for each in read) < READ, read


@pytest.mark.parametrize(
    ("path", "count"),
    [("checkpoints/run/", 1000), ("checkpoints/run/?q=user-9980", 60), ("checkpoints/checkpoint/?q=calm-sea-9980", 30)],
)
def test_a_list_is_paged_as_far_as_is_said(full, path, count):
    with full.visited():
        assert look(path)(full).context["cl"].result_count == count


def test_a_project_shows_its_newest_checkpoints_and_leads_to_the_others(full):
    with full.visited():
        found = look("checkpoints/project/?q=calm-sea-1")(full).context["cl"].result_list[0]
        page = look(f"checkpoints/project/{found.pk}/change/")
        read = readings(lambda: page(full))
        text = page(full).content.decode()
        everything = look(f"checkpoints/checkpoint/?project={found.pk}")(full)
    assert text.count("snap-1-") == 25
    assert "All 1000" in text
    assert everything.context["cl"].result_count == 1000
    assert sum(each.rows for each in read) < 1100 + 100
