"""The cursor of a list of branches: where its page ended and in which order, written as Neon writes it."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from neon.local.errors import BadRequest

# Of a branch with the longest name there can be.
LENGTH = 4096

Place = tuple[Any, str]


def place(row: dict[str, Any], sort_by: str) -> Place:
    """Return what a branch is sorted by; the id decides between equals."""
    return row[sort_by], row["id"]


def write(row: dict[str, Any], sort_by: str, *, ascending: bool) -> str:
    """Return the cursor that continues after a branch, wherever that is by then."""
    value, branch_id = place(row, sort_by)
    written = value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
    order = _order(ascending)
    content = {"branch_id": branch_id, "sort_by": sort_by, "sort_by_value": written, "sort_order": order}
    plain = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(plain.encode()).decode()  # so that nothing but its end has to be escaped in a URL


def read(cursor: str, sort_by: str, *, ascending: bool) -> Place:
    """Return the place in the order after which a page begins; raises BadRequest for a cursor of another order."""
    try:
        content = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
        if (content["sort_by"], content["sort_order"]) != (sort_by, _order(ascending)):
            raise BadRequest("invalid request: cursor belongs to another sort_by or sort_order")
        value, branch_id = content["sort_by_value"], content["branch_id"]
        if not (isinstance(value, str) and isinstance(branch_id, str)):
            raise TypeError
        return value if sort_by == "name" else datetime.fromisoformat(value).astimezone(UTC), branch_id
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise BadRequest("invalid request: cursor is none that this list has given") from None


def _order(ascending: bool) -> str:
    return "ASC" if ascending else "DESC"
