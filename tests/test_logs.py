"""Log lines without secrets."""

import logging
import sys

import pytest

from config.logs import RedactingFormatter


def line(message, *arguments, exc_info=None):
    """Return the line as it is logged."""
    return RedactingFormatter("%(levelname)s %(message)s").format(
        logging.LogRecord("site", logging.ERROR, __file__, 1, message, arguments, exc_info)
    )


@pytest.mark.parametrize(
    ("message", "redacted"),
    [
        ("to postgresql://ada:s3cret@127.0.0.1:5432/neondb now", "to postgresql://*** now"),
        ("to postgres://ada:s3cret@db/neondb", "to postgres://***"),
        ("Authorization: Bearer napi_s3cret", "Authorization: Bearer ***"),
        ("host=db password=s3cret user=ada", "host=db password=*** user=ada"),
        ("GET /demo/sign-in/?sesame=s3cret&next=/", "GET /demo/sign-in/?sesame=***&next=/"),
        ("a=postgresql://s3cret b='postgresql://s3cret'", "a=postgresql://*** b='postgresql://***'"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_are_taken_out(message, redacted):
    assert line(message) == f"ERROR {redacted}"


def test_arguments_are_looked_at_too():
    assert line("cannot reach %s", "postgresql://ada:s3cret@db/neondb") == "ERROR cannot reach postgresql://***"


def test_tracebacks_are_looked_at_too():
    uri = "postgresql://ada:s3cret@db/neondb"
    try:
        raise RuntimeError(uri)
    except RuntimeError:
        text = line("It broke", exc_info=sys.exc_info())
    assert text.endswith("RuntimeError: postgresql://***")
    assert "s3cret" not in text
