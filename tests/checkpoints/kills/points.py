"""Where a process can be killed: between any two of its round trips to a Postgres server.

Whatever lasts is done by such a round trip: in the meta database, in the plane's tables, in the cluster, in an app
database. So a kill before each of them leaves, one after the other, every state that there is to be found, but for
what only the server's death leaves. Nothing of this is in the product: the seam is psycopg's own.
"""

import threading
from contextlib import contextmanager
from itertools import pairwise

import psycopg

from checkpoints.models import Run


class Points:
    """The points that this process has passed, each named for its place; at one, given by place and number, it dies."""

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
        def named(run, name, **options):
            self.place = f"{name}: begin"
            with step(run, name, **options) as attempt:
                self.place = name
                yield attempt
                self.place = f"{name}: end"
            self.place = f"after {name}"

        psycopg.Connection.wait, Run.step = counted, named

    def _pass(self):
        if self.asleep:
            return
        with self._mutex:
            here = [self.place, self.passed.count(self.place)]
            self.passed.append(self.place)
            if here == self._at:
                self._kill(self.place)


def every(passed):
    """Return all points, each as its place and its number there: how many others come before may vary."""
    return [[place, passed[:number].count(place)] for number, place in enumerate(passed)]


def chosen(passed):
    """Return the points where each place begins, the middle of what is inside of it, and the last of all."""
    numbers = {*_begins(passed), *_middles(passed), len(passed) - 1}
    return [every(passed)[number] for number in sorted(numbers)]


def middles(passed):
    """Return the middle of each place with more than two points."""
    return [every(passed)[number] for number in _middles(passed)]


def _begins(passed):
    return [number for number, place in enumerate(passed) if number == 0 or passed[number - 1] != place]


def _middles(passed):
    edges = [*_begins(passed), len(passed)]
    return [(begin + end) // 2 for begin, end in pairwise(edges) if end - begin > 2]
