"""How Postgres goes about a page of the list."""

import pytest

from contacts import paging


def explaining(statements):
    """Return a function that returns the plans of statements instead."""
    return lambda *shape, **more: [b"EXPLAIN " + statement for statement in statements(*shape, **more)]


def plan(uri, version, wanted):
    """Return the plan for a page; of its last statement, if there are two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paging, "_statements", explaining(paging._statements))
        patch.setattr(paging, "from_row", lambda **row: row["QUERY PLAN"])
        return "\n".join(paging.read(uri, version, wanted).contacts)
