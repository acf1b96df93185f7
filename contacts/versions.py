"""The versions of the contact list app, as data: the prompt that makes one, and what it adds."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Version:
    """A state of the app that one prompt leads to; its SQL is in ``sql/<name>.sql``."""

    name: str
    prompt: str
    added: tuple[str, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a contact at this version, in the order of forms and lists."""
        known = VERSIONS[: VERSIONS.index(self) + 1]
        return tuple(field for version in known for field in version.added)

    @property
    def next(self) -> Version | None:
        """The version after this one, or None for the last."""
        index = VERSIONS.index(self) + 1
        return VERSIONS[index] if index < len(VERSIONS) else None

    @property
    def sql(self) -> str:
        """The SQL that leads from the version before to this one; it may be run again."""
        return resources.files("contacts").joinpath("sql", f"{self.name}.sql").read_text(encoding="utf-8")


VERSIONS = (
    Version("v1", "Create a contact list app with name and email", ("name", "email")),
    Version("v2", "Add role and company", ("role", "company")),
    Version("v3", "Add tags", ("tags",)),
)
FIRST = VERSIONS[0]


def get(name: str) -> Version:
    """Return the version called *name*; KeyError when there is none."""
    return {version.name: version for version in VERSIONS}[name]
