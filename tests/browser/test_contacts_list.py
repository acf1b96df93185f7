"""A long list of contacts: pages, and a search as one types."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from contacts.paging import SIZE
from tests.browser.servers import Demo
from tests.browser.user import User

pytestmark = pytest.mark.browser
FILL = (
    "INSERT INTO contacts (name, email) SELECT 'Person ' || lpad(n::text, 3, '0'), 'p' || n || '@example.org'"
    f" FROM generate_series(1, {2 * SIZE}) AS n"
)


def test_one_finds_a_contact_as_one_types_and_edits_it_there(demo: Demo, user: User) -> None:
    page, rows = user.page, user.page.locator("#contacts .contact")
    expect(page.get_by_role("search")).to_have_count(0)
    demo.psql(FILL)
    page.reload()
    search = page.get_by_label("Search contacts")
    expect(rows).to_have_count(SIZE)
    add = page.get_by_role("form", name="Add contact").get_by_label("Name")
    add.fill("typed before")

    search.press_sequentially("person 042", delay=30)
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?tab=app&q=person%20042$"))
    expect(search).to_be_focused()
    expect(search).to_have_value("person 042")
    expect(add).to_have_value("typed before")
    expect(page.get_by_role("status").filter(has_text="1 contact found")).to_have_count(1)

    user.edit_contact("Person 042", email="moved@example.org")
    expect(user.row("moved@example.org")).to_be_visible()
    expect(rows).to_have_count(1)
    expect(search).to_have_value("person 042")
    search.fill("nobody at all")
    expect(page.get_by_text("No contact matches “nobody at all”.")).to_be_visible()
    search.fill("")
    expect(rows).to_have_count(SIZE)

    page.get_by_role("link", name="Next", exact=True).click()
    expect(user.row(f"Person {SIZE:03}")).to_be_visible()
    expect(page.locator("#found")).to_be_focused()
    user.delete_contact(f"Person {SIZE:03}")
    expect(user.row(f"Person {SIZE + 1:03}")).to_be_visible()
    page.reload()
    expect(user.row(f"Person {SIZE + 1:03}")).to_be_visible()
    page.go_back()
    expect(user.row("Ada Lovelace")).to_be_visible()


def test_pages_and_search_work_without_javascript(demo: Demo, visit: Callable[..., User]) -> None:
    user = visit(demo, java_script_enabled=False)
    user.sign_up()
    user.start_demo()
    demo.psql(FILL)
    user.page.reload()
    user.page.get_by_role("link", name="Next", exact=True).click()
    user.edit_contact("Person 040", email="moved@example.org")
    expect(user.row("moved@example.org")).to_be_visible()
    user.page.get_by_role("link", name="Previous", exact=True).click()
    expect(user.row("Ada Lovelace")).to_be_visible()
    user.page.get_by_label("Search contacts").fill("hopper")
    user.press("Search")
    expect(user.page.locator("#contacts .contact")).to_have_count(1)
    user.delete_contact("Grace Hopper")
    expect(user.page.get_by_text("No contact matches “hopper”.")).to_be_visible()
