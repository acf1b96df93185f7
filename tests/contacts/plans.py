"""How Postgres goes about a page of the list."""

import pytest
from psycopg import sql

from contacts import paging


def plan(uri, version, wanted):
    """Return the plan for a page; of its last statement, if there are two."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NEAR", "FAR"):
            patch.setattr(paging, name, sql.SQL("EXPLAIN " + getattr(paging, name).as_string()))
        patch.setattr(paging, "from_row", lambda **row: row["QUERY PLAN"])
        return "\n".join(paging.read(uri, version, wanted).contacts)
