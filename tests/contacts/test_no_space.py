"""A full disk, or a plan's storage used up: an error of its own, with a sentence that says what to do."""

import pytest

from contacts import db
from contacts.errors import NoSpace

FULL = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file /somewhere' USING ERRCODE = 'disk_full'; END $$"


def test_it_is_told_apart_and_does_not_quote_the_server(uri):
    with pytest.raises(NoSpace) as refused:
        db.write(uri, lambda connection: connection.execute(FULL))
    assert str(refused.value) == "DiskFull 53100"
    assert refused.value.sentence.startswith("The app database has no room left, so nothing was saved.")
