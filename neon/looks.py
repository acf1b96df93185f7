"""When to look whether operations have ended: seldom until they probably have, then often."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NamedTuple

from neon.types import Operation

# A look costs one of 700 requests a minute, so they grow apart. Until the end is expected a wait is at most half too
# long, should operations have become quicker. Then it is an eighth of the time in which the end is expected, or a 120th
# of the whole where that is less, and in the end a twelfth of what they take longer.
FIRST, FINEST, LAST = 0.05, 0.02, 1.0
SHARE_BEFORE, SHARE_AT_END, SHARE_OF_ALL, SHARE_AFTER = 2, 8, 120, 12
# As long as the quickest of the last few took, they will probably take, or a little less.
REMEMBERED = 5
AT_LEAST = 0.9


class End(NamedTuple):
    """When operations end, in seconds after they began: after the one, and by the other."""

    earliest: float
    latest: float

    def is_sharper(self, other: End) -> bool:
        """Tell whether both may have taken the same time, and this one was seen more sharply."""
        overlap = self.earliest <= other.latest and other.earliest <= self.latest
        return overlap and self.latest - self.earliest < other.latest - other.earliest


UNKNOWN = End(0.0, 0.0)


class Looks:
    """How long operations of each kind took lately, in seconds; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._took: dict[str, tuple[End, ...]] = {}  # the newest last

    def expected(self, operations: Iterable[Operation]) -> End:
        """Return when these will probably end, as the last few of their kind did; UNKNOWN when there were none."""
        took = self._took.get(_kind(operations), ())
        return End(min(end.earliest for end in took), max(end.latest for end in took)) if took else UNKNOWN

    def note(self, operations: Iterable[Operation], *, at_work: float, ended: float) -> None:
        """Remember how long these were seen at work, and after how long they were seen to have ended."""
        kind, newest = _kind(operations), End(max(at_work, AT_LEAST * ended), ended)
        with self._lock:
            older = (newest if newest.is_sharper(end) else end for end in self._took.get(kind, ()))
            self._took[kind] = (*older, newest)[-REMEMBERED:]


def pause(elapsed: float, expected: End) -> float:
    """Return the seconds until the next look."""
    earliest, latest = expected
    if elapsed < earliest:
        return max(min(max(elapsed / SHARE_BEFORE, FIRST), earliest - elapsed, LAST), FINEST)
    least = max(min((latest - earliest) / SHARE_AT_END, earliest / SHARE_OF_ALL), FINEST) if earliest else FIRST
    return min(max((elapsed - earliest) / SHARE_AFTER, least), LAST)


def _kind(operations: Iterable[Operation]) -> str:
    return " ".join(sorted(operation.action for operation in operations))
