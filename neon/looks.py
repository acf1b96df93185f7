"""When to look whether operations have ended: seldom until they probably have, then often."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterable

from neon.types import Operation

# A look costs one of 700 requests a minute, so they grow apart. Until the end is expected a wait is at most half too
# long, should operations have become quicker; then, by a 120th; and by a twelfth of what they take longer.
FIRST, FINEST, LAST = 0.05, 0.02, 1.0
SHARE_BEFORE, SHARE_AT_END, SHARE_AFTER = 2, 120, 12
# As long as the quickest of the last few took, they will probably take, or a little less.
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
            return min(self._took.get(_kind(operations), ()), default=0.0)

    def note(self, operations: Iterable[Operation], *, at_work: float, ended: float) -> None:
        """Remember how long these were seen at work, and after how long they were seen to have ended."""
        with self._lock:
            self._took[_kind(operations)].append(max(at_work, AT_LEAST * ended))


def pause(elapsed: float, expected: float) -> float:
    """Return the seconds until the next look."""
    if elapsed < expected:
        return max(min(max(elapsed / SHARE_BEFORE, FIRST), expected - elapsed, LAST), FINEST)
    least = max(expected / SHARE_AT_END, FINEST) if expected else FIRST
    return min(max((elapsed - expected) / SHARE_AFTER, least), LAST)


def _kind(operations: Iterable[Operation]) -> str:
    return " ".join(sorted(operation.action for operation in operations))
