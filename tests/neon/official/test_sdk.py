"""Neon's clients for JavaScript: projects, snapshots, restores with waiting, pages, refusals."""

import httpx
import pytest

PROJECTS = 27  # more than two of the pages that the SDK asks for


@pytest.fixture(scope="module")
def http(official):
    """Plain requests to the plane."""
    with httpx.Client(base_url=official.url, headers={"Authorization": f"Bearer {official.key}"}, timeout=30) as http:
        yield http


@pytest.fixture(scope="module")
def seen(patient):
    """What the SDK saw while it took a project through its life, each operation taking its time."""
    return patient.script("restore.mjs")


def test_a_restore_brings_the_rows_back_and_keeps_the_uri(seen):
    assert seen["changed"] == ["one", "two"]
    assert seen["restored"] == ["one"]
    assert len(set(seen["uris"])) == 1


def test_a_restore_gives_the_default_branch_a_new_id(seen):
    first, second, default = seen["defaults"]
    assert first != second == default


def test_a_preview_shows_the_snapshot_beside_the_live_data(seen):
    refused, taken = seen["previews"]
    for preview in (refused, taken):
        assert preview["preview"] == ["one"]
        assert preview["live"] == ["one", "other"]
        assert preview["status"] == "restored"
    assert (refused["after"], refused["isDefault"]) == (["one", "other"], False)
    assert (taken["after"], taken["isDefault"]) == (["one"], True)


def test_a_preview_that_is_refused_leaves_no_branch(seen):
    assert len(seen["branches"]) == 3
    assert sum("(old" in name for name in seen["branches"]) == 2


def test_all_operations_are_over_when_the_sdk_has_waited(seen):
    assert seen["statuses"] == ["finished"]
    assert seen["snapshots"] == []


def test_all_projects_come_page_by_page_and_each_once(official, http):
    names = sorted(f"paged-{number:02}" for number in range(PROJECTS))
    made = [http.post("projects", json={"project": {"name": name}}) for name in names]
    assert {answer.status_code for answer in made} == {201}
    got = official.script("pages.mjs", "paged-")
    assert got["all"] == got["streamed"] == got["paged"] == names
    assert (got["first"], got["ids"]) == (10, PROJECTS)


def test_refusals_are_what_the_sdk_takes_them_for(official, http):
    project_id = http.post("projects", json={"project": {"name": "refused"}}).json()["project"]["id"]
    got = official.script("refused.mjs", project_id)
    assert (got["unknown"]["kind"], got["unknown"]["status"]) == ("not_found", 404)
    assert (got["key"]["kind"], got["key"]["status"]) == ("auth", 401)
    assert (got["default"]["kind"], got["default"]["status"]) == ("api", 422)
    assert got["schedule"]["status"] == got["cloud"]["status"] == 501
    assert all(error["message"] and error["hasRequestId"] for error in got.values())
