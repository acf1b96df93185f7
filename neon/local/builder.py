"""Builds spares in the background: when the plane announces that other ones may be useful, and now and then."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

import psycopg

from neon.local import postgres, store
from neon.local.engine import spares

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
# Without an announcement: there may be room on the disk again.
AGAIN_SECONDS = 10.0
# After a failure, which may be of a kind that is not over so soon.
PAUSE_SECONDS = 30.0
# What is being built need not be finished: it is swept.
STOP_SECONDS = 1.0


@contextlib.contextmanager
def building() -> Iterator[None]:
    """Let a thread build the spares that are missing, as long as this lasts."""
    stop = threading.Event()
    thread = threading.Thread(target=_build, args=[stop], name="spares", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOP_SECONDS)


def _build(stop: threading.Event) -> None:
    pause = LOOK_SECONDS
    while not stop.wait(pause):
        pause = LOOK_SECONDS
        if postgres.server().known() is None:
            continue  # whoever uses the server starts it
        try:
            _build_as_announced(stop)
        except psycopg.OperationalError as error:  # the server may be away for a while, or its disk full
            logger.warning("Building spares failed and is tried again: %s", type(error).__name__)
            pause = PAUSE_SECONDS
        except Exception:
            logger.exception("Building spares failed and is tried again")
            pause = PAUSE_SECONDS


def _build_as_announced(stop: threading.Event) -> None:
    with store.connection(keep=False) as connection:
        connection.execute(f"LISTEN {spares.CHANNEL}")
        due = 0.0
        while not stop.is_set():
            if time.monotonic() >= due:
                complete = spares.build()
                due = time.monotonic() + (AGAIN_SECONDS if complete else LOOK_SECONDS)
            for _ in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                # Not at once: somebody still waits for what the announcement was part of.
                due = min(due, time.monotonic() + LOOK_SECONDS)
