"""What the plane does by itself in a process that stays: build spares, and finish restores when their time has come.

Nothing depends on it. Without it restores have no spares, and one that is due is finished by whoever looks first.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg

from neon.local import postgres, store
from neon.local.engine import restores, spares

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
# Without an announcement: there may be room on the disk again, for spares.
AGAIN_SECONDS = 10.0
# After a failure, which may be of a kind that is not over so soon.
PAUSE_SECONDS = 30.0
# A spare that is being built need not be finished: it is swept. A swap takes less.
STOP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Duty:
    """What is done when the plane announces that there may be something to do, and now and then."""

    name: str
    channel: str
    delay: float  # in seconds, from an announcement on
    work: Callable[[], float]  # returns when, by the monotonic clock, to do it again unannounced


def _build_spares() -> float:
    complete = spares.build()
    return time.monotonic() + (AGAIN_SECONDS if complete else LOOK_SECONDS)


def _finish_restores() -> float:
    with store.connection() as connection:
        # Asked for first, so that none becomes due between the two.
        then = time.monotonic() + min(restores.seconds_until_due(connection), AGAIN_SECONDS)
        restores.finish_just_due(connection)
        return then


DUTIES = (
    # Not at once: somebody still waits for what the announcement was part of.
    Duty("spares", spares.CHANNEL, LOOK_SECONDS, _build_spares),
    Duty("restores", restores.CHANNEL, 0.0, _finish_restores),
)


@contextlib.contextmanager
def working() -> Iterator[None]:
    """Let threads do all that, as long as this lasts."""
    stop = threading.Event()
    threads = [threading.Thread(target=_attend, args=[duty, stop], name=duty.name, daemon=True) for duty in DUTIES]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(STOP_SECONDS)


def _attend(duty: Duty, stop: threading.Event) -> None:
    pause = LOOK_SECONDS
    while not stop.wait(pause):
        pause = LOOK_SECONDS
        if postgres.server().known() is None:
            continue  # whoever uses the server starts it
        try:
            _work_as_announced(duty, stop)
        except psycopg.OperationalError as error:  # the server may be away for a while, or its disk full
            logger.warning("Background work (%s) failed and is tried again: %s", duty.name, type(error).__name__)
            pause = PAUSE_SECONDS
        except Exception:
            logger.exception("Background work (%s) failed and is tried again", duty.name)
            pause = PAUSE_SECONDS


def _work_as_announced(duty: Duty, stop: threading.Event) -> None:
    with store.connection(keep=False) as connection:
        connection.execute(f"LISTEN {duty.channel}")
        due = 0.0
        while not stop.is_set():
            if time.monotonic() >= due:
                due = duty.work()
            timeout = min(max(due - time.monotonic(), 0.0), LOOK_SECONDS)
            for _ in connection.notifies(timeout=timeout, stop_after=1):
                due = min(due, time.monotonic() + duty.delay)
