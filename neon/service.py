"""The flows of several calls to Neon, each waited for; the site's only door to Neon."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from django.conf import settings

from neon.client import Client
from neon.errors import NotFound, OperationFailed, UnexpectedResponse, WaitTimeout
from neon.types import Branch, Operation, Snapshot

# Operations take seconds, a cold region or a large snapshot some minutes; after that it is better to say so.
SETTLE_DEADLINE = 300.0
# A look costs one of 700 requests a minute, so the looks grow apart; a wait is at most an eighth too long.
LOOK_FIRST = 0.05
LOOK_LAST = 1.0
LOOK_SHARE = 8


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

    def create_project(self, name: str, *, lookup: bool = False) -> AppDatabase:
        """Create a project and wait until it can be used."""
        if lookup:
            for project in self.client.list_projects(search=name):
                if project.name == name:
                    self.settle(project.id)
                    return AppDatabase(project.id, self.connection_uri(project.id))
        created = self.client.create_project(name)
        self.settle(created.project.id, created.operations)
        uri = created.connection_uri or self.connection_uri(created.project.id)
        return AppDatabase(created.project.id, uri)

    def connection_uri(self, project_id: str) -> str:
        """Return how to connect to the project's default branch, with the password."""
        return self.client.connection_uri(project_id)

    def default_branch(self, project_id: str) -> Branch:
        """Return the branch that the connection string reaches; its id changes at every restore."""
        for branch in self.client.list_branches(project_id):
            if branch.default:
                return branch
        raise UnexpectedResponse("list of branches: none of them is the default")

    def snapshot(self, project_id: str, name: str, *, lookup: bool = False) -> Snapshot:
        """Snapshot the default branch and wait until the snapshot is kept."""
        if lookup:
            self.settle(project_id)
            for snapshot in self.client.list_snapshots(project_id):
                if snapshot.name == name:
                    return snapshot
        branch = self.default_branch(project_id)
        created = self.client.create_snapshot(project_id, branch.id, name)
        self.settle(project_id, created.operations)
        return created.snapshot

    def restore(self, project_id: str, snapshot_id: str, *, target_branch_id: str, lookup: bool = False) -> Branch:
        """Put a snapshot in place of the default branch, wait for it, and return the new default branch.

        The replaced branch keeps its id and its data; whoever has verified the restore deletes it.
        """
        if lookup:
            self.settle(project_id)
            branch = self.default_branch(project_id)
            if branch.id != target_branch_id:
                return branch
        restored = self.client.restore_snapshot(project_id, snapshot_id, target_branch_id=target_branch_id)
        self.settle(project_id, restored.operations)
        return restored.branch

    def delete_branch(self, project_id: str, branch_id: str) -> None:
        """Have a branch deleted; one that is gone is fine."""
        with suppress(NotFound):
            self.client.delete_branch(project_id, branch_id)

    def delete_snapshot(self, project_id: str, snapshot_id: str) -> None:
        """Have a snapshot deleted; one that is gone is fine."""
        with suppress(NotFound):
            self.client.delete_snapshot(project_id, snapshot_id)

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

    def settle(self, project_id: str, operations: Sequence[Operation] | None = None) -> None:
        """Wait until these operations have succeeded; with none named, until the project has none pending.

        One list call per look watches them all. Only those given can fail the wait: the list also holds the
        failures of the past.
        """
        start = self.clock()
        watched = self.client.list_operations(project_id) if operations is None else operations
        known = {operation.id: operation for operation in watched}
        while True:
            for operation in known.values():
                if operations is not None and operation.failed:
                    raise OperationFailed(operation.action, operation.status)
            pending = [operation.action for operation in known.values() if operation.pending]
            if not pending:
                return
            elapsed = self.clock() - start
            if elapsed >= SETTLE_DEADLINE:
                raise WaitTimeout(f"after {elapsed:.0f} s still pending: {', '.join(pending)}")
            interval = min(max(elapsed / LOOK_SHARE, LOOK_FIRST), LOOK_LAST)
            self.sleep(min(interval, SETTLE_DEADLINE - elapsed))
            seen = {operation.id: operation for operation in self.client.list_operations(project_id)}
            known = seen if operations is None else {id: seen.get(id, was) for id, was in known.items()}


@functools.cache
def connect() -> Neon:
    """Return the way to Neon of this process, or without a key, to the local control plane."""
    if settings.NEON_API_KEY:
        return Neon(Client(settings.NEON_API_KEY, base_url=settings.NEON_API_URL, org_id=settings.NEON_ORG_ID or None))
    from neon.local.transport import LocalTransport  # the plane is not loaded where Neon itself is used

    return Neon(Client(settings.NEON_LOCAL_API_KEY, base_url="http://neon.local/api/v2", transport=LocalTransport()))


def is_local() -> bool:
    """Tell whether the local control plane stands in for Neon; its server may move, and the URIs with it."""
    return not settings.NEON_API_KEY


def upkeep() -> None:
    """Do what the control plane needs done from time to time; Neon does it for itself."""
    if settings.NEON_API_KEY:
        return
    from neon.local import engine

    engine.upkeep()
