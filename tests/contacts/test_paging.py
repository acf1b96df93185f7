"""Pages of the list, and what a search finds."""

import itertools
import re
import uuid
from urllib.parse import parse_qsl

import pytest

from contacts import paging, queries, schema
from contacts.types import Place, Wanted
from contacts.versions import FIRST, VERSIONS, get
from tests.contacts.everybody import everybody
from tests.contacts.plans import plan

SIZE = paging.SIZE
FILL = """
    INSERT INTO contacts (name, email)
    SELECT 'Person ' || lpad(n::text, 4, '0'), 'person' || n || '@example.org' FROM generate_series(1, %s) AS n
"""


@pytest.fixture
def many(uri, execute):
    """The names of two and a half pages of contacts, in their order."""
    execute(FILL, [2 * SIZE + SIZE // 2 - 3])
    return [contact.name for contact in everybody(uri, FIRST)]


@pytest.fixture
def at_v3(uri, execute):
    """The version, with four contacts that have something in every field."""
    for version in VERSIONS[1:]:
        schema.apply(uri, version)
    execute("INSERT INTO contacts (name, email, tags) VALUES ('Zoë O''Neill-Öz', 'zoe_oz+x@mail.test', '{to do,50%}')")
    return VERSIONS[-1]


def names(page):
    return [contact.name for contact in page.contacts]


def found(uri, version, search):
    return names(paging.read(uri, version, Wanted(search)))


def test_a_short_list_is_one_page(uri):
    page = paging.read(uri, FIRST)
    assert names(page) == ["Ada Lovelace", "Alan Turing", "Grace Hopper"]
    assert (page.previous, page.next) == (None, None)


def test_a_full_page_without_another_contact_has_no_next(uri, execute):
    execute(FILL, [SIZE - 3])
    page = paging.read(uri, FIRST)
    assert (len(page.contacts), page.next) == (SIZE, None)


def test_onwards_and_back_are_the_same_pages(uri, many):
    first = paging.read(uri, FIRST)
    second = paging.read(uri, FIRST, first.next)
    third = paging.read(uri, FIRST, second.next)
    assert (names(first), names(second), names(third)) == (
        many[:SIZE],
        many[SIZE : 2 * SIZE],
        many[2 * SIZE :],
    )
    assert third.next is None
    again = paging.read(uri, FIRST, third.previous)
    assert (names(again), again.next) == (names(second), second.next)
    begin = paging.read(uri, FIRST, again.previous)
    assert (names(begin), begin.previous) == (names(first), None)


@pytest.mark.parametrize("indexed", [True, False])
def test_of_equal_names_none_is_left_out(uri, execute, indexed):
    if not indexed:  # else the order might be the index's, not ours
        execute("DROP INDEX contacts_in_order")
    count = 2 * SIZE + 1
    execute(
        "INSERT INTO contacts (name, email)"
        " SELECT CASE n %% 2 WHEN 0 THEN 'Same' ELSE 'same' END, n || '@example.org' FROM generate_series(1, %s) AS n",
        [count],
    )
    onwards = everybody(uri, FIRST)
    assert len({contact.id for contact in onwards}) == len(onwards) == count + 3
    backwards, wanted = [], Wanted(until=Place("same", uuid.UUID(int=2**128 - 1)))
    while wanted:
        page = paging.read(uri, FIRST, wanted)
        backwards[:0] = page.contacts
        wanted = page.previous
    assert backwards == onwards


def test_a_page_whose_contacts_have_gone_gives_way_to_the_one_beside_it(uri, many, execute):
    first = paging.read(uri, FIRST)
    second = paging.read(uri, FIRST, first.next)
    execute("DELETE FROM contacts WHERE name >= %s", [many[SIZE]])
    last = paging.read(uri, FIRST, first.next)
    assert (names(last), last.previous, last.next) == (many[:SIZE], None, None)
    execute("DELETE FROM contacts")
    execute("INSERT INTO contacts (name, email) VALUES ('Zed', 'zed@example.org')")
    page = paging.read(uri, FIRST, second.previous)
    assert (names(page), page.previous, page.next) == (["Zed"], None, None)
    execute("DELETE FROM contacts")
    assert not paging.read(uri, FIRST, second.next).contacts


def test_a_place_stays_when_its_contact_has_gone(uri, many, execute):
    wanted = paging.read(uri, FIRST).next
    execute("DELETE FROM contacts WHERE name = %s", [many[SIZE]])
    assert names(paging.read(uri, FIRST, wanted))[0] == many[SIZE + 1]


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("ada", ["Ada Lovelace"]),
        ("LOVE", ["Ada Lovelace"]),
        ("grace@example.com", ["Grace Hopper"]),
        ("turing alan", ["Alan Turing"]),
        ("rear  ADMIRAL,navy", ["Grace Hopper"]),
        ("analytical", ["Ada Lovelace"]),
        ("cobol", ["Grace Hopper"]),
        ("pioneer", ["Ada Lovelace", "Grace Hopper"]),
        ("pioneer hop", ["Grace Hopper"]),
        ("zoË", ["Zoë O'Neill-Öz"]),
        ("o'neill", ["Zoë O'Neill-Öz"]),
        ("öz", ["Zoë O'Neill-Öz"]),
        ("to do", ["Zoë O'Neill-Öz"]),
        ("50%", ["Zoë O'Neill-Öz"]),
        ("  ", ["Ada Lovelace", "Alan Turing", "Grace Hopper", "Zoë O'Neill-Öz"]),
        ("nobody", []),
        ("ada turing", []),
        ("velace", []),  # inside a word
    ],
)
def test_every_word_begins_a_word_of_some_field(uri, at_v3, search, names, monkeypatch):
    assert found(uri, at_v3, search.strip()) == names
    monkeypatch.setattr(paging, "REACH", 0)  # by the indexes of words alone
    assert found(uri, at_v3, search.strip()) == names


@pytest.mark.parametrize("search", ["%", "_", "a%", "\\", "'", "':*", "!ada", "ada:*|alan", "(", "&", "<->", "' | 'a"])
def test_signs_of_patterns_and_of_queries_are_no_more_than_signs(uri, at_v3, search):
    words = [word for word in ("ada", "alan", "a") if re.search(rf"\b{word}\b", search)]
    plain = [contact.name for contact in everybody(uri, at_v3) if words and all(map(has_word(contact), words))]
    assert found(uri, at_v3, search) == plain


def has_word(contact):
    fields = (contact.name, contact.email, contact.role, contact.company, *contact.tags)
    return lambda word: any(each.lower().startswith(word) for field in fields for each in re.split(r"\W+", field))


def test_a_search_has_pages_too(uri, many):
    first = paging.read(uri, FIRST, Wanted("person"))
    second = paging.read(uri, FIRST, first.next)
    assert names(first) + names(second) == many[3 : 3 + 2 * SIZE]
    assert names(paging.read(uri, FIRST, second.previous)) == names(first)


def test_what_lies_far_away_is_found(uri, execute, monkeypatch):
    monkeypatch.setattr(paging, "REACH", 2)
    assert found(uri, FIRST, "hopper") == ["Grace Hopper"]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_every_version_has_an_index_for_its_search(uri, version):
    for step in VERSIONS[: VERSIONS.index(version) + 1]:
        schema.apply(uri, step)
    used = re.findall("Bitmap Index Scan on (.*?) ", plan(uri, version, Wanted("ada love")))
    assert used == [f"contacts_words_{version.name}"]


def test_the_order_has_an_index(uri, execute):
    execute(FILL, [2000])
    execute("ANALYZE contacts")
    for wanted in (
        Wanted(),
        Wanted(since=Place("Person 1000", uuid.UUID(int=0))),
        Wanted(until=Place("Q", uuid.uuid4())),
    ):
        explained = plan(uri, FIRST, wanted)
        assert re.search("Index Scan (Backward )?using contacts_in_order", explained), explained
        assert "Sort" not in explained


def test_without_the_indexes_all_is_found_all_the_same(uri, many, execute):
    execute("DROP INDEX contacts_in_order, contacts_words_v1")
    assert [contact.name for contact in everybody(uri, FIRST)] == many
    assert found(uri, FIRST, "hopper") == ["Grace Hopper"]


def test_words_too_long_for_an_index_are_stored(uri, execute):
    for version in VERSIONS[1:]:
        schema.apply(uri, version)
    added = queries.add(
        uri, get("v3"), {"name": "x" * 900, "email": "é" * 900, "role": "y" * 10_000, "tags": ("z" * 10_000,)}
    )
    assert paging.read(uri, get("v3"), Wanted("x" * 90)).contacts == [added]


def test_tags_that_hold_nothing_are_stored(uri, at_v3, execute):
    execute("UPDATE contacts SET tags = ARRAY['', NULL, 'found']")
    assert len(paging.read(uri, at_v3, Wanted("found")).contacts) == 4


def test_a_contact_is_shown_where_it_is(uri, many):
    first, *_, last = everybody(uri, FIRST)
    assert paging.around(uri, FIRST, Wanted(), first) == Wanted()
    wanted = paging.around(uri, FIRST, Wanted("person"), first)
    assert wanted == Wanted(since=Place.of(first))
    wanted = paging.around(uri, FIRST, Wanted(), last)
    assert paging.read(uri, FIRST, wanted).contacts == [last]


def test_what_is_wanted_survives_an_address(uri):
    id = uuid.uuid4()
    for name, search in itertools.product(("", "Ada", "a b&c=ä%\n"), ("", "x y&z")):
        for place in ("since", "until"):
            wanted = Wanted(search, **{place: Place(name, id)})
            assert Wanted.parse(dict(parse_qsl(wanted.query))) == wanted
    assert Wanted().query == ""


def test_a_place_that_is_none_is_left_out():
    for junk in ("", " ", "1", "x Ada", f"{uuid.uuid4()}x Ada", "\ud800", "\x00"):
        assert Wanted.parse({"since": junk, "until": junk, "q": " ada "}) == Wanted("ada")
