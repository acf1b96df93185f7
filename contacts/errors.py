"""What can go wrong with an app database, told apart by what a person can do about it.

AppDatabaseError
├── Unavailable      no connection, it dropped, or a statement took too long
├── Busy             others hold a lock; the same works in a moment
├── TableMissing     the schema is not this version's: no such table or column
├── NotFound         the contact is gone
├── DuplicateEmail   another contact has the email
├── InvalidInput     a value that Postgres cannot store
├── NoSpace          the disk is full, or the plan's storage is used up
└── Rejected         Postgres refused for another reason: rights, constraints

`str(error)` is for logs: the kind of fault in our own words. What psycopg and the server say is never in
it, as it may quote the connection string or a contact. `error.sentence` is for people.
"""


class AppDatabaseError(Exception):
    """Anything that went wrong with an app database."""

    sentence = "Something went wrong with the app database."


class Unavailable(AppDatabaseError):
    """The database cannot be reached or does not answer; `passing` says whether that should be over soon."""

    sentence = "The app database does not answer right now. Try again in a moment."

    def __init__(self, detail: str, *, passing: bool = False) -> None:
        super().__init__(detail)
        self.passing = passing


class Busy(AppDatabaseError):
    """Others hold a lock that this needs."""

    sentence = "The app database is busy with another change. Try again in a moment."


class TableMissing(AppDatabaseError):
    """A table or a column that this version has is not there."""

    sentence = "The app database does not have the table and columns of this version."


class NotFound(AppDatabaseError):
    """The contact does not exist, or not any more."""

    sentence = "This contact no longer exists."


class DuplicateEmail(AppDatabaseError):
    """The email is another contact's."""

    sentence = "Another contact has this email."


class InvalidInput(AppDatabaseError):
    """Postgres cannot store a value."""

    sentence = "The app database cannot store this text."


class NoSpace(AppDatabaseError):
    """The disk is full, or the plan's storage is used up."""

    sentence = "The app database has no room left, so nothing was saved. Make room, then try again."


class Rejected(AppDatabaseError):
    """Postgres refused for another reason; the SQLSTATE in the message tells which."""

    sentence = "The app database refused this."
