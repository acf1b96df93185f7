"""Log lines without secrets, for people or as JSON."""

import json
import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

SECRETS = re.compile(
    r"""(?P<lead>
        postgres(?:ql)?://
        | (?<=://)(?=[^\s/@"']*@)                                    # name and password in any other address
        | \b(?:Bearer|Basic)\s+
        | ["']?\b\w*(?:password|secret|token|api_?key|sessionid|sesame)["']?\s*[=:]\s*["']?
        | /accounts/(?:confirm-email|password/reset/key)/
        | \bnapi_
    )[^\s"'<>&,]+""",
    re.IGNORECASE | re.VERBOSE,
)
LENGTH = 8
USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class RedactingFormatter(logging.Formatter):
    """Formats a record, traceback included, and takes out addresses with passwords, keys and one-time tokens.

    Takes out *secrets*, too, whatever stands around them.
    """

    def __init__(self, *arguments: Any, secrets: Iterable[str] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Longest first, as one may begin with another; a few letters would be found in ordinary words.
        known = sorted((secret for secret in secrets if len(secret) >= LENGTH), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known)) or "(?!)")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line as it may be kept."""
        return self.redact(super().format(record))

    def redact(self, text: str) -> str:
        """Return a text without secrets."""
        return SECRETS.sub(r"\g<lead>***", self._known.sub("***", text))


class JsonFormatter(RedactingFormatter):
    """Formats a record, with all that it was given as *extra*, as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line as it may be kept."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in USUAL},
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        # Each text by itself: what is taken out must not take a quotation mark of the JSON with it.
        return json.dumps({name: self._plain(value) for name, value in fields.items()}, ensure_ascii=True)

    def _plain(self, value: Any) -> Any:
        """Return a value as JSON knows it: what is not a number is a text, and looked at."""
        return value if value is None or isinstance(value, bool | int | float) else self.redact(str(value))
