"""Waiting for what somebody else does."""

import time


def until(look, seconds=15):
    """Return what *look* returns as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.01)
    return seen
