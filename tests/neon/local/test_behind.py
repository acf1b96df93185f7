"""A transaction sent right behind statements that cannot be part of one: it comes to pass only if they have."""

import psycopg
import pytest
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from neon.local import cluster, postgres
from tests.neon.local import plane

KEEP = "INSERT INTO kept VALUES (%s) RETURNING n"


@pytest.fixture
def connection():
    """A session that prepares what it does, as the plane's do."""
    where = postgres.server().address()
    with psycopg.connect(**where, autocommit=True, row_factory=dict_row, prepare_threshold=1) as connection:
        connection.execute("CREATE TEMPORARY TABLE kept (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        yield connection


@pytest.fixture
def other_session():
    with psycopg.connect(**postgres.server().address(), autocommit=True) as session:
        yield session


@pytest.fixture
def creating(connection):
    """Two statements that make a database each, as none of a transaction can."""
    names = [cluster.new_name("db") for _ in range(2)]
    yield [sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) for name in names]
    for name in names:
        cluster.drop(connection, name)


def keep(connection, statements, *numbers, then=lambda: None):
    """Keep the numbers behind the statements, and return what the first answer says."""
    with cluster.behind(connection, statements):
        answers = [connection.execute(KEEP, [number]) for number in numbers]
        then()
    return next(answers[0])


def kept(connection):
    assert connection.info.transaction_status == TransactionStatus.IDLE
    return [row["n"] for row in connection.execute("SELECT n FROM kept").fetchall()]


def databases():
    return {name for name in plane.names_in_cluster() if name.startswith("db_")}


def test_all_of_it_comes_to_pass_and_the_answers_are_there_afterwards(connection, creating):
    before = databases()
    assert keep(connection, creating, 1, 2) == {"n": 1}
    assert kept(connection) == [1, 2]
    assert len(databases() - before) == 2


def test_nothing_of_it_comes_to_pass_when_a_statement_before_it_fails(connection, creating, caplog):
    before = databases()
    with pytest.raises(psycopg.errors.DiskFull):
        keep(connection, [creating[0], plane.DISK_FULL], 1)
    assert kept(connection) == []
    assert len(databases() - before) == 1
    assert not caplog.records


def test_that_failure_comes_out_where_the_block_asks_for_something(connection, caplog):
    passed = []

    def ask():
        connection.execute("SELECT n FROM kept").fetchall()
        passed.append("asked")

    keep(connection, [], 1, then=ask)
    with pytest.raises(psycopg.errors.DiskFull):
        keep(connection, [plane.DISK_FULL], 2, then=ask)
    assert passed == ["asked"]
    assert kept(connection) == [1]
    assert not caplog.records


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT 1 / 0", psycopg.errors.DivisionByZero),
        ("INSERT INTO kept VALUES (1)", psycopg.errors.UniqueViolation),  # only found when it is committed
    ],
)
def test_nothing_of_it_comes_to_pass_when_it_fails_itself(connection, statement, error):
    with pytest.raises(error):
        keep(connection, [], 1, then=lambda: connection.execute(statement))
    assert kept(connection) == []


def test_nothing_of_it_comes_to_pass_when_the_caller_fails_and_the_server_does_not(connection, creating):
    def fail():
        raise LookupError

    with pytest.raises(LookupError):
        keep(connection, creating, 1, then=fail)
    assert kept(connection) == []


def test_what_was_to_be_prepared_while_all_was_skipped_is_prepared_the_next_time(connection):
    keep(connection, [], 1)
    with pytest.raises(psycopg.errors.DiskFull):
        keep(connection, [plane.DISK_FULL], 2)
    keep(connection, [], 3)
    assert kept(connection) == [1, 3]


def test_why_a_session_has_ended_is_what_comes_out(connection, other_session):
    def end():
        other_session.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        connection.execute("SELECT pg_sleep(10)").fetchall()

    with pytest.raises(psycopg.OperationalError, match="terminat"):
        keep(connection, [], 1, then=end)
    assert connection.closed


def test_it_is_no_part_of_another_transaction(connection):
    with pytest.raises(RuntimeError), connection.transaction():
        keep(connection, [], 1)
    assert kept(connection) == []
