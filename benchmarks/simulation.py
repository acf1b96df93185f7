"""What is simulated beside the real client and the real plane: an account's limits, a site's queue, and its workers."""

import itertools
import math
import random
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import httpx
from django.conf import settings

from benchmarks.virtual_time import Clock, ServerClock
from neon.client import Client
from neon.errors import NeonError
from neon.local import postgres, store
from neon.local.transport import LocalTransport
from neon.pacing import Pacer
from neon.service import Neon

PROJECTS = 30_000
CALL_SECONDS = 0.1
REPEAT_SECONDS = 60  # until a clean-up that failed is tried again
PER_MINUTE, PER_SECOND_AND_ROUTE = 700, 40  # as Neon documents it
IDS = re.compile(r"/(projects|branches|snapshots)/[^/]+")
FILL = (
    "INSERT INTO projects (id, name) SELECT 'scale-' || n, 'scale ' || n FROM generate_series(1, %(count)s) n",
    "INSERT INTO branches (id, project_id, name, is_default) SELECT 'br-' || id, id, 'main', true FROM projects",
    "INSERT INTO endpoints (id, project_id, branch_id) SELECT 'ep-' || id, id, 'br-' || id FROM projects",
    "INSERT INTO snapshots (id, project_id, name, source_branch_id) SELECT 'snap-' || id, id, id, 'br-' || id"
    " FROM projects",
    "ANALYZE",
)


class Account(httpx.BaseTransport):
    """Neon as an account meets it: the plane's views, behind a network and limits."""

    def __init__(self, clock: Clock, server_clock: ServerClock) -> None:
        self._clock, self._server_clock, self._plane = clock, server_clock, LocalTransport()
        self._moments: deque[tuple[float, str]] = deque()
        self.calls: list[tuple[float, str]] = []
        self.refused = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self._clock.sleep(CALL_SECONDS)
        route = IDS.sub(r"/\1/*", f"{request.method} {request.url.path}")
        if self._is_too_much(route):
            self.refused += 1
            return httpx.Response(429, json={"code": "", "message": "too many requests"})
        self.calls.append((self._clock(), route))
        if route.endswith("/connection_uri") and "/scale-" in request.url.path:
            return httpx.Response(200, json={"uri": "postgresql://nobody@127.0.0.1/nothing"})
        self._server_clock.follow()
        return self._plane.handle_request(request)

    def _is_too_much(self, route: str) -> bool:
        now = self._clock()
        while self._moments and self._moments[0][0] <= now - 60:
            self._moments.popleft()
        lately = itertools.takewhile(lambda call: call[0] > now - 1, reversed(self._moments))
        if len(self._moments) >= PER_MINUTE or sum(call[1] == route for call in lately) >= PER_SECOND_AND_ROUTE:
            return True
        self._moments.append((now, route))
        return False


@contextmanager
def account_in(clock: Clock) -> Iterator[Account]:
    """Lend an account with its projects, on a plane that lives in the clock's time."""
    with store.connection() as connection:
        for statement in FILL:
            connection.execute(statement, {"count": PROJECTS})
        plane = ServerClock(connection, postgres.PLANE_DATABASE, clock)
        store.close()  # its other sessions tell the other time
        yield Account(clock, plane)


def way_to(account: Account, clock: Clock) -> Neon:
    """Return what a process of the site speaks to Neon through, with a pace of its own."""
    chance = random.Random(1).random  # noqa: S311 - the same every time
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    key = settings.NEON_LOCAL_API_KEY
    client = Client(key, transport=account, pacer=pacer, clock=clock, sleep=clock.sleep, random=chance)
    return Neon(client, clock=clock, sleep=clock.sleep, random=chance)


@dataclass(eq=False)
class Restore:
    """A restore that somebody has asked for."""

    project_id: str
    asked: float
    began: float = math.inf
    ended: float = math.inf
    error: str = ""

    @property
    def waited(self) -> float:
        """Return how long it took from asking to the end."""
        return self.ended - self.asked


class Site:
    """The queue and its workers: *processes*, each with a pace of its own and as many threads as the settings say."""

    def __init__(self, clock: Clock, account: Account, *, processes: int = 1) -> None:
        self.restores: list[Restore] = []
        self.repeated = self.refused = 0
        self.then: Callable[[], None] = lambda: None
        self._clock = clock
        self._queue: deque[Callable[[Neon], None]] = deque()
        self._idle: deque[threading.Semaphore] = deque()
        self._closed = False
        for _ in range(processes):
            neon = way_to(account, clock)
            for _ in range(settings.WORKER_CONCURRENCY):
                clock.start(partial(self._work, neon))

    def ask(self, project_id: str) -> None:
        """Ask for a restore."""
        self.restores.append(restore := Restore(project_id, self._clock()))
        self._put(partial(self._restore, restore))

    def live(self, people: Callable[[], None]) -> None:
        """Let people come and time pass until all that they have asked for is done, then end."""
        self._clock.start(people)
        self._clock.run()
        self.close()
        self._clock.run()

    def close(self) -> None:
        """Let the workers end; what is still queued is left."""
        self._closed = True
        while self._idle:
            self._clock.wake(self._idle.popleft())

    def _put(self, job: Callable[[Neon], None]) -> None:
        self._queue.append(job)
        if self._idle:
            self._clock.wake(self._idle.popleft())

    def _work(self, neon: Neon) -> None:
        while not self._closed:
            if self._queue:
                self._queue.popleft()(neon)
            else:
                self._idle.append(me := threading.Semaphore(0))
                self._clock.wait(me)

    def _restore(self, restore: Restore, neon: Neon) -> None:
        """Do what `services.restore` asks of Neon."""
        restore.began = self._clock()
        try:
            before = neon.default_branch(restore.project_id).id
            neon.restore(restore.project_id, f"snap-{restore.project_id}", target_branch_id=before)
        except NeonError as error:
            restore.error = type(error).__name__
        else:
            self._put(partial(self._clean_up, restore.project_id, before))
        restore.ended = self._clock()
        self.then()

    def _clean_up(self, project_id: str, branch_id: str, neon: Neon, *, again: bool = False) -> None:
        """Do what `aftermath.clean_up` asks of Neon where nothing had changed."""
        try:
            neon.open_branch(project_id, branch_id, lookup=again)
            neon.delete_branch(project_id, branch_id)
        except NeonError:
            self.repeated += 1
            job = partial(self._clean_up, project_id, branch_id, again=True)
            self._clock.start(lambda: self._put_later(job))

    def _put_later(self, job: Callable[[Neon], None]) -> None:
        self._clock.sleep(REPEAT_SECONDS)
        self._put(job)
