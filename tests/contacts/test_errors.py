import re
import traceback
from urllib.parse import urlsplit

import pytest

from contacts import db, errors, fingerprint, queries
from contacts.errors import AppDatabaseError
from contacts.versions import FIRST, get
from tests.contacts.everybody import everybody

NEW = {"name": "Secret Person", "email": "secret@example.com"}


def every_error(cls=AppDatabaseError):
    return [cls, *(error for child in cls.__subclasses__() for error in every_error(child))]


def test_the_docstring_draws_every_error():
    drawn = re.findall(r"^(?:[├└]── )?([A-Z]\w+)(?: {3,}.*)?$", errors.__doc__, re.MULTILINE)
    assert drawn == [error.__name__ for error in every_error()]


def test_every_error_has_a_sentence_of_its_own():
    sentences = [error.sentence for error in every_error()]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence.endswith(".") for sentence in sentences)


def faults(uri):
    """Yield calls that fail, one for every way in which they can."""
    wrong = uri.replace("owner_", "owner_unknown_")
    gone = uri.replace("/contacts_", "/contacts_gone_")
    yield "wrong user", lambda: db.read(wrong, print)
    yield "no database", lambda: everybody(gone, FIRST)
    yield "refused", lambda: fingerprint.take(uri.replace("127.0.0.1:", "127.0.0.1:1"))
    yield "bad port", lambda: db.write(uri.replace("127.0.0.1:", "127.0.0.1:x"), print)
    yield "bad uri", lambda: db.write(uri.replace("postgresql", "postgre"), print)
    yield "bad option", lambda: db.write(f"{uri}&secret=1", print)
    yield "missing column", lambda: everybody(uri, get("v3"))
    yield "duplicate", lambda: queries.add(uri, FIRST, NEW)
    yield "nul", lambda: queries.add(uri, FIRST, {**NEW, "name": "Secret\x00"})
    yield "half", lambda: queries.add(uri, FIRST, {**NEW, "name": "Secret\ud800"})
    yield "null", lambda: queries.add(uri, FIRST, {"name": "Secret Person"})
    yield "raised", lambda: db.read(uri, lambda c: c.execute("DO $$ BEGIN RAISE 'Secret Person'; END $$"))
    yield "rights", lambda: db.read(uri, lambda c: c.execute("TABLE pg_authid"))
    yield "cut off", lambda: db.write(uri, lambda c: c.execute("SELECT pg_terminate_backend(pg_backend_pid())"))


def test_no_error_tells_where_the_database_is_or_what_it_holds(uri, databases, monkeypatch):
    monkeypatch.setattr(db, "RETRY_SECONDS", 0)
    monkeypatch.setattr(db, "CLOSED_SECONDS", 0)
    queries.add(uri, FIRST, NEW)
    address = urlsplit(uri)
    secrets = [
        databases.password,
        databases.owner,
        address.hostname,
        str(address.port),
        address.path[1:],
        "Secret",
        "secret@",
    ]
    for name, call in faults(uri):
        with pytest.raises(AppDatabaseError) as caught:
            call()
        error = caught.value
        # Nothing else is in a traceback, as no cause is chained.
        told = "".join([repr(error), repr(error.args), error.sentence, *traceback.format_exception_only(error)])
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
        assert not [secret for secret in secrets if secret in told], name
