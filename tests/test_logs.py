"""Log lines: without secrets, whatever way they come; for people, or as JSON."""

import json
import logging
import os
import subprocess
import sys

import pytest
from django.conf import settings

from config.logs import JsonFormatter, RedactingFormatter

KEY = "a key that looks like nothing"
FORMATTERS = {
    "text": RedactingFormatter("%(levelname)s %(message)s", secrets=[KEY, ""]),
    "json": JsonFormatter(secrets=[KEY, ""]),
}
# What is never to be read in a line, whatever stands around it.
LEAKS = [
    "postgresql://ada:s3cret@127.0.0.1:5432/neondb",
    "postgres://ada:s3cret@db/neondb?sslmode=require",
    "smtp+tls://mailer:s3cret@mail.example.com:587",
    "https://napi:s3cret@console.neon.tech/api/v2",
    "Authorization: Bearer s3cret",
    "{'authorization': 'Bearer s3cret'}",
    "napi_s3cret",
    "host=db password=s3cret user=ada",
    "{'host': 'db', 'password': 's3cret'}",
    '{"oldpassword": "s3cret"}',
    "PGPASSWORD=s3cret",
    "NEON_API_KEY=s3cret",
    "client_secret=s3cret",
    "Cookie: sessionid=s3cret; theme=dark",
    "GET /demo/sign-in/?sesame=s3cret&next=/",
    "Not Found: /accounts/password/reset/key/1-s3cret/",
    "/accounts/confirm-email/s3cret/",
    f"the {KEY} itself",
]


def record(message, *arguments, exc_info=None, **extra):
    """Return a record as a logger makes it."""
    return logging.getLogger("site").makeRecord(
        "site", logging.ERROR, __file__, 1, message, arguments, exc_info, extra=extra
    )


def raised(text):
    """Return an exception that quotes a text, and whose cause does."""
    try:
        try:
            raise ValueError(text)
        except ValueError as error:
            raise RuntimeError(f"while {text}") from error
    except RuntimeError:
        return sys.exc_info()


@pytest.fixture(params=FORMATTERS)
def formatter(request):
    return FORMATTERS[request.param]


@pytest.mark.parametrize("leak", LEAKS)
def test_a_secret_gets_out_in_no_way(formatter, leak):
    for attempt in (
        record(leak),
        record("%s", leak),
        record("%(it)s", {"it": leak}),
        record("%r", [leak]),
        record("%s", RuntimeError(leak)),
        record("It broke", exc_info=raised(leak)),
        record("Nothing to see", leak=leak),
        record("Nothing to see", leak={"nested": [leak]}),
    ):
        line = formatter.format(attempt)
        assert "s3cret" not in line
        assert KEY not in line


@pytest.mark.parametrize(
    ("message", "redacted"),
    [
        ("to postgresql://ada:s3cret@127.0.0.1:5432/neondb now", "to postgresql://*** now"),
        ("to smtp://ada:s3cret@mail/ and on", "to smtp://*** and on"),
        ("Authorization: Bearer napi_s3cret", "Authorization: Bearer ***"),
        ("host=db password=s3cret user=ada", "host=db password=*** user=ada"),
        ("GET /demo/sign-in/?sesame=s3cret&next=/", "GET /demo/sign-in/?sesame=***&next=/"),
        ("a=postgresql://s3cret b='postgresql://s3cret'", "a=postgresql://*** b='postgresql://***'"),
        (
            "GET https://console.neon.tech/api/v2/projects?limit=1",
            "GET https://console.neon.tech/api/v2/projects?limit=1",
        ),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_the_rest_of_a_line_stays(message, redacted):
    assert FORMATTERS["text"].format(record(message)) == f"ERROR {redacted}"


def test_a_short_key_is_not_looked_for():
    """It would be found in ordinary words, and is no key."""
    assert RedactingFormatter("%(message)s", secrets=["a"]).format(record("a cat")) == "a cat"


def test_json_is_one_line_with_everything_that_was_given():
    line = JsonFormatter().format(record("It\n%s", "broke", exc_info=raised("x"), run_id=7, ok=True, who=None, of=[1]))
    fields = json.loads(line)
    assert "\n" not in line
    assert fields.pop("time").endswith("+00:00")
    assert fields.pop("traceback").endswith("RuntimeError: while x")
    assert fields == {
        **{"level": "ERROR", "logger": "site", "message": "It\nbroke"},
        **{"run_id": 7, "ok": True, "who": None, "of": "[1]"},
    }


@pytest.mark.parametrize("text", ['postgresql://a:s3cret\\"c@d/e', "password='\\", 'sesame="\u2028\ud800'])
def test_json_stays_json_whatever_is_taken_out(text):
    assert json.loads(JsonFormatter().format(record(text, extra_text=text)))["level"] == "ERROR"


@pytest.mark.parametrize(("log_format", "expected"), [("json", "JsonFormatter"), ("text", "RedactingFormatter")])
def test_no_logger_has_a_way_around_the_formatter(tmp_path, log_format, expected):
    """In a process of its own, as pytest adds handlers; with DEBUG, for which Django has some more."""
    script = """
import django, logging
django.setup()
loggers = [logging.root, *(log for log in logging.root.manager.loggerDict.values() if isinstance(log, logging.Logger))]
print({type(handler.formatter).__name__ for log in loggers for handler in log.handlers})
print(logging.getLogger("django.server").propagate)
"""
    environment = {"DJANGO_SETTINGS_MODULE": "config.settings", "DATA_DIR": str(tmp_path), "DEBUG": "1"}
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"], "LOG_FORMAT": log_format, **environment},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.splitlines() == [f"{{'{expected}'}}", "True"], run.stderr
