"""A page of the list: by name, from a place on, and of those contacts only that a search finds.

A search finds the contacts in which every word that was typed begins some word. Common words are found among the
contacts that come next, without looking at the others; rare ones by the indexes of words. Postgres could only guess
which way is shorter, as it does not know how often a beginning of a word occurs, and a wrong guess takes seconds.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from psycopg import sql
from psycopg.rows import kwargs_row

from contacts import db
from contacts.queries import columns, from_row
from contacts.schema import TABLE
from contacts.types import Contact, Page, Place, Wanted
from contacts.versions import Version

# A full page may take twice as long as one with three contacts, and a row costs a hundredth of it.
SIZE = 25
# As many of the next contacts are looked at one by one: about as long as an index takes for what is not found so.
REACH = 500

# What stands between words, and the words of a contact: letter by letter as in the indexes of words, which are not used
# for anything else. A word must not have more than 2 kB, hence the first 500 characters. And of all ways to make text
# of an array, only the one by a tsvector may be in an index.
BETWEEN = r"[\s!-/:-@[-`{-~]+"
WORDS = sql.SQL("array_to_tsvector(array_remove(regexp_split_to_array(lower({text}), {between}), ''))")
TEXT = {
    "v1": sql.SQL("left(name || ' ' || email, 500)"),
    "v2": sql.SQL("left(name || ' ' || email || ' ' || role || ' ' || company, 500)"),
    "v3": sql.SQL(
        "left(name || ' ' || email || ' ' || role || ' ' || company, 500)"
        " || ' ' || array_to_tsvector(array_remove(array_remove(tags, NULL), ''))::text"
    ),
}
ALL = sql.SQL("true")
NONE = sql.SQL("false")
MATCHING = sql.SQL("{words} @@ lower(%(words)s)::tsquery")
# The same for one word, and without an index: a fifth of the time that it takes to find all words of a row.
BEGINS_A_WORD = sql.SQL("lower({text}) ~ ('(^|' || {between} || ')' || lower({word}))")

CONTACTS = sql.SQL("(SELECT {columns}, lower(name) AS key FROM {table}) AS contacts")
NEAR = sql.SQL("""
    SELECT {columns}
    FROM (SELECT * FROM {contacts} WHERE {place} ORDER BY {order} LIMIT {reach}) AS next
    WHERE {match}
    ORDER BY {order}
    LIMIT {limit}
""")
FAR = sql.SQL("SELECT {columns} FROM {contacts} WHERE {match} AND {place} ORDER BY {order} LIMIT {limit}")
# By indexes of words or not at all; where a database has none, these are no more than wishes.
BY_WORDS = ("BEGIN READ ONLY", "SET LOCAL enable_seqscan = off", "SET LOCAL enable_indexscan = off")
ONWARDS = sql.SQL("key, name, id")
BACKWARDS = sql.SQL("key DESC, name DESC, id DESC")
SINCE = sql.SQL("(key, name, id) >= (lower(%(name)s::text), %(name)s, %(id)s)")
UNTIL = sql.SQL("(key, name, id) < (lower(%(name)s::text), %(name)s, %(id)s)")


def read(uri: str, version: Version, wanted: Wanted = Wanted()) -> Page:  # noqa: B008 - it cannot be changed
    """Return a page of the contacts; raises AppDatabaseError."""

    def work(connection: db.Connection) -> Page:
        page = _read(connection, version, wanted)
        if page.contacts or wanted.place is None:
            return page
        # All that was here has gone: what is nearest lies on the other side.
        page = _read(connection, version, replace(wanted, since=wanted.until, until=wanted.since))
        return replace(page, next=None) if wanted.since else replace(page, previous=None)

    return db.read(uri, work)


def around(uri: str, version: Version, wanted: Wanted, contact: Contact) -> Wanted:
    """Return what to ask for to see a contact: what is *wanted* if that shows it, else the page that begins with it.

    Raises AppDatabaseError.
    """
    if contact.id in (other.id for other in read(uri, version, wanted).contacts):
        return wanted
    return Wanted(since=Place.of(contact))


def _read(connection: db.Connection, version: Version, wanted: Wanted) -> Page:
    """Read one more than a page has, to know whether there is another page."""
    found = _find(connection, version, wanted)
    contacts, more = found[:SIZE], len(found) > SIZE
    if wanted.until:
        contacts.reverse()
        before = Place.of(contacts[0]) if more else None
        return _page(wanted, contacts, before=before, after=wanted.until)
    return _page(wanted, contacts, before=wanted.since, after=Place.of(found[SIZE]) if more else None)


def _page(wanted: Wanted, contacts: list[Contact], *, before: Place | None, after: Place | None) -> Page:
    return Page(
        wanted,
        contacts,
        previous=Wanted(wanted.search, until=before) if before else None,
        next=Wanted(wanted.search, since=after) if after else None,
    )


def _find(connection: db.Connection, version: Version, wanted: Wanted) -> list[Contact]:
    """Return at most one contact more than a page has, in the order away from the place."""
    # Signs have a meaning in a tsquery, but they stand between words, and so are not in any.
    words = tuple(word for word in re.split(BETWEEN, wanted.search) if word)
    parameters: dict[str, object] = {"words": " & ".join(f"'{word}':*" for word in words)}
    if wanted.place:
        parameters |= {"name": wanted.place.name, "id": wanted.place.id}
    shape = {"since": wanted.since is not None, "until": wanted.until is not None}
    near = _near(version, words, is_search=bool(wanted.search), **shape)
    with connection.cursor(row_factory=kwargs_row(from_row)) as cursor:
        found = cursor.execute(near, parameters).fetchall()
        if len(found) > SIZE or not words:
            return found
        with connection.pipeline():
            for statement in BY_WORDS:
                connection.execute(statement)
            cursor.execute(_far(version, **shape), parameters)
            connection.execute("COMMIT")
        return cursor.fetchall()


@lru_cache(maxsize=64)
def _near(version: Version, words: tuple[str, ...], *, is_search: bool, since: bool, until: bool) -> bytes:
    """Return how contacts are found among the next ones; to compose that takes as long as to ask."""
    reach = sql.Literal(REACH if words else SIZE + 1)
    match = _matching_each(version, words) if words else NONE if is_search else ALL
    return NEAR.format(**_parts(version, since=since, until=until), match=match, reach=reach).as_bytes()


@lru_cache(maxsize=64)
def _far(version: Version, *, since: bool, until: bool) -> bytes:
    """Return how contacts are found among all."""
    return FAR.format(**_parts(version, since=since, until=until), match=_matching(version)).as_bytes()


def _parts(version: Version, *, since: bool, until: bool) -> dict[str, sql.Composable]:
    return {
        "columns": columns(version),
        "contacts": CONTACTS.format(columns=columns(version), table=TABLE),
        "place": UNTIL if until else SINCE if since else ALL,
        "order": BACKWARDS if until else ONWARDS,
        "limit": sql.Literal(SIZE + 1),
    }


def _matching(version: Version) -> sql.Composed:
    return MATCHING.format(words=WORDS.format(text=TEXT[version.name], between=sql.Literal(BETWEEN)))


def _matching_each(version: Version, words: tuple[str, ...]) -> sql.Composed:
    text, between = TEXT[version.name], sql.Literal(BETWEEN)
    each = (BEGINS_A_WORD.format(text=text, between=between, word=sql.Literal(word)) for word in words)
    return sql.SQL(" AND ").join(each)
