"""The tabs of a checkpoint's page."""

import pytest

from tests.checkpoints.html import HTMX, TAB, Page


def url(checkpoint):
    return f"/checkpoints/{checkpoint.pk}/"


def current(page):
    """The tab that is open."""
    (link,) = [link for link in page.all("a") if link["aria-current"] == "page"]
    return link.words


def test_tabs_have_their_names_and_addresses(owner, head):
    page = Page(owner.get(url(head)))
    assert [(link.words, link["href"]) for link in page.all("a") if (link["id"] or "").startswith("tab-")] == [
        ("app", f"{url(head)}?tab=app"),
        ("meta db", f"{url(head)}?tab=meta"),
        ("contacts schema", f"{url(head)}?tab=schema"),
    ]


@pytest.mark.parametrize(("tab", "name"), [("app", "app"), ("meta", "meta db"), ("schema", "contacts schema")])
def test_a_tab_is_a_page(owner, head, tab, name):
    page = Page(owner.get(url(head), {"tab": tab}))
    assert page.is_whole
    assert current(page) == name


@pytest.mark.parametrize("tab", ["app", "meta", "schema"])
def test_htmx_gets_a_tab_as_a_fragment(owner, head, tab):
    response = owner.get(url(head), {"tab": tab}, headers=TAB)
    page = Page(response)
    assert page.elements[0]["id"] == "tab"
    assert not page.is_whole
    assert response["HX-Retarget"] == "#tab"
    assert response["HX-Reswap"] == "outerHTML"
    assert page.one("nav", class_="tabs")["hx-push-url"] == "true"


def test_htmx_that_wants_something_else_gets_the_page(owner, head):
    page = Page(owner.get(url(head), {"tab": "meta"}, headers=HTMX | {"HX-Target": "main"}))
    assert page.one("main")["class"] == "checkpoint"


def test_a_restored_history_entry_is_a_page(owner, head):
    headers = TAB | {"HX-History-Restore-Request": "true"}
    page = Page(owner.get(url(head), {"tab": "schema"}, headers=headers))
    assert page.is_whole
    assert current(page) == "contacts schema"


def test_junk_is_the_first_tab(owner, head):
    for junk in (b"", b"APP", b"nothing", b"../../etc", b"<script>", b"\xff", b"a" * 5000):
        assert current(Page(owner.get(url(head), {"tab": junk}))) == "app", junk


def test_two_tabs_are_one(owner, head):
    assert current(Page(owner.get(f"{url(head)}?tab=app&tab=meta"))) == "meta db"


def test_meta_db_lists_the_checkpoints(owner, moved):
    page = Page(owner.get(url(moved.second), {"tab": "meta"}))
    assert [cell.words for cell in page.all("th")] == [
        "version",
        "prompt",
        "label",
        "kind",
        "pinned",
        "snapshot_id",
        "parent",
        "created_at",
        "id",
    ]
    rows = [row.words for row in page.all("tr")][1:]
    assert [row[:2] for row in rows] == ["v2", "v1"]
    assert moved.second.snapshot_id in rows[0]
    assert str(moved.first.pk)[:8] in rows[0]


def test_meta_db_needs_no_app_database(owner, head, database_down):
    page = Page(owner.get(url(head), {"tab": "meta"}))
    assert page.alerts == []
    assert len(page.all("tr")) == 2


def test_the_schema_is_the_databases_own(owner, head, execute):
    execute("ALTER TABLE contacts ADD COLUMN shoe_size integer DEFAULT 42")
    page = Page(owner.get(url(head), {"tab": "schema"}))
    assert [row.words for row in page.all("tr")] == [
        "column type nullable default",
        "id uuid no gen_random_uuid()",
        "name text no \N{EN DASH}",
        "email text no \N{EN DASH}",
        "shoe_size integer yes 42",
    ]


def test_an_empty_database_has_no_tables(owner, head, execute):
    execute("DROP TABLE contacts")
    page = Page(owner.get(url(head), {"tab": "schema"}))
    assert "The database has no tables." in [element.words for element in page.all("p")]
    assert page.alerts == []


def test_a_database_that_is_down_is_said_in_the_tab(owner, head, database_down):
    response = owner.get(url(head), {"tab": "schema"}, headers=TAB)
    assert response.status_code == 200
    assert Page(response).alerts == ["The app database does not answer right now. Try again in a moment."]


@pytest.mark.parametrize("tab", ["app", "schema"])
def test_a_tab_the_database_is_not_at_offers_the_jump(owner, moved, tab):
    page = Page(owner.get(url(moved.first), {"tab": tab}, headers=TAB))
    assert "Jump to this checkpoint" in page.labels
    assert page.alerts == []


def test_the_meta_db_of_another_checkpoint_is_shown_as_ever(owner, moved):
    page = Page(owner.get(url(moved.first), {"tab": "meta"}, headers=TAB))
    assert len(page.all("tr")) == 3
    assert page.one("tr", class_="shown").words.startswith("v1")
