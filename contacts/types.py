"""What is read from an app database, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

# Nobody types more, and every word is looked for by itself.
SEARCH_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Contact:
    """A person in the list; what its version does not have is empty."""

    id: UUID
    name: str
    email: str
    role: str = ""
    company: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list: where a contact stands, or would stand if it had not gone meanwhile."""

    name: str
    id: UUID

    def __str__(self) -> str:
        return f"{self.id} {self.name}"

    @classmethod
    def of(cls, contact: Contact) -> Place:
        """Return where a contact stands."""
        return cls(contact.name, contact.id)

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """Return the place that was written as *text*; None when it is none."""
        id, _, name = text.partition(" ")
        try:
            return cls(name, UUID(id))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page of the list: the one since or until a place, else the first, of what a search finds."""

    search: str = ""
    since: Place | None = None
    until: Place | None = None

    @property
    def place(self) -> Place | None:
        """The place at which the page begins, or before which it ends."""
        return self.since or self.until

    @property
    def query(self) -> str:
        """This as a part of an address; empty for the first page of all."""
        named = {"q": self.search, "since": self.since, "until": self.until}
        return urlencode({name: value for name, value in named.items() if value})

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Wanted:
        """Return what the query of an address asks for; a place that is none is left out."""
        since = Place.parse(query.get("since", ""))
        until = None if since else Place.parse(query.get("until", ""))
        return cls(query.get("q", "").strip()[:SEARCH_LENGTH], since, until)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, what it is, and what to ask for to get the pages beside it, where there are any."""

    wanted: Wanted
    contacts: list[Contact]
    previous: Wanted | None
    next: Wanted | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a user's table, as information_schema.columns has it."""

    table: str
    name: str
    data_type: str
    nullable: bool
    default: str
