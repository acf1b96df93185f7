"""Lists of branches, page by page, while the branches change."""

import base64
import json

import pytest

from neon.local import cursors
from tests.neon.local import plane


@pytest.fixture(scope="module")
def several(http):
    """A project with branches that only are looked at."""
    with plane.project(http) as made:
        for name in ("dev/ada", "dev/alan", "other"):
            made.branch(name, endpoint=False)
        yield made


def test_they_are_paged_and_the_cursor_comes_even_when_all_fit(several):
    whole = several.did("GET", "/branches", params={"sort_by": "name", "sort_order": "asc"})
    assert [row["name"] for row in whole["branches"]] == ["dev/ada", "dev/alan", "main", "other"]
    last = whole["branches"][-1]
    assert decoded(whole["pagination"].pop("next")) == {
        "branch_id": last["id"],
        "sort_by": "name",
        "sort_by_value": "other",
        "sort_order": "ASC",
    }
    assert whole["pagination"] == {"sort_by": "name", "sort_order": "ASC"}


def decoded(cursor):
    """Return what a cursor says, read as Neon's are."""
    return json.loads(base64.b64decode(cursor))


def pages(project, **query):
    """Yield the branches of page after page."""
    cursor = ""
    while (page := project.did("GET", "/branches", params={"limit": 2, "cursor": cursor, **query}))["branches"]:
        yield page["branches"]
        cursor = page["pagination"]["next"]
    assert "next" not in page["pagination"]


@pytest.mark.parametrize("sort_by", ["name", "created_at", "updated_at"])
@pytest.mark.parametrize("sort_order", ["asc", "desc"])
def test_all_pages_together_are_the_whole_list(several, sort_by, sort_order):
    sort = {"sort_by": sort_by, "sort_order": sort_order}
    seen = [row for page in pages(several, **sort) for row in page]
    assert seen == several.did("GET", "/branches", params=sort)["branches"]
    assert len(seen) == 4


@pytest.mark.parametrize("sort", [{}, {"sort_by": "name", "sort_order": "asc"}])
def test_whoever_deletes_what_each_page_lists_sees_all(project, sort):
    made = {project.branch(f"dev/{number}", endpoint=False)["id"] for number in range(5)}
    seen = []
    for page in pages(project, **sort):
        for row in page:
            seen.append(row["id"])
            if not row["default"]:
                project.did("DELETE", f"/branches/{row['id']}")
    assert sorted(seen) == sorted(made | {project.default["id"]})
    assert set(project.branches()) == {"main"}


def test_a_branch_that_is_touched_after_its_page_is_not_listed_again_and_hides_no_other(project):
    made = [project.branch(f"dev/{number}", endpoint=False)["id"] for number in range(3)]
    seen = []
    for page in pages(project):
        seen += [row["id"] for row in page]
        project.did("PATCH", f"/branches/{seen[-1]}", json={"branch": {"protected": False}})
    assert seen == [*reversed(made), project.default["id"]]


def test_a_cursor_of_the_longest_name_is_taken_back(project):
    project.branch("🐘" * 256, endpoint=False)
    seen = [row["name"] for page in pages(project, limit=1, sort_by="name") for row in page]
    assert seen == ["🐘" * 256, "main"]


SORT = {"sort_by": "created_at", "sort_order": "DESC"}


@pytest.mark.parametrize(
    "content",
    [
        [],
        "x",
        None,
        {},
        SORT,
        {**SORT, "branch_id": "br-a", "sort_by_value": "yesterday"},
        {**SORT, "branch_id": "br-a", "sort_by_value": 5},
        {**SORT, "branch_id": 5, "sort_by_value": "2026-01-01T00:00:00Z"},
        {**SORT, "branch_id": "br-a", "sort_by_value": "0001-01-01T00:00:00+14:00"},
        {**SORT, "branch_id": "br-a", "sort_by_value": "2026-01-01T00:00:00Z", "sort_order": "ASC"},
        {**SORT, "branch_id": "br-a", "sort_by_value": "2026-01-01T00:00:00Z", "sort_by": "updated_at"},
        {**SORT, "branch_id": "br-a", "sort_by_value": "main", "sort_by": "name"},
    ],
)
def test_a_cursor_that_was_not_given_for_this_order_is_refused(several, content):
    cursor = base64.b64encode(json.dumps(content).encode()).decode()
    answer = several.call("GET", "/branches", params={"sort_by": "created_at", "cursor": cursor})
    assert answer.status_code == 400
    assert "cursor" in answer.json()["message"]


@pytest.mark.parametrize("cursor", ["br-not-there-12345678", "e30", "é", "{}", "W" * 4000, "x" * (cursors.LENGTH + 1)])
def test_a_cursor_that_cannot_be_read_is_refused(several, cursor):
    assert several.call("GET", "/branches", params={"cursor": cursor}).status_code == 400
