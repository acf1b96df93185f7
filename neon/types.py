"""What Neon answers, as frozen dataclasses.

Only what is used is parsed. Unknown fields are ignored, because real answers carry more than the
specification lists. A needed field that is missing or of another type raises `FieldError`; the client makes
it an `UnexpectedResponse` that also says which request it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

T = TypeVar("T")

SUCCEEDED = frozenset({"finished", "skipped"})
FAILED = frozenset({"failed", "error", "cancelled"})


class FieldError(ValueError):
    """A needed field is missing from an answer, or is not of its type; the text is the field's name alone."""


def need(data: object, name: str, kind: type[T]) -> T:
    """Return a field that must be there."""
    value = optional(data, name, kind)
    if value is None:
        raise FieldError(name)
    return value


def optional(data: object, name: str, kind: type[T]) -> T | None:
    """Return a field, or None if it is absent or null."""
    if not isinstance(data, dict):
        raise FieldError(name)
    value = data.get(name)
    if value is not None and not isinstance(value, kind):
        raise FieldError(name)
    return value


def moment(data: object, name: str) -> datetime:
    """Return a point in time that must be there; Neon writes them by RFC 3339."""
    try:
        return datetime.fromisoformat(need(data, name, str))
    except ValueError:
        raise FieldError(name) from None  # the cause would quote the answer


@dataclass(frozen=True, slots=True)
class Project:
    """A Neon project: one Postgres with its branches and snapshots."""

    id: str
    name: str
    created_at: datetime

    @classmethod
    def from_json(cls, data: object) -> Project:
        """Parse a project."""
        return cls(id=need(data, "id", str), name=need(data, "name", str), created_at=moment(data, "created_at"))


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of a project; the default one is what the project's connection string reaches."""

    id: str
    name: str
    default: bool
    parent_id: str | None
    current_state: str
    restored_from: str | None = None  # the snapshot that it was made from

    @classmethod
    def from_json(cls, data: object) -> Branch:
        """Parse a branch."""
        return cls(
            id=need(data, "id", str),
            name=need(data, "name", str),
            default=need(data, "default", bool),
            parent_id=optional(data, "parent_id", str),
            current_state=need(data, "current_state", str),
            restored_from=optional(data, "restored_from", str),
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A compute: the host through which a branch is reached."""

    id: str
    branch_id: str
    host: str
    type: str

    @classmethod
    def from_json(cls, data: object) -> Endpoint:
        """Parse an endpoint."""
        return cls(
            id=need(data, "id", str),
            branch_id=need(data, "branch_id", str),
            host=need(data, "host", str),
            type=need(data, "type", str),
        )


@dataclass(frozen=True, slots=True)
class Operation:
    """A piece of work that Neon does after it has answered."""

    id: str
    action: str
    status: str
    failures_count: int
    retry_at: datetime | None
    error: str
    created_at: datetime
    branch_id: str | None
    endpoint_id: str | None

    @property
    def succeeded(self) -> bool:
        """Whether its effect is there."""
        return self.status in SUCCEEDED

    @property
    def failed(self) -> bool:
        """Whether its effect will not come; Neon tries a failed operation again while `retry_at` is set."""
        return self.status in FAILED and not (self.status == "failed" and self.retry_at)

    @property
    def pending(self) -> bool:
        """Whether to go on waiting; true also for a status that we do not know."""
        return not (self.succeeded or self.failed)

    @classmethod
    def from_json(cls, data: object) -> Operation:
        """Parse an operation."""
        return cls(
            id=need(data, "id", str),
            action=need(data, "action", str),
            status=need(data, "status", str),
            failures_count=need(data, "failures_count", int),
            retry_at=None if optional(data, "retry_at", str) is None else moment(data, "retry_at"),
            error=optional(data, "error", str) or "",
            created_at=moment(data, "created_at"),
            branch_id=optional(data, "branch_id", str),
            endpoint_id=optional(data, "endpoint_id", str),
        )

    @classmethod
    def list_from_json(cls, data: object) -> tuple[Operation, ...]:
        """Parse the operations that an answer carries beside its subject."""
        return tuple(cls.from_json(item) for item in need(data, "operations", list))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A kept state of a branch."""

    id: str
    name: str
    source_branch_id: str | None
    created_at: datetime

    @classmethod
    def from_json(cls, data: object) -> Snapshot:
        """Parse a snapshot."""
        return cls(
            id=need(data, "id", str),
            name=need(data, "name", str),
            source_branch_id=optional(data, "source_branch_id", str),
            created_at=moment(data, "created_at"),
        )


@dataclass(frozen=True, slots=True)
class CreatedProject:
    """The answer to the creation of a project; the only one that carries a password unasked."""

    project: Project
    branch: Branch
    connection_uri: str | None = field(repr=False)
    operations: tuple[Operation, ...]

    @classmethod
    def from_json(cls, data: object) -> CreatedProject:
        """Parse the answer; it has no connection string when Neon stores no passwords for the project."""
        uris: list[Any] = optional(data, "connection_uris", list) or []
        return cls(
            project=Project.from_json(need(data, "project", dict)),
            branch=Branch.from_json(need(data, "branch", dict)),
            connection_uri=need(uris[0], "connection_uri", str) if uris else None,
            operations=Operation.list_from_json(data),
        )


@dataclass(frozen=True, slots=True)
class CreatedEndpoint:
    """A branch's new endpoint and the operations that make it."""

    endpoint: Endpoint
    operations: tuple[Operation, ...]

    @classmethod
    def from_json(cls, data: object) -> CreatedEndpoint:
        """Parse the answer to creating an endpoint; raises FieldError."""
        return cls(Endpoint.from_json(need(data, "endpoint", dict)), Operation.list_from_json(data))


@dataclass(frozen=True, slots=True)
class CreatedSnapshot:
    """The answer to the creation of a snapshot."""

    snapshot: Snapshot
    operations: tuple[Operation, ...]

    @classmethod
    def from_json(cls, data: object) -> CreatedSnapshot:
        """Parse the answer."""
        return cls(
            snapshot=Snapshot.from_json(need(data, "snapshot", dict)),
            operations=Operation.list_from_json(data),
        )


@dataclass(frozen=True, slots=True)
class Restored:
    """The answer to a restore: the branch that the snapshot became."""

    branch: Branch
    operations: tuple[Operation, ...]

    @classmethod
    def from_json(cls, data: object) -> Restored:
        """Parse the answer."""
        return cls(
            branch=Branch.from_json(need(data, "branch", dict)),
            operations=Operation.list_from_json(data),
        )
