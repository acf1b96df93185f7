"""What is read from an app database."""

from dataclasses import dataclass
from uuid import UUID


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
class Column:
    """A column of a user's table, as information_schema.columns has it."""

    table: str
    name: str
    data_type: str
    nullable: bool
    default: str
