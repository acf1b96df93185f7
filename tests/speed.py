"""How fast the machine is at the moment, so that a limit in seconds means the same everywhere."""

import time

# A machine that others share has bad moments: what is missed is measured again, so often in all.
MEASUREMENTS = 3
ADDITIONS = 1_000_000
# What they take on a machine on which the limits hold as they are written.
REFERENCE_SECONDS = 0.08


def slowness() -> float:
    """Return how many times slower than the reference this machine is now; at least 1."""
    start, total = time.perf_counter(), 0
    for number in range(ADDITIONS):
        total += number
    return max(1.0, (time.perf_counter() - start) / REFERENCE_SECONDS)
