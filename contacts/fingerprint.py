"""What an app database holds, in short, so that it can be compared with its checkpoint whoever wrote since.

A fingerprint has a hash of the schema, the number of rows of every table, the last value of every
sequence, and the horizon: the transaction id from which on whatever writes is later than the fingerprint.
Every row carries the id of the transaction that wrote it (`xmin`), and a copy of the database keeps it,
so one scan that counts rows and those written since the horizon finds every insert, update and delete. So it is
with the rows that describe the schema: while they are the same ones, it need not be read to be the same.

Ids of transactions mean something along one history only: compare a database with the checkpoint that it
was made from or returned to, never with one from another branch of the tree.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib import resources
from typing import Any

from psycopg import Cursor, sql

from contacts import db

DESCRIBED = resources.files("contacts").joinpath("sql", "described.sql").read_bytes()
CATALOG = resources.files("contacts").joinpath("sql", "catalog.sql").read_bytes()
RELATIONS = resources.files("contacts").joinpath("sql", "relations.sql").read_bytes()

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# The search path is emptied so that names come out qualified, whatever the database's settings are.
LIMIT = "SELECT set_config('statement_timeout', %s, true), set_config('search_path', '', true)"
MOMENT = """
    SELECT
        pg_snapshot_xmax(snapshot)::text::bigint,
        ARRAY(SELECT pg_snapshot_xip(snapshot)::text::bigint)
    FROM pg_current_snapshot() AS snapshot
"""
COUNT = sql.SQL("SELECT count(*), 0 FROM ONLY {table}")
# `xmin` has 32 bits and no order, and keeps its value when the row is frozen. `age` is how many
# transactions ago it was, modulo 2^32 and signed: later than the horizon means between 1 and the
# horizon's own age. Rows older than two billion transactions come out negative, the permanent ids 1 and 2
# as the largest number: rightly outside.
COUNT_WRITTEN = sql.SQL("""
    SELECT
        count(*),
        count(*) FILTER (
            WHERE age(xmin) BETWEEN 1 AND age({horizon}::xid) OR xmin = ANY ({in_progress}::xid[])
        )
    FROM ONLY {table}
""")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a database held at one moment.

    `in_progress` are the transactions that had not ended then: what they commit afterwards is a difference, although
    their ids are before the horizon. Postgres names the outer ones only, so what such a transaction updated inside a
    savepoint goes unseen.
    """

    schema: str
    tables: dict[str, int]
    sequences: dict[str, int | None]
    horizon: int
    in_progress: tuple[int, ...] = ()
    columns: dict[str, list[str]] = field(default_factory=dict)  # of each table; empty where it was not recorded
    description: str = ""  # of the schema, by who wrote its rows; empty where it was not recorded

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return asdict(self) | {"in_progress": list(self.in_progress)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Fingerprint:
        """Return the fingerprint that `to_json` turned into *data*."""
        return cls(**data | {"in_progress": tuple(data["in_progress"])})


@dataclass(frozen=True, slots=True)
class TableDifference:
    """A table that is not as it was; the number of rows is None where the table does not exist."""

    name: str
    rows_then: int | None
    rows_now: int | None
    rows_written: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How a database differs from its fingerprint; false when it does not."""

    schema_changed: bool
    tables: tuple[TableDifference, ...]
    sequences: tuple[str, ...]
    columns_added: tuple[str, ...] = ()  # to tables that were there before, each after its table's name
    columns_gone: tuple[str, ...] = ()
    now: Fingerprint | None = field(default=None, compare=False, repr=False)  # what it was compared with

    def __bool__(self) -> bool:
        return self.is_of_content or bool(self.sequences)

    @property
    def is_of_content(self) -> bool:
        """Tell whether schema or rows differ.

        Postgres logs sequences 32 values ahead, so they jump in a restored database, or when a compute starts anew.
        """
        return self.schema_changed or bool(self.tables)


def take(uri: str, *, seconds: float = db.STATEMENT_SECONDS) -> Fingerprint:
    """Return the fingerprint of a database; no statement takes longer than *seconds*.

    Raises AppDatabaseError.
    """
    fingerprint, _ = db.read(uri, lambda connection: _look(connection, None, seconds))
    return fingerprint


def compare(uri: str, then: Fingerprint, *, seconds: float = db.STATEMENT_SECONDS) -> Difference:
    """Say how a database differs from what it was; no statement takes longer than *seconds*.

    Raises AppDatabaseError.
    """
    now, written = db.read(uri, lambda connection: _look(connection, then, seconds))
    tables = (
        TableDifference(name, then.tables.get(name), now.tables.get(name), written.get(name, 0))
        for name in sorted(then.tables.keys() | now.tables.keys())
    )
    return Difference(
        schema_changed=then.schema != now.schema,
        tables=tuple(table for table in tables if table.rows_then != table.rows_now or table.rows_written),
        sequences=tuple(sorted({name for name, _ in then.sequences.items() ^ now.sequences.items()})),
        columns_added=_columns_only_in(now, then),
        columns_gone=_columns_only_in(then, now),
        now=now,
    )


def _columns_only_in(one: Fingerprint, other: Fingerprint) -> tuple[str, ...]:
    """Return the columns that a table has in one and not in the other, in which the table is too."""
    return tuple(
        f"{table}.{column}"
        for table, columns in sorted(one.columns.items())
        if table in other.columns
        for column in columns
        if column not in other.columns[table]
    )


def _look(connection: db.Connection, since: Fingerprint | None, seconds: float) -> tuple[Fingerprint, dict[str, int]]:
    """Return the fingerprint of this moment, and per table how many rows were written since an earlier one.

    An error leaves the transaction open; the pool then closes the connection.
    """
    moment, description, relations = (connection.cursor() for _ in range(3))
    with connection.pipeline():
        connection.execute(BEGIN)
        connection.execute(LIMIT, [f"{seconds * 1000:.0f}"])
        moment.execute(MOMENT)
        # Prepared, as to plan them takes as long as to execute them; Postgres' own tables do not change.
        description.execute(DESCRIBED, prepare=True)
        relations.execute(RELATIONS, prepare=True)
    [(horizon, in_progress)] = moment
    [(described,)] = description
    sequences, counts, columns = {}, {}, {}
    with connection.pipeline():
        for namespace, relation, name, is_sequence, last_value, names in relations:
            if is_sequence:
                sequences[name] = last_value
            else:
                columns[name] = names
                counts[name] = _count(connection, sql.Identifier(namespace, relation), since)
        known = since.schema if since and since.description == described else ""
        catalog = None if known else connection.execute(CATALOG, prepare=True)
        connection.execute("COMMIT")
    schema = catalog.fetchall()[0][0] if catalog else known
    rows = {name: cursor.fetchall()[0] for name, cursor in counts.items()}
    tables = {name: count for name, (count, _) in rows.items()}
    written = {name: later for name, (_, later) in rows.items()}
    return Fingerprint(schema, tables, sequences, horizon, tuple(in_progress), columns, described), written


def _count(connection: db.Connection, table: sql.Identifier, since: Fingerprint | None) -> Cursor[tuple[Any, ...]]:
    if since is None:
        return connection.execute(COUNT.format(table=table))
    # An xid is the lower 32 bits of what a fingerprint has. Both go in as literals: next to parameters, a percent
    # sign in a table's name would be taken for one.
    horizon, *in_progress = (str(xid % 2**32) for xid in (since.horizon, *since.in_progress))
    return connection.execute(
        COUNT_WRITTEN.format(table=table, horizon=sql.Literal(horizon), in_progress=sql.Literal(in_progress))
    )
