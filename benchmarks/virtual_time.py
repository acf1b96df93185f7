"""Time that passes only while everybody waits: minutes of work, with all its waiting, go by in seconds."""

import itertools
import threading
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import psycopg
from psycopg import sql

# Names that are not qualified are looked up here first, and so the server tells this time to those who ask for it.
INSTALL = """
CREATE SCHEMA virtual;
CREATE TABLE virtual.clock (at timestamptz NOT NULL);
INSERT INTO virtual.clock VALUES (pg_catalog.clock_timestamp());
CREATE FUNCTION virtual.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT at FROM virtual.clock';
CREATE FUNCTION virtual.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT at FROM virtual.clock';
"""
LOOK_THERE_FIRST = "ALTER DATABASE {} SET search_path = virtual, public, pg_catalog"
GO_ON = "UPDATE virtual.clock SET at = at + make_interval(secs => %s)"


class Clock:
    """The time, and the threads that live in it, of which one runs while the others sleep or wait to be woken."""

    def __init__(self) -> None:
        self.now = 0.0
        self.failure: BaseException | None = None
        self._sleepers: list[tuple[float, int, threading.Semaphore]] = []
        self._order = itertools.count()
        self._still = threading.Event()
        self._stopped = False

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let others run until that time has passed."""
        me = threading.Semaphore(0)
        self.wake(me, after=seconds)
        self.wait(me)

    def wake(self, who: threading.Semaphore, *, after: float = 0.0) -> None:
        """Let somebody who waits run, when those have run who are to run before."""
        heappush(self._sleepers, (self.now + max(0.0, after), next(self._order), who))

    def wait(self, me: threading.Semaphore) -> None:
        """Let others run until somebody wakes us."""
        self._pass_on()
        me.acquire()

    def start(self, work: Callable[[], None]) -> None:
        """Start a thread that lives in this time, from now on."""
        me = threading.Semaphore(0)
        self.wake(me)

        def live() -> None:
            me.acquire()
            try:
                work()
            except BaseException as error:
                self.failure = error
                self._sleepers.clear()
            self._pass_on()

        threading.Thread(target=live, daemon=True).start()

    def run(self) -> None:
        """Let time pass until nobody sleeps any more; raises what a thread has raised."""
        self._still.clear()
        self._pass_on()
        try:
            self._still.wait()
        except BaseException:  # interrupted: nobody goes on while the process ends
            self._stopped = True
            raise
        if self.failure:
            raise self.failure

    def _pass_on(self) -> None:
        if self._stopped:
            return
        if not self._sleepers:
            self._still.set()
            return
        self.now, _, who = heappop(self._sleepers)
        who.release()


class ServerClock:
    """Makes the sessions that a database gets from now on tell a clock's time, counted from this moment."""

    def __init__(self, connection: psycopg.Connection[Any], database: str, clock: Clock) -> None:
        self._connection, self._clock, self._told = connection, clock, clock.now
        connection.execute(INSTALL)
        connection.execute(sql.SQL(LOOK_THERE_FIRST).format(sql.Identifier(database)))

    def follow(self) -> None:
        """Tell the server what the time is."""
        if self._clock.now > self._told:
            self._connection.execute(GO_ON, [self._clock.now - self._told])
            self._told = self._clock.now
