"""How the schema of an app database changes from version to version, and what it is now."""

from collections.abc import Collection
from importlib import resources

from psycopg import sql
from psycopg.rows import class_row

from contacts import db
from contacts.types import Column
from contacts.versions import FIRST, Version

TABLE = sql.Identifier("public", "contacts")
COLUMNS = resources.files("contacts").joinpath("sql", "columns.sql").read_bytes()


def apply(uri: str, version: Version) -> None:
    """Lead the database from the version before to this one, in one transaction; it may be repeated.

    Raises AppDatabaseError, and then nothing was changed.
    """

    def work(connection: db.Connection) -> None:
        with connection.transaction():
            connection.execute(version.sql.encode())

    db.write(uri, work)


def revert(uri: str, version: Version, keep: Collection[str]) -> None:
    """Drop the columns that this version added, except those in *keep*: they were there before the step.

    Contacts stay as they are otherwise, so edits made before the step are not lost. It may be repeated.
    Raises AppDatabaseError.
    """
    if version == FIRST:
        raise ValueError("The first version has nothing before it to return to.")
    drops = [
        sql.SQL("DROP COLUMN IF EXISTS {}").format(sql.Identifier(name)) for name in version.added if name not in keep
    ]
    if drops:
        statement = sql.SQL("ALTER TABLE IF EXISTS {} {}").format(TABLE, sql.SQL(", ").join(drops))
        db.write(uri, lambda connection: connection.execute(statement))


def columns(uri: str) -> list[Column]:
    """Return the columns of all user tables; raises AppDatabaseError."""

    def work(connection: db.Connection) -> list[Column]:
        with connection.cursor(row_factory=class_row(Column)) as cursor:
            return cursor.execute(COLUMNS).fetchall()

    return db.read(uri, work)


def contact_columns(uri: str) -> set[str]:
    """Return the names of the columns of the table contacts, none when there is no such table.

    Raises AppDatabaseError.
    """
    return {column.name for column in columns(uri) if column.table == "contacts"}
