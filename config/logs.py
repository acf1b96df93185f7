"""Log lines without secrets."""

import logging
import re

SECRETS = re.compile(
    r"""(?P<lead>postgres(?:ql)?://|Bearer\s+|(?:password|sesame)=)[^\s"'<>&,]+""",
    re.IGNORECASE,
)


class RedactingFormatter(logging.Formatter):
    """Formats a record, traceback included, and takes out database URIs, keys, passwords and sign-in tokens."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line as it may be kept."""
        return SECRETS.sub(r"\g<lead>***", super().format(record))
