"""The list of contacts: GET /checkpoints/<id>/?q=&since=&until=, and that no form or link loses them."""

from urllib.parse import urlencode

import pytest

from contacts import paging
from contacts.errors import Unavailable
from contacts.paging import SIZE
from tests.checkpoints.html import HTMX, Page

FOUND = HTMX | {"HX-Target": "found"}
BARBARA = {"name": "Barbara Liskov", "email": "barbara@example.com"}
ZED = {"name": "Zed Zulu", "email": "zed@example.com"}


@pytest.fixture
def url(head):
    return f"/checkpoints/{head.pk}/"


@pytest.fixture
def many(execute):
    """Two and a half pages of contacts: the three, and others after them."""
    execute(
        "INSERT INTO contacts (name, email)"
        " SELECT 'Person ' || lpad(n::text, 3, '0'), 'p' || n || '@example.org' FROM generate_series(1, %s) AS n",
        [2 * SIZE + SIZE // 2 - 3],
    )


def names(page):
    return [element.words for element in page.all("span", class_="name")]


def link(page, rel):
    return page.one("a", rel=rel)["href"]


def rows(page, verb):
    """The links of the rows that edit or delete."""
    return [element for element in page.all("a") if f"/{verb}/" in (element["href"] or "") and element["hx-get"]]


def from_page(address):
    """The headers with which htmx asks from there."""
    return HTMX | {"HX-Current-URL": f"http://testserver{address}"}


def test_a_short_list_has_neither_search_nor_pages(owner, url):
    page = Page(owner.get(url))
    assert len(names(page)) == 3
    assert not page.all(role="search")
    assert not page.all("nav", class_="pager")
    assert "?" not in page.one("form", id="add")["action"]


def test_pages_are_links(owner, url, many):
    first = Page(owner.get(url))
    assert names(first)[:4] == ["Ada Lovelace", "Alan Turing", "Grace Hopper", "Person 001"]
    assert len(names(first)) == SIZE
    assert not first.all("a", rel="prev")
    second = Page(owner.get(link(first, "next")))
    third = Page(owner.get(link(second, "next")))
    assert len({*names(first), *names(second), *names(third)}) == 2 * SIZE + SIZE // 2
    assert not third.all("a", rel="next")
    assert names(Page(owner.get(link(third, "prev")))) == names(second)


def test_a_search_is_a_form_that_keeps_what_was_typed(owner, url, many):
    form = Page(owner.get(url)).one("form", role="search")
    assert (form["action"], form["method"]) == (url, None)
    page = Page(owner.get(url, {"tab": "app", "q": "hop GRACE"}))
    assert names(page) == ["Grace Hopper"]
    assert page.one("input", name="q")["value"] == "hop GRACE"
    assert page.one("label", for_="search-q").words == "Search contacts"


def test_a_search_has_pages(owner, url, many):
    page = Page(owner.get(url, {"q": "person"}))
    assert len(names(page)) == SIZE
    assert "q=person" in link(page, "next")
    assert names(Page(owner.get(link(page, "next"))))[0] == f"Person {SIZE + 1:03}"


def test_what_is_not_found_is_said(owner, url):
    page = Page(owner.get(url, {"q": "<b>nobody"}))
    assert [element.words for element in page.all("p", class_="empty")] == ["No contact matches “<b>nobody”."]
    assert page.all(role="search")


def test_htmx_gets_what_was_found_alone(owner, url, many):
    response = owner.get(url, {"q": "grace"}, headers=FOUND)
    page = Page(response)
    assert page.elements[0]["id"] == "found"
    assert (response["HX-Retarget"], response["HX-Reswap"]) == ("#found", "outerHTML")
    assert page.one("span", **{"hx-swap-oob": "innerHTML:#matches"}).words == "1 contact found"
    assert not page.all(role="search")


def test_junk_in_the_address_is_left_out(owner, url):
    for junk in ("", "1", "x Ada", "9" * 400, "%", "\\", "'; DROP TABLE contacts; --", "a" * 5000):
        page = Page(owner.get(url, {"since": junk, "until": junk}))
        assert len(names(page)) == 3, junk
        response = owner.get(url, {"q": junk})
        assert response.status_code == 200, junk
        assert not Page(response).alerts, junk


def test_a_nul_is_refused(owner, url):
    assert owner.get(f"{url}?q=a%00b").status_code == 400


def test_a_database_that_is_down_is_said(owner, url, database_down):
    page = Page(owner.get(url, {"q": "ada"}, headers=FOUND))
    assert page.alerts == ["The app database does not answer right now. Try again in a moment."]


@pytest.mark.parametrize("with_htmx", [False, True], ids=["page", "htmx"])
def test_who_adds_a_contact_sees_it(owner, url, many, with_htmx):
    first = Page(owner.get(url))
    second = link(first, "next")

    def add(address, values):
        """Add from that page, and return what is then shown and where."""
        if with_htmx:
            response = owner.post(f"{url}contacts/", values, headers=from_page(address))
            return names(Page(response)), response.headers.get("HX-Replace-Url", address)
        where = Page(owner.get(address)).one("form", id="add")["action"]
        response = owner.post(where, values)
        return names(Page(owner.get(response["Location"]))), response["Location"]

    shown, address = add(url, BARBARA)
    assert shown[:3] == ["Ada Lovelace", "Alan Turing", "Barbara Liskov"]
    assert address == url
    shown, address = add(second, ZED)
    assert shown == ["Zed Zulu"]
    assert names(Page(owner.get(address))) == shown
    shown, address = add(f"{url}?q=person", {"name": "Person to be", "email": "p@example.com"})
    assert shown[0] == "Person to be"
    shown, _ = add(f"{url}?q=zulu", {"name": "Another Zulu", "email": "az@example.com"})
    assert shown == ["Another Zulu", "Zed Zulu"]


@pytest.mark.parametrize("headers", ["page", "htmx"])
def test_a_refused_contact_leaves_page_and_search_as_they_are(owner, url, many, headers):
    address = f"{url}?q=grace"
    if headers == "htmx":
        response = owner.post(f"{url}contacts/", {"name": "", "email": ""}, headers=from_page(address))
    else:
        response = owner.post(Page(owner.get(address)).one("form", id="add")["action"], {"name": "", "email": ""})
    page = Page(response)
    assert response.status_code == 422
    assert names(page) == ["Grace Hopper"]
    assert page.one("input", name="q")["value"] == "grace"


def test_without_htmx_a_row_s_pages_lead_back_to_where_it_was(owner, url, many):
    second = link(Page(owner.get(url)), "next")
    page = Page(owner.get(second))
    form = Page(owner.get(rows(page, "edit")[0]["href"]))
    assert names(Page(owner.get(form.one("a", class_="button")["href"]))) == names(page)
    response = owner.post(form.one("form", class_="contact-form")["action"], BARBARA | {"name": names(page)[0]})
    assert names(Page(owner.get(response["Location"]))) == names(page)
    question = Page(owner.get(rows(page, "delete")[0]["href"]))
    assert names(Page(owner.get(question.one("a", class_="button")["href"]))) == names(page)
    (form,) = (form for form in question.all("form") if "/delete/" in (form["action"] or ""))
    response = owner.post(form["action"])
    assert names(Page(owner.get(response["Location"])))[:-1] == names(page)[1:]


def test_with_htmx_a_deleted_contact_leaves_the_page_as_it_is(owner, url, many):
    second = link(Page(owner.get(url)), "next")
    page = Page(owner.get(second))
    response = owner.post(rows(page, "delete")[0]["hx-get"], headers=from_page(second))
    assert names(Page(response))[:-1] == names(page)[1:]
    assert "HX-Replace-Url" not in response.headers


def test_who_renames_a_contact_sees_it(owner, url, many):
    page = Page(owner.get(url))
    response = owner.post(rows(page, "edit")[0]["hx-get"], ZED, headers=from_page(url))
    assert names(Page(response)) == ["Zed Zulu"]
    assert names(Page(owner.get(response["HX-Replace-Url"]))) == ["Zed Zulu"]


def test_what_was_saved_is_said_to_be_saved_when_it_cannot_be_looked_for(owner, url, monkeypatch):
    def gone(*arguments):
        raise Unavailable("gone")

    monkeypatch.setattr(paging, "around", gone)
    assert owner.post(f"{url}contacts/", BARBARA, headers=HTMX).status_code == 200


def test_an_address_of_htmx_that_is_none_is_the_first_page(owner, url):
    for junk in ("", "http://[x", "//evil.example/?q=zzz", f"http://testserver/?{urlencode({'since': 'x'})}"):
        response = owner.post(f"{url}contacts/", {"name": ""}, headers=HTMX | {"HX-Current-URL": junk})
        assert len(names(Page(response))) == 3, junk
