"""When to look whether operations have ended: seldom until they probably have, then often."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterable

from neon.types import Operation

# A look costs one of 700 requests a minute, so they grow apart. While the end is not expected yet, a wait is at most
# half too long, should operations have become quicker; afterwards, by a twelfth of what they take longer than expected.
FIRST, LAST = 0.05, 1.0
SHARE_BEFORE, SHARE_AFTER = 2, 12
# As long as the quickest of the last few took, they will probably take, or a tenth less.
REMEMBERED = 5
AT_LEAST = 0.9


class Looks:
    """How long operations of each kind took lately, in seconds; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._took: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def expected(self, operations: Iterable[Operation]) -> float:
        """Return the seconds before which these have hardly ended; 0 when it is not known."""
        with self._lock:
            return AT_LEAST * min(self._took.get(_kind(operations), ()), default=0.0)

    def note(self, operations: Iterable[Operation], seconds: float) -> None:
        """Remember how long these took."""
        with self._lock:
            self._took[_kind(operations)].append(seconds)


def pause(elapsed: float, expected: float) -> float:
    """Return the seconds until the next look."""
    if elapsed < expected:
        return max(min(elapsed / SHARE_BEFORE, expected - elapsed, LAST), FIRST)
    return min(max((elapsed - expected) / SHARE_AFTER, FIRST), LAST)


def _kind(operations: Iterable[Operation]) -> str:
    return " ".join(sorted(operation.action for operation in operations))
