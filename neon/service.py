"""The flows of several calls to Neon, each waited for; the site's only door to Neon."""

from __future__ import annotations

import functools
import random as randomness
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from django.conf import settings

from neon.client import Client
from neon.errors import (
    BusyError,
    NeonError,
    NotFound,
    OperationFailed,
    ProjectGone,
    ServiceError,
    Timeout,
    UnexpectedResponse,
    Unreachable,
    WaitTimeout,
)
from neon.pacing import Pacer
from neon.types import Branch, Operation, Project, Snapshot

T = TypeVar("T")

# Operations take seconds, a cold region or a large snapshot some minutes; after that it is better to say so.
FLOW_DEADLINE = 300.0
# A look costs one of 700 requests a minute, so the looks grow apart; a wait is at most an eighth too long.
LOOK_FIRST = 0.05
LOOK_LAST = 1.0
LOOK_SHARE = 8
# How often an effect is asked for, or looked for, when the answers are unclear. A request whose connection was lost
# may still be at work in Neon: to look too soon would be to ask twice.
TRIES = 4
TRY_BASE = 0.25
STILL_AT_WORK = 1.0
# While a branch is swapped or a project is made, these come of looking too early.
LOOK_AGAIN = (ServiceError, BusyError, NotFound)
# Of this process, whatever number of clients it has: the limit is the account's.
PACER = Pacer()


@dataclass(frozen=True, slots=True)
class AppDatabase:
    """A database that is ready to use: its project and how to connect to it."""

    project_id: str
    uri: str = field(repr=False)


@dataclass(frozen=True)
class Neon:
    """What the site does with Neon.

    `lookup=True` says that an earlier attempt may have come through without our learning of it: the flow then
    looks for its effect before it asks for it again.
    """

    client: Client
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = randomness.random

    def create_project(self, name: str, *, lookup: bool = False) -> AppDatabase:
        """Create a project and wait until it can be used; its name must be one that only this attempt uses."""

        def create() -> tuple[str, str | None, tuple[Operation, ...]]:
            created = self.client.create_project(name)
            return created.project.id, created.connection_uri, created.operations

        def find() -> tuple[str, str | None, tuple[Operation, ...]] | None:
            for project in self.client.list_projects(search=name):
                if project.name == name:
                    return project.id, None, self.client.list_operations(project.id)
            return None

        until = self.clock() + FLOW_DEADLINE
        project_id, uri, operations = self._once(create, find, until, lookup=lookup)
        self.settle(project_id, operations, until=until)
        return AppDatabase(project_id, uri or self.connection_uri(project_id))

    def connection_uri(self, project_id: str) -> str:
        """Return how to connect to the project's default branch, with the password."""
        with self._of(project_id):
            return self.client.connection_uri(project_id)

    def require_project(self, project_id: str) -> None:
        """Raise ProjectGone unless Neon has the project."""
        try:
            self.client.get_project(project_id)
        except NotFound as error:
            raise ProjectGone(str(error), status=error.status, request_id=error.request_id) from error

    def default_branch(self, project_id: str) -> Branch:
        """Return the branch that the connection string reaches; its id changes at every restore."""
        with self._of(project_id):
            for branch in self.client.list_branches(project_id):
                if branch.default:
                    return branch
        raise UnexpectedResponse("list of branches: none of them is the default")

    def snapshot(self, project_id: str, name: str, *, lookup: bool = False) -> Snapshot:
        """Snapshot the default branch and wait until the snapshot is kept; no other may have its name."""

        def take() -> tuple[Snapshot, tuple[Operation, ...]]:
            branch = self.default_branch(project_id)
            created = self.client.create_snapshot(project_id, branch.id, name)
            return created.snapshot, created.operations

        def find() -> tuple[Snapshot, tuple[Operation, ...]] | None:
            self.settle(project_id, until=until)
            for snapshot in self.client.list_snapshots(project_id):
                if snapshot.name == name:
                    operations = self.client.list_operations(project_id)
                    return snapshot, tuple(each for each in operations if each.created_at >= snapshot.created_at)
            return None

        until = self.clock() + FLOW_DEADLINE
        with self._of(project_id):
            snapshot, operations = self._once(take, find, until, lookup=lookup)
            self.settle(project_id, operations, until=until)
        return snapshot

    def restore(self, project_id: str, snapshot_id: str, *, target_branch_id: str, lookup: bool = False) -> Branch:
        """Put a snapshot in place of the default branch, wait for it, and return the new default branch.

        The replaced branch keeps its id and its data; whoever has verified the restore deletes it.
        """

        def restore() -> tuple[Branch, tuple[Operation, ...]]:
            restored = self.client.restore_snapshot(project_id, snapshot_id, target_branch_id=target_branch_id)
            return restored.branch, restored.operations

        def find() -> tuple[Branch, tuple[Operation, ...]] | None:
            self.settle(project_id, until=until)  # the swap may come with the last operation
            branch = self.default_branch(project_id)
            return None if branch.id == target_branch_id else (branch, ())

        until = self.clock() + FLOW_DEADLINE
        with self._of(project_id):
            branch, operations = self._once(restore, find, until, lookup=lookup)
            self.settle(project_id, operations, until=until)
        return branch

    def delete_branch(self, project_id: str, branch_id: str) -> None:
        """Have a branch deleted; one that is gone is fine."""
        with suppress(NotFound):
            refuse_failed(self.client.delete_branch(project_id, branch_id))

    def delete_snapshot(self, project_id: str, snapshot_id: str) -> None:
        """Have a snapshot deleted; one that is gone is fine."""
        with suppress(NotFound):
            refuse_failed(self.client.delete_snapshot(project_id, snapshot_id))

    def delete_snapshot_named(self, project_id: str, name: str) -> None:
        """Have the project's snapshots of that name deleted; none is fine, nor need the project be there."""
        with suppress(NotFound):
            for snapshot in self.client.list_snapshots(project_id):
                if snapshot.name == name:
                    self.delete_snapshot(project_id, snapshot.id)

    def delete_project(self, project_id: str) -> None:
        """Have a project deleted with all that is in it; one that is gone is fine."""
        with suppress(NotFound):
            self.client.delete_project(project_id)

    def delete_project_named(self, name: str) -> None:
        """Have the projects of exactly that name deleted; none is fine."""
        for project in self.client.list_projects(search=name):
            if project.name == name:
                self.delete_project(project.id)

    def settle(
        self, project_id: str, operations: Sequence[Operation] | None = None, *, until: float | None = None
    ) -> None:
        """Wait until these operations have succeeded; with none named, until the project has none pending.

        One list call per look watches them all. Only those given can fail the wait: the list also holds the
        failures of the past.
        """
        start = self.clock()
        until = start + FLOW_DEADLINE if until is None else until
        with self._of(project_id):
            watched = self.client.list_operations(project_id) if operations is None else operations
            known = {operation.id: operation for operation in watched}
            missed = 0
            while True:
                if operations is not None:
                    refuse_failed(known.values())
                pending = [operation for operation in known.values() if operation.pending]
                if not pending:
                    return
                now = self.clock()
                if now >= until:
                    names = ", ".join(" ".join(filter(None, (each.action, each.error))) for each in pending)
                    raise WaitTimeout(f"after {now - start:.0f} s still pending: {names}")
                interval = min(max((now - start) / LOOK_SHARE, LOOK_FIRST), LOOK_LAST)
                self.sleep(min(interval, until - now))
                try:
                    listed = self.client.list_operations(project_id)
                except (BusyError, ServiceError):  # a look that fails says nothing of the work
                    missed += 1
                    if missed == TRIES:
                        raise
                    continue
                seen = {operation.id: operation for operation in listed}
                known = seen if operations is None else {id: seen.get(id, was) for id, was in known.items()}

    def _once(self, ask: Callable[[], T], look: Callable[[], T | None], until: float, *, lookup: bool) -> T:
        """Ask for an effect once: after an unclear answer, look whether it is there before asking again."""
        tries, ceiling = 1, TRY_BASE
        while True:
            looking = lookup
            try:
                found = look() if looking else None
                if found is not None:
                    return found
                looking = False
                return ask()
            except NeonError as error:
                lost = isinstance(error, Timeout | Unreachable)
                wait = self.random() * ceiling + (STILL_AT_WORK if lost else 0)
                unclear = isinstance(error, LOOK_AGAIN) if looking else error.effect_unknown
                hopeless = isinstance(error, ProjectGone) or tries == TRIES or self.clock() + wait > until
                if hopeless or not unclear:
                    raise
            lookup, tries, ceiling = True, tries + 1, ceiling * 2
            self.sleep(wait)

    @contextmanager
    def _of(self, project_id: str) -> Iterator[None]:
        """Tell the project's own absence from that of something in it, at the cost of one call."""
        try:
            yield
        except ProjectGone:
            raise
        except NotFound:
            self.require_project(project_id)
            raise

    # What maintenance looks at and deletes

    def projects(self, search: str) -> Iterator[Project]:
        """Yield the account's projects that have a text in their name or id, page by page."""
        return self.client.list_projects(search=search)

    def has_project(self, project_id: str) -> bool:
        """Tell whether Neon has the project."""
        try:
            self.require_project(project_id)
        except ProjectGone:
            return False
        return True

    def branches(self, project_id: str) -> tuple[Branch, ...]:
        """Return the project's branches."""
        with self._of(project_id):
            return tuple(self.client.list_branches(project_id))

    def snapshots(self, project_id: str) -> tuple[Snapshot, ...]:
        """Return the project's snapshots."""
        with self._of(project_id):
            return self.client.list_snapshots(project_id)

    def drop_branch(self, project_id: str, branch_id: str) -> None:
        """Delete a branch and wait until that is done; one that is gone is fine."""
        with suppress(NotFound):
            self.settle(project_id, self.client.delete_branch(project_id, branch_id))

    def drop_snapshot(self, project_id: str, snapshot_id: str) -> None:
        """Delete a snapshot and wait until that is done; one that is gone is fine."""
        with suppress(NotFound):
            self.settle(project_id, self.client.delete_snapshot(project_id, snapshot_id))


def refuse_failed(operations: Iterable[Operation]) -> None:
    """Raise OperationFailed if one of these has failed for good."""
    for operation in operations:
        if operation.failed:
            raise OperationFailed(operation.action, operation.status, operation.error)


@functools.cache
def connect() -> Neon:
    """Return the way to Neon of this process, or without a key, to the local control plane."""
    if settings.NEON_API_KEY:
        org_id = settings.NEON_ORG_ID or None
        return Neon(Client(settings.NEON_API_KEY, base_url=settings.NEON_API_URL, org_id=org_id, pacer=PACER))
    from neon.local.transport import LocalTransport  # the plane is not loaded where Neon itself is used

    return Neon(Client(settings.NEON_LOCAL_API_KEY, base_url="http://neon.local/api/v2", transport=LocalTransport()))


def is_local() -> bool:
    """Tell whether the local control plane stands in for Neon; its server may move, and the URIs with it."""
    return not settings.NEON_API_KEY


def upkeep() -> None:
    """Do what the control plane needs done from time to time; Neon does it for itself."""
    if settings.NEON_API_KEY:
        return
    from neon.local.engine import upkeep as plane

    plane.run()
