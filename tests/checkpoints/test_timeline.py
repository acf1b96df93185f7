"""The timeline and the meta db of a project with more checkpoints than are shown at once."""

import pytest

from checkpoints.models import Checkpoint
from checkpoints.models.timeline import SHOWN
from tests.checkpoints.html import HTMX, TAB, Page

TIMELINE = HTMX | {"HX-Target": "timeline"}


@pytest.fixture
def line(project, head):
    """A line of twice as many checkpoints as are shown at once, and one, the first of which is the head."""
    made = [head]
    for number in range(1, 2 * SHOWN + 1):
        made.append(
            Checkpoint.objects.create(
                project=project, parent=made[-1], prompt=f"Prompt {number}", version="v2", snapshot_id=f"snap-{number}"
            )
        )
    return made


def url(checkpoint):
    return f"/checkpoints/{checkpoint.pk}/"


def places(page):
    """What the timeline shows."""
    return [place.words for place in page.all("span", class_="what")]


def titles(checkpoints):
    return [checkpoint.title for checkpoint in checkpoints]


def test_a_small_project_is_shown_whole(owner, grown):
    for tab in ("app", "meta"):
        page = Page(owner.get(url(grown.second), {"tab": tab}))
        assert not [label for label in page.labels if label.startswith("Show")]
        assert not page.all("li", class_="entry cut")


def test_the_newest_are_shown_and_where_one_is_and_the_head(owner, line):
    page = Page(owner.get(url(line[2])))
    assert places(page) == titles([line[0], line[2], *line[-SHOWN:]])
    assert ["cut" in entry["class"].split() for entry in page.all("li") if entry["class"]] == (
        [False, True, True] + [False] * (SHOWN - 1)  # the rail begins anew where what is between is not shown
    )
    assert "Show the newest checkpoints" not in page.labels


@pytest.mark.parametrize("headers", [None, TIMELINE])
def test_earlier_ones_are_shown_on_demand_with_and_without_htmx(owner, line, headers):
    first = Page(owner.get(url(line[0]), {"tab": "schema"}))
    link = first.one(id="earlier")
    assert link["href"] == link["hx-get"] == f"{url(line[0])}?tab=schema&before={line[-SHOWN].pk}"
    page = Page(owner.get(link["href"], headers=headers))
    assert page.is_whole is (headers is None)
    assert places(page) == titles([line[0], *line[1 : SHOWN + 1]])
    page = Page(owner.get(page.one(id="earlier")["href"], headers=headers))
    assert places(page) == titles(line[:1])
    assert not page.all(id="earlier")
    newest = page.one(id="newest")["href"]
    assert newest == f"{url(line[0])}?tab=schema"
    assert places(Page(owner.get(newest, headers=headers))) == places(first)


def test_htmx_gets_the_timeline_alone_and_no_database_is_asked(owner, line, database_down):
    response = owner.get(url(line[0]), {"before": line[5].pk}, headers=TIMELINE)
    page = Page(response)
    assert page.elements[0]["id"] == "timeline"
    assert page.alerts == []
    assert (response["HX-Retarget"], response["HX-Reswap"]) == ("#timeline", "outerHTML")


def test_a_restored_history_entry_is_a_page(owner, line):
    headers = TIMELINE | {"HX-History-Restore-Request": "true"}
    assert Page(owner.get(url(line[0]), {"before": line[5].pk}, headers=headers)).is_whole


@pytest.mark.parametrize("headers", [None, TAB])
def test_the_meta_db_lists_so_many_and_earlier_ones_on_demand(owner, line, headers):
    def listed(page):
        return [cell.words for cell in page.all("td", class_="wide")]

    page = Page(owner.get(url(line[0]), {"tab": "meta"}, headers=headers))
    assert listed(page) == titles(line[: -SHOWN - 1 : -1])
    page = Page(owner.get(page.one(id="earlier-rows")["href"], headers=headers))
    assert listed(page) == titles(line[SHOWN:0:-1])
    assert page.one(id="tab-meta")["aria-current"] == "page"
    page = Page(owner.get(page.one(id="earlier-rows")["href"], headers=headers))
    assert listed(page) == titles(line[:1])
    assert not page.all(id="earlier-rows")
    assert page.one(id="newest-rows")["href"] == f"{url(line[0])}?tab=meta"


@pytest.mark.parametrize("junk", ["x", "", "\x7f", "1" * 5000])
def test_before_junk_are_the_newest(owner, line, junk):
    assert places(Page(owner.get(url(line[0]), {"before": junk})))[1:] == titles(line[-SHOWN:])
