"""What is done with a contact: get, add, change, remove, for every version alike."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import kwargs_row

from contacts import db
from contacts.errors import NotFound
from contacts.schema import TABLE
from contacts.types import Contact
from contacts.versions import Version

GET = sql.SQL("SELECT {columns} FROM {table} WHERE id = %(id)s")
ADD = sql.SQL("INSERT INTO {table} ({fields}) VALUES ({values}) RETURNING {columns}")
CHANGE = sql.SQL("UPDATE {table} SET {assignments} WHERE id = %(id)s RETURNING {columns}")
REMOVE = sql.SQL("DELETE FROM {table} WHERE id = %(id)s")


def get(uri: str, version: Version, id: UUID) -> Contact:
    """Return one contact; raises AppDatabaseError, NotFound among them."""
    statement = GET.format(columns=columns(version), table=TABLE)
    return db.read(uri, lambda connection: _one(connection, statement, {"id": id}))


def add(uri: str, version: Version, values: Mapping[str, object]) -> Contact:
    """Add a contact and return it; raises AppDatabaseError, DuplicateEmail among them."""
    parameters = _parameters(version, values)
    statement = ADD.format(
        table=TABLE,
        fields=sql.SQL(", ").join(map(sql.Identifier, parameters)),
        values=sql.SQL(", ").join(map(sql.Placeholder, parameters)),
        columns=columns(version),
    )
    return db.write(uri, lambda connection: _one(connection, statement, parameters))


def change(uri: str, version: Version, id: UUID, values: Mapping[str, object]) -> Contact:
    """Change the given fields of a contact and return it.

    Raises AppDatabaseError, NotFound and DuplicateEmail among them.
    """
    parameters = _parameters(version, values)
    assignments = [sql.SQL("{} = {}").format(sql.Identifier(field), sql.Placeholder(field)) for field in parameters]
    statement = CHANGE.format(table=TABLE, assignments=sql.SQL(", ").join(assignments), columns=columns(version))
    return db.write(uri, lambda connection: _one(connection, statement, {**parameters, "id": id}))


def remove(uri: str, id: UUID) -> None:
    """Delete a contact; raises AppDatabaseError, NotFound among them."""
    statement = REMOVE.format(table=TABLE)
    if not db.write(uri, lambda connection: connection.execute(statement, {"id": id}).rowcount):
        raise NotFound("no such contact")


def columns(version: Version) -> sql.Composed:
    """Return the columns of a contact, to be put into a statement."""
    return sql.SQL(", ").join(map(sql.Identifier, ("id", *version.fields)))


def from_row(*, tags: list[str] | None = None, **columns: Any) -> Contact:
    """Return the contact that a row holds."""
    return Contact(**columns, tags=tuple(tags or ()))


def _parameters(version: Version, values: Mapping[str, object]) -> dict[str, object]:
    """Check the fields' names, and make arrays lists: psycopg takes a tuple for a row."""
    unknown = values.keys() - set(version.fields)
    if unknown or not values:
        raise ValueError(
            f"{version.name} has {', '.join(version.fields)}, not {', '.join(sorted(unknown)) or 'nothing'}."
        )
    return {field: list(value) if isinstance(value, tuple) else value for field, value in values.items()}


def _one(connection: db.Connection, statement: sql.Composed, parameters: Mapping[str, object]) -> Contact:
    with connection.cursor(row_factory=kwargs_row(from_row)) as cursor:
        found = cursor.execute(statement, parameters).fetchone()
    if found is None:
        raise NotFound("no such contact")
    return found
