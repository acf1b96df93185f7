"""Where a process can be killed: between any two of its round trips to a Postgres server.

Whatever lasts is done by such a round trip: in the meta database, in the plane's tables, in the cluster, in an app
database. So a kill before each of them leaves, one after the other, every state that there is to be found. Nothing of
this is in the product: the seam is psycopg's own.
"""

import threading
from contextlib import contextmanager
from itertools import pairwise

import psycopg

from checkpoints.models import Run


class Points:
    """The points that this process has passed, each named for where it was; at one of them it is killed."""

    def __init__(self, place="", at=None, kill=None):
        self.passed = []
        self.place = place
        self.asleep = False
        self._at, self._kill = at, kill
        self._mutex = threading.Lock()

    def watch(self):
        """Look at every round trip, and at the steps of a run for their names."""
        wait, step = psycopg.Connection.wait, Run.step

        def counted(connection, *arguments, **options):
            self._pass()
            return wait(connection, *arguments, **options)

        @contextmanager
        def named(run, name):
            self.place = f"{name}: begin"
            with step(run, name) as attempt:
                self.place = name
                yield attempt
                self.place = f"{name}: end"
            self.place = f"after {name}"

        psycopg.Connection.wait, Run.step = counted, named

    def _pass(self):
        if self.asleep:
            return
        with self._mutex:
            self.passed.append(self.place)
            if len(self.passed) - 1 == self._at:
                self._kill(self.place)


def chosen(passed, *, every):
    """Return which points to try: all, or where each place begins, and the middle of what is inside of it."""
    return range(len(passed)) if every else sorted({*begins(passed), *middles(passed), len(passed) - 1})


def begins(passed):
    """Return the points at which another place begins."""
    return [number for number, place in enumerate(passed) if number == 0 or passed[number - 1] != place]


def middles(passed):
    """Return the middle of each place with more than two points."""
    edges = [*begins(passed), len(passed)]
    return [(begin + end) // 2 for begin, end in pairwise(edges) if end - begin > 2]
