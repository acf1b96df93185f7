"""Finding rows by how their ids begin, as people see them: in lists, and in the names of Neon projects."""

import re
import uuid
from collections.abc import Iterable
from functools import reduce
from operator import or_

from django.db.models import Q

# As many digits as are shown. Fewer are as likely the beginning of a name.
BEGINNING = re.compile(r"[0-9a-f]{8,32}")
DIGITS = 32


def begin_with(beginnings: Iterable[str]) -> Q:
    """Return the condition that an id begins with one of these; none does with what is no beginning of an id."""
    digits = (beginning.replace("-", "").lower() for beginning in beginnings)
    ranges = (
        Q(pk__range=(uuid.UUID(text.ljust(DIGITS, "0")), uuid.UUID(text.ljust(DIGITS, "f"))))
        for text in digits
        if BEGINNING.fullmatch(text)
    )
    return reduce(or_, ranges, Q(pk__in=[]))
