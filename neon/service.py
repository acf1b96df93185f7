"""The flows of several calls to Neon, each waited for; the site's only door to Neon."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace

from django.conf import settings

from neon.client import Client
from neon.errors import NotFound, ProjectGone, UnexpectedResponse
from neon.pacing import Pacer
from neon.types import Branch, Operation, Project, Snapshot
from neon.waiting import Waiting, refuse_failed

# Of this process, whatever number of clients it has: the limit is the account's.
PACER = Pacer()


@dataclass(frozen=True, slots=True)
class AppDatabase:
    """A database that is ready to use: its project and how to connect to it."""

    project_id: str
    uri: str = field(repr=False)
    branch_id: str = ""  # empty where the project was found by its name


@dataclass(frozen=True)
class Neon(Waiting):
    """What the site does with Neon.

    `lookup=True` says that an earlier attempt may have come through without our learning of it: the flow then
    looks for its effect before it asks for it again.
    """

    def create_project(self, name: str, *, lookup: bool = False) -> AppDatabase:
        """Create a project and wait until it can be used; its name must be one that only this attempt uses."""

        def create(patient: bool) -> tuple[AppDatabase, tuple[Operation, ...]]:
            created = self.client.create_project(name)
            database = AppDatabase(created.project.id, created.connection_uri or "", created.branch.id)
            return database, created.operations

        def find() -> tuple[AppDatabase, tuple[Operation, ...]] | None:
            for project in self.client.list_projects(search=name):
                if project.name == name:
                    return AppDatabase(project.id, ""), self.client.list_operations(project.id)
            return None

        until = self.deadline()
        database, operations = self.once(create, find, until, lookup=lookup)
        self.settle(database.project_id, operations, until=until)
        return database if database.uri else replace(database, uri=self.connection_uri(database.project_id))

    def connection_uri(self, project_id: str) -> str:
        """Return how to connect to the project's default branch, with the password."""
        with self.of(project_id):
            return self.client.connection_uri(project_id)

    def default_branch(self, project_id: str) -> Branch:
        """Return the branch that the connection string reaches; its id changes at every restore."""
        with self.of(project_id):
            for branch in self.client.list_branches(project_id):
                if branch.default:
                    return branch
        raise UnexpectedResponse("list of branches: none of them is the default")

    def snapshot(self, project_id: str, name: str, *, branch_id: str = "", lookup: bool = False) -> Snapshot:
        """Snapshot a branch, or the default one, and wait until the snapshot is kept; no other may have its name."""

        def take(patient: bool) -> tuple[Snapshot, tuple[Operation, ...]]:
            source = branch_id or self.default_branch(project_id).id
            created = self.client.create_snapshot(project_id, source, name, patient=patient)
            return created.snapshot, created.operations

        def find() -> tuple[Snapshot, tuple[Operation, ...]] | None:
            self.settle(project_id, until=until)
            for snapshot in self.client.list_snapshots(project_id):
                if snapshot.name == name:
                    operations = self.client.list_operations(project_id)
                    return snapshot, tuple(each for each in operations if each.created_at >= snapshot.created_at)
            return None

        until = self.deadline()
        with self.of(project_id):
            snapshot, operations = self.once(take, find, until, lookup=lookup)
            self.settle(project_id, operations, until=until)
        return snapshot

    def restore(self, project_id: str, snapshot_id: str, *, target_branch_id: str, lookup: bool = False) -> Branch:
        """Put a snapshot in place of the default branch, wait for it, and return the new default branch.

        The replaced branch keeps its id and its data; whoever has verified the restore deletes it.
        """

        def restore(patient: bool) -> tuple[Branch, tuple[Operation, ...]]:
            restored = self.client.restore_snapshot(
                project_id, snapshot_id, target_branch_id=target_branch_id, patient=patient
            )
            return restored.branch, restored.operations

        def find() -> tuple[Branch, tuple[Operation, ...]] | None:
            self.settle(project_id, until=until)  # the swap may come with the last operation
            branch = self.default_branch(project_id)
            return None if branch.id == target_branch_id else (branch, ())

        until = self.deadline()
        with self.of(project_id):
            branch, operations = self.once(restore, find, until, lookup=lookup)
            self.settle(project_id, operations, until=until)
        return branch

    def open_branch(self, project_id: str, branch_id: str, *, lookup: bool = False) -> str:
        """Give a branch an endpoint, wait until it can be used, and return how to connect, with the password."""

        def create(patient: bool) -> tuple[Operation, ...]:
            return self.client.create_endpoint(project_id, branch_id, patient=patient).operations

        def find() -> tuple[Operation, ...] | None:
            self.settle(project_id, until=until)
            taken = any(endpoint.branch_id == branch_id for endpoint in self.client.list_endpoints(project_id))
            return () if taken else None

        until = self.deadline()
        with self.of(project_id):
            self.settle(project_id, self.once(create, find, until, lookup=lookup), until=until)
            return self.client.connection_uri(project_id, branch_id=branch_id)

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
        with self.of(project_id):
            return tuple(self.client.list_branches(project_id))

    def snapshots(self, project_id: str) -> tuple[Snapshot, ...]:
        """Return the project's snapshots."""
        with self.of(project_id):
            return self.client.list_snapshots(project_id)

    def drop_branch(self, project_id: str, branch_id: str) -> None:
        """Delete a branch and wait until that is done; one that is gone is fine."""
        with suppress(NotFound):
            self.settle(project_id, self.client.delete_branch(project_id, branch_id))

    def drop_snapshot(self, project_id: str, snapshot_id: str) -> None:
        """Delete a snapshot and wait until that is done; one that is gone is fine."""
        with suppress(NotFound):
            self.settle(project_id, self.client.delete_snapshot(project_id, snapshot_id))


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


def has_room() -> bool:
    """Tell whether the embedded server has room on its disk, if there is one."""
    from neon.local import postgres

    return postgres.embedded().has_room()


@contextmanager
def attending() -> Iterator[None]:
    """Do for the control plane, as long as this lasts, what cannot wait for its upkeep; Neon does so itself."""
    if settings.NEON_API_KEY:
        yield
        return
    from neon.local import background, guard

    with background.working(), nullcontext() if settings.LOCAL_POSTGRES_URL else guard.watching():
        yield


def upkeep() -> None:
    """Do what the control plane needs done from time to time; Neon does it for itself."""
    if settings.NEON_API_KEY:
        return
    from neon.local.engine import upkeep as plane

    plane.run()


def reencrypt_passwords() -> int:
    """Encrypt the passwords that the control plane keeps under the newest key; returns how many. Neon keeps its own."""
    if settings.NEON_API_KEY:
        return 0
    from neon.local.engine import roles

    return roles.reencrypt_passwords()


def overdue() -> list[str]:
    """Say in sentences what the control plane's upkeep should have set right by now; Neon looks after itself."""
    if settings.NEON_API_KEY:
        return []
    from neon.local.engine import upkeep as plane

    return plane.overdue()
