"""How Postgres goes about a page of the list."""

import pytest

from contacts import paging


def explaining(compose):
    """Return a function that composes the same statement, for its plan."""
    return lambda *shape, **more: b"EXPLAIN " + compose(*shape, **more)


def plan(uri, version, wanted):
    """Return the plan for a page; of its last statement, if there are two."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_near", "_far"):
            patch.setattr(paging, name, explaining(getattr(paging, name)))
        patch.setattr(paging, "from_row", lambda **row: row["QUERY PLAN"])
        return "\n".join(paging.read(uri, version, wanted).contacts)
