"""How a flow waits: for operations that are at work, and for an effect of which the answer is unclear."""

from __future__ import annotations

import random as randomness
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from neon.client import Client
from neon.errors import (
    BusyError,
    Locked,
    NeonError,
    NotFound,
    OperationFailed,
    ProjectGone,
    ServiceError,
    Timeout,
    Unreachable,
    WaitTimeout,
)
from neon.looks import Looks, pause
from neon.types import Operation

T = TypeVar("T")

# Operations take seconds, a cold region or a large snapshot some minutes; after that it is better to say so.
FLOW_DEADLINE = 300.0
# How often an effect is asked for, or looked for, when the answers are unclear. A request whose connection was lost
# may still be at work in Neon: to look too soon would be to ask twice.
TRIES = 4
TRY_BASE = 0.25
STILL_AT_WORK = 1.0
# While a branch is swapped or a project is made, these come of looking too early.
LOOK_AGAIN = (ServiceError, BusyError, NotFound)


@dataclass(frozen=True)
class Waiting:
    """A client, and what every flow over it needs in order to wait."""

    client: Client
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = randomness.random
    looks: Looks = field(default_factory=Looks)

    def deadline(self) -> float:
        """Return the time at which a flow that begins now has to end."""
        return self.clock() + FLOW_DEADLINE

    def settle(
        self, project_id: str, operations: Sequence[Operation] | None = None, *, until: float | None = None
    ) -> None:
        """Wait until these operations have succeeded; with none named, until the project has none pending.

        One list call per look watches them all. Only those given can fail the wait: the list also holds the
        failures of the past.
        """
        start = self.clock()
        until = start + FLOW_DEADLINE if until is None else until
        with self.of(project_id):
            watched = self.client.list_operations(project_id) if operations is None else operations
            known = {operation.id: operation for operation in watched}
            expected = self.looks.expected(operations or ())
            missed, looked, at_work = 0, 0.0, 0.0
            while True:
                if operations is not None:
                    refuse_failed(known.values())
                pending = [operation for operation in known.values() if operation.pending]
                now = self.clock()
                if not pending:
                    if operations and looked:
                        self.looks.note(operations, at_work=at_work, ended=now - start)
                    return
                at_work = looked
                if now >= until:
                    names = ", ".join(" ".join(filter(None, (each.action, each.error))) for each in pending)
                    raise WaitTimeout(f"after {now - start:.0f} s still pending: {names}")
                self.sleep(min(pause(now - start, expected), until - now))
                now = self.clock()
                try:
                    listed = self.client.list_operations(project_id)
                except (BusyError, ServiceError):  # a look that fails says nothing of the work
                    missed += 1
                    if missed == TRIES:
                        raise
                    continue
                missed, looked = 0, now - start
                seen = {operation.id: operation for operation in listed}
                known = seen if operations is None else {id: seen.get(id, was) for id, was in known.items()}

    def once(self, ask: Callable[[bool], T], look: Callable[[], T | None], until: float, *, lookup: bool) -> T:
        """Ask for an effect once: after an unclear answer, look whether it is there before asking again.

        *ask* is told whether to wait while the project is locked. After an unclear answer it must not: what locks the
        project may be the first request, and to wait for its end would be to ask twice.
        """
        tries, ceiling = 1, TRY_BASE
        while True:
            looking = lookup
            try:
                if looking and (found := self._find(look, patiently=tries == 1)) is not None:
                    return found
                looking = False
                return ask(not lookup)
            except NeonError as error:
                lost = isinstance(error, Timeout | Unreachable)
                wait = self.random() * ceiling + (STILL_AT_WORK if lost else 0)
                unclear = isinstance(error, LOOK_AGAIN) if looking else _is_unclear(error, again=lookup)
                hopeless = isinstance(error, ProjectGone) or tries == TRIES or self.clock() + wait > until
                if hopeless or not unclear:
                    raise
            lookup, tries, ceiling = True, tries + 1, ceiling * 2
            self.sleep(wait)

    def _find(self, look: Callable[[], T | None], *, patiently: bool) -> T | None:
        """Look for an effect; *patiently* when it is not known how long ago somebody asked for it."""
        found = look()
        if found is None and patiently:
            self.sleep(STILL_AT_WORK)
            found = look()
        return found

    @contextmanager
    def of(self, project_id: str) -> Iterator[None]:
        """Tell the project's own absence from that of something in it, at the cost of one call."""
        try:
            yield
        except ProjectGone:
            raise
        except NotFound:
            self.require_project(project_id)
            raise

    def require_project(self, project_id: str) -> None:
        """Raise ProjectGone unless Neon has the project."""
        try:
            self.client.get_project(project_id)
        except NotFound as error:
            raise ProjectGone(str(error), status=error.status, request_id=error.request_id) from error


def _is_unclear(error: NeonError, *, again: bool) -> bool:
    """Tell whether an effect may be there, or be coming, although asking for it failed."""
    return error.effect_unknown or (again and isinstance(error, Locked))


def refuse_failed(operations: Iterable[Operation]) -> None:
    """Raise OperationFailed if one of these has failed for good."""
    for operation in operations:
        if operation.failed:
            raise OperationFailed(operation.action, operation.status, operation.error)
