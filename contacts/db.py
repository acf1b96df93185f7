"""How an app database is reached: time limits, the pool of idle connections, and psycopg's errors made ours.

`read` and `write` lend a connection to a function. A restore ends every connection of its database, and
closes it to new ones for an instant: a read does not notice, as it is repeated; a write only waits until
it can connect.
"""

import atexit
import contextlib
import hashlib
import os
import re
import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import conninfo, errors, pq

from contacts.errors import (
    AppDatabaseError,
    Busy,
    DuplicateEmail,
    InvalidInput,
    NoSpace,
    Rejected,
    TableMissing,
    Unavailable,
)

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 10
LOCK_SECONDS = 3
RETRY_SECONDS = 5.0
# A database that is copied lets nobody in, for two to six seconds a gigabyte, and is then as it was.
CLOSED_SECONDS = 20.0
LONGEST_PAUSE = 0.5
# How often a statement must come for psycopg to prepare it unasked.
NEVER = 2**31
# Shared by all app databases of a process: many users, and most of them idle.
IDLE_LIMIT = 32

# psycopg gives no SQLSTATE for a refused connection, only the server's text. These pass within seconds ...
CLOSED = "not currently accepting connections"  # while it is copied or swapped
PASSING = re.compile(
    CLOSED + '|database "[^"]*" does not exist'  # between the two renames of a swap
    "|is being accessed by other users"
    "|starting up|not yet accepting connections|in recovery mode|shutting down"
    "|terminating connection"
    "|server closed the connection unexpectedly|connection has been closed unexpectedly|Connection reset by peer"
    "|too many connections|too many clients|remaining connection slots"
)
# ... and these do not. What matches either is safe to quote, and nothing else is.
LASTING = re.compile("password authentication failed|Connection refused|timeout expired|resolve host")

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")


def read(uri: str, work: Callable[[Connection], T]) -> T:
    """Run *work*, which changes nothing, and run it again when its connection is lost, for up to 5 s.

    A database that is closed is waited for for 20 s. Raises AppDatabaseError.
    """

    def attempt() -> T:
        with _lent(uri, _idle.take(uri) or connect(uri)) as connection:
            return work(connection)

    return _patiently(attempt)


def write(uri: str, work: Callable[[Connection], T]) -> T:
    """Run *work* once; only connecting is tried again, as nobody knows what a lost connection had done.

    Raises AppDatabaseError.
    """
    connection = _idle.take(uri) or _patiently(lambda: connect(uri))
    with _lent(uri, connection):
        return work(connection)


def forget(uri: str) -> None:
    """Close the idle connections to a database that is about to go."""
    _idle.forget(uri)


def connect(uri: str) -> Connection:
    """Open a connection with our time limits, in autocommit; raises Unavailable."""
    try:
        parameters = conninfo.conninfo_to_dict(uri)
        limits = f"-c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout={LOCK_SECONDS}s"
        parameters |= {
            "application_name": "contacts",
            "connect_timeout": CONNECT_SECONDS,
            "options": f"{parameters.get('options', '')} {limits}".strip(),
            # Statement limits are the server's. These notice that there is no server any more.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": round(STATEMENT_SECONDS * 1000),
        }
        # Nothing is prepared that does not ask for it: plans may break when a restore or a step changes the schema.
        return psycopg.connect(**parameters, autocommit=True, prepare_threshold=NEVER)  # type: ignore[arg-type]
    except (psycopg.Error, ValueError) as error:
        text = str(error)
        passing = PASSING.search(text)
        known = re.sub('"[^"]*"', "...", passing[0]) if passing else (LASTING.search(text) or [type(error).__name__])[0]
        detail = f"cannot connect: {known}"
    raise Unavailable(detail, passing=passing is not None)


class IdleConnections:
    """Connections waiting for their next use, at most *limit* for all databases, least recently used first.

    It has no thread of its own: whether a connection is still good is looked at when it is taken.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.start_anew()

    def start_anew(self) -> None:
        """Begin empty, without closing anything: in a forked process the connections are the parent's."""
        self._mutex = threading.Lock()
        self._connections: list[tuple[bytes, Connection]] = []

    def __len__(self) -> int:
        return len(self._connections)

    def take(self, uri: str) -> Connection | None:
        """Return a good connection to this database, or None."""
        key = _key(uri)
        while True:
            with self._mutex:
                places = [place for place, (owner, _) in enumerate(self._connections) if owner == key]
                if not places:
                    return None
                _, connection = self._connections.pop(places[-1])
            if _is_quiet(connection):
                return connection
            connection.close()

    def put(self, uri: str, connection: Connection) -> None:
        """Keep a connection for its next use, or close it when it is not fit for one."""
        surplus = [connection]
        if connection.info.transaction_status == pq.TransactionStatus.IDLE:
            with self._mutex:
                self._connections.append((_key(uri), connection))
                excess = max(0, len(self._connections) - self._limit)
                surplus = [old for _, old in self._connections[:excess]]
                del self._connections[:excess]
        _close(surplus)

    def forget(self, uri: str) -> None:
        """Close all connections to this database."""
        key = _key(uri)
        with self._mutex:
            surplus = [connection for owner, connection in self._connections if owner == key]
            self._connections = [pair for pair in self._connections if pair[0] != key]
        _close(surplus)

    def clear(self) -> None:
        """Close all connections."""
        with self._mutex:
            surplus = [connection for _, connection in self._connections]
            self._connections = []
        _close(surplus)


_idle = IdleConnections(IDLE_LIMIT)
os.register_at_fork(after_in_child=_idle.start_anew)
atexit.register(_idle.clear)


def _key(uri: str) -> bytes:
    """Name a database without keeping its password in one more place."""
    return hashlib.sha256(uri.encode()).digest()


def _is_quiet(connection: Connection) -> bool:
    """Tell, without a round trip, that the server said nothing: to an idle client it only says good-bye."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def _close(connections: list[Connection]) -> None:
    for connection in connections:
        connection.close()


@contextlib.contextmanager
def _lent(uri: str, connection: Connection) -> Iterator[Connection]:
    """Lend a connection, make psycopg's errors ours, and take the connection back."""
    try:
        yield connection
    except psycopg.Error as error:
        raise _ours(error, connection) from None
    except UnicodeEncodeError:
        raise InvalidInput("not valid Unicode") from None
    finally:
        _idle.put(uri, connection)


def _ours(error: psycopg.Error, connection: Connection) -> AppDatabaseError:
    detail = f"{type(error).__name__} {error.sqlstate or ''}".strip()
    match error:
        case errors.AdminShutdown() | errors.CrashShutdown() | errors.CannotConnectNow():
            return Unavailable(detail, passing=True)
        case errors.DiskFull():
            return NoSpace(detail)
        case errors.QueryCanceled():
            return Unavailable(detail)
        case errors.LockNotAvailable() | errors.DeadlockDetected() | errors.SerializationFailure():
            return Busy(detail)
        case (
            errors.UndefinedTable() | errors.UndefinedColumn() | errors.InvalidSchemaName() | errors.DatatypeMismatch()
        ):
            return TableMissing(detail)
        case errors.UniqueViolation() if error.diag.constraint_name == "contacts_email_key":
            return DuplicateEmail(detail)
        case psycopg.DataError() | errors.ProgramLimitExceeded():  # the latter: too long for its index
            return InvalidInput(detail)
        case _ if connection.closed:
            return Unavailable(f"connection lost: {detail}", passing=True)
        case _:
            return Rejected(detail)


def _patiently(call: Callable[[], T]) -> T:
    """Repeat *call* while the database is gone for a moment only, for each reason by itself."""
    end = time.monotonic() + CLOSED_SECONDS + RETRY_SECONDS
    reason, deadline, pause = "", 0.0, 0.005
    while True:
        try:
            return call()
        except Unavailable as error:
            now = time.monotonic()
            if str(error) != reason:  # as when it was closed, and is between two renames now
                reason = str(error)
                deadline = min(end, now + (CLOSED_SECONDS if CLOSED in reason else RETRY_SECONDS))
            if not error.passing or now + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
