"""A client that writes all the time: for how long could it not?"""

import contextlib
import threading
import time
from collections.abc import Sequence
from itertools import pairwise

import psycopg

EVERY_SECONDS = 0.001
# While it is shut out it tries again, more and more rarely: it must not keep a processor busy that copies.
RETRY_SECONDS, RETRY_MOST_SECONDS = 0.001, 0.02
START_SECONDS = 30


def longest_gap(moments: Sequence[float], begun: float, ended: float) -> float:
    """Return the longest time between two moments that touches the time between *begun* and *ended*."""
    return max(after - before for before, after in pairwise(moments) if after > begun and before < ended)


class Client:
    """Writes a row every millisecond, each in a transaction of its own, and connects again when it is thrown out.

    It comes back at once, or stays *away* for some seconds, where it would be in the way of what is measured.
    """

    def __init__(self, uri: str, *, away: float) -> None:
        self._uri, self._away = uri, away
        self._written: list[float] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> "Client":
        self._thread.start()
        self._write_after(0.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def longest_gap(self, begun: float, ended: float) -> float:
        """Return the longest time without a write that touches the time between two moments; waits for the next."""
        self._write_after(ended)
        return longest_gap(self._written, begun, ended)

    def _write_after(self, moment: float) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._written or self._written[-1] <= moment:
            if time.monotonic() > deadline:
                raise TimeoutError("The client that writes all the time is shut out for good.")
            time.sleep(EVERY_SECONDS)

    def _live(self) -> None:
        retry = RETRY_SECONDS
        while not self._stopping.is_set():
            before = len(self._written)
            with contextlib.suppress(psycopg.Error), psycopg.connect(self._uri, autocommit=True) as connection:
                self._write(connection)
            if len(self._written) > before:
                retry = RETRY_SECONDS
                self._stopping.wait(self._away)
            else:  # it did not get in, or found no table yet
                self._stopping.wait(retry)
                retry = min(retry * 1.5, RETRY_MOST_SECONDS)

    def _write(self, connection: psycopg.Connection) -> None:
        while not self._stopping.is_set():
            connection.execute("INSERT INTO ticks DEFAULT VALUES")
            self._written.append(time.perf_counter())
            self._stopping.wait(EVERY_SECONDS)
