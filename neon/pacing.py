"""How fast requests may go to Neon: one pacer, shared by all threads of a process."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from neon.errors import RateLimited

# Neon allows an account 700 requests a minute, and bursts of 40 a second. We stay below, as requests that left in
# order may arrive bunched, and as a second process (a web server beside the worker) asks for something now and then.
# Those of a minute are spread over it: after all of them at once everybody else would wait for its end.
PER_TEN_SECONDS = 100
PER_SECOND = 30
TEN_SECONDS, SECOND = 10.0, 1.0


class Pacer:
    """Lets requests go, at most so many in any second and in any ten seconds.

    Whoever comes gets the next free moment, in the order of coming, and sleeps until then; nobody sleeps holding
    the lock.
    """

    def __init__(
        self,
        *,
        per_second: int = PER_SECOND,
        per_ten_seconds: int = PER_TEN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._windows = ((per_second, SECOND), (per_ten_seconds, TEN_SECONDS))
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        # When the last requests went or will go, in order; no window needs more of them.
        self._moments: deque[float] = deque(maxlen=max(per_second, per_ten_seconds))

    def wait(self, deadline: float) -> None:
        """Wait until a request may go; raises RateLimited at once when that is not before *deadline*."""
        with self._lock:
            now = self._clock()
            free = [self._moments[-most] + span for most, span in self._windows if len(self._moments) >= most]
            moment = max([now, *free])
            if moment > deadline:
                raise RateLimited(f"our own pace allows no request for {moment - now:.1f} s, which is too late")
            self._moments.append(moment)
        if moment > now:
            self._sleep(moment - now)
