"""Neon's API: one method per endpoint, over httpx.

`_request` holds what all calls share: retries and their deadline. What an answer means is in `neon.outcome`.
"""

from __future__ import annotations

import random as randomness
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from neon import outcome
from neon.errors import Locked, Unauthorized
from neon.pacing import Pacer
from neon.types import (
    Branch,
    CreatedEndpoint,
    CreatedProject,
    CreatedSnapshot,
    Endpoint,
    Operation,
    Project,
    Restored,
    Snapshot,
    need,
    optional,
)

T = TypeVar("T")

BASE_URL = "https://console.neon.tech/api/v2"
PAGE = 400  # the most that the list of projects gives at once

# As Neon's own SDK: full jitter, and a wait longer than the cap is not waited for. It retries only twice, which is
# half a second; a restart on Neon's side takes longer, and who waits for a restore prefers four seconds to a failure.
BACKOFF_BASE = 0.25
BACKOFF_CAP = 10.0
RETRIES = 4
CONNECT_TIMEOUT = 5.0


class Client:
    """A typed client of the Neon API."""

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = BASE_URL,
        org_id: str | None = None,
        timeout: float = 30.0,
        deadline: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        pacer: Pacer | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        """Prepare a client.

        `timeout` bounds one attempt. After `deadline` seconds no further attempt of a call begins; one that
        has begun keeps its time, because to cut off a write is to lose what came of it. Every attempt passes the
        `pacer`.
        """
        api_key = api_key.strip()
        if not (api_key and api_key.isascii() and api_key.isprintable()):
            # As a header it would be refused further down, by an error that quotes it.
            raise Unauthorized("the API key is empty or holds characters that no key has")
        self._org_id = org_id
        self._deadline = deadline
        self._pacer = pacer
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {api_key}", "Accept": "application/json"},
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"<Client {self._http.base_url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Projects

    def create_project(self, name: str) -> CreatedProject:
        """Create a project, on the newest Postgres: https://api-docs.neon.tech/reference/createproject"""
        project = {"name": name}
        if self._org_id:
            project["org_id"] = self._org_id
        return self._request("POST", "/projects", CreatedProject.from_json, json={"project": project})

    def get_project(self, project_id: str) -> Project:
        """Get a project: https://api-docs.neon.tech/reference/getproject"""
        return self._request("GET", path("projects", project_id), inside("project", Project.from_json))

    def list_projects(self, search: str | None = None) -> Iterator[Project]:
        """List projects, page by page: https://api-docs.neon.tech/reference/listprojects"""
        query = {"limit": PAGE, "search": search, "org_id": self._org_id}
        return self._pages("/projects", query, "projects", "cursor", Project.from_json)

    def delete_project(self, project_id: str) -> Project:
        """Delete a project: https://api-docs.neon.tech/reference/deleteproject"""
        return self._request("DELETE", path("projects", project_id), inside("project", Project.from_json))

    def connection_uri(
        self,
        project_id: str,
        *,
        database_name: str = "neondb",
        role_name: str = "neondb_owner",
        branch_id: str | None = None,
    ) -> str:
        """Get a connection string with its password: https://api-docs.neon.tech/reference/getconnectionuri"""
        query = {"database_name": database_name, "role_name": role_name, "branch_id": branch_id}
        url = path("projects", project_id, "connection_uri")
        return self._request("GET", url, lambda data: need(data, "uri", str), query=query)

    # Branches and endpoints

    def list_branches(self, project_id: str) -> Iterator[Branch]:
        """List branches, page by page: https://api-docs.neon.tech/reference/listprojectbranches"""
        return self._pages(
            path("projects", project_id, "branches"), {"limit": PAGE}, "branches", "next", Branch.from_json
        )

    def get_branch(self, project_id: str, branch_id: str) -> Branch:
        """Get a branch: https://api-docs.neon.tech/reference/getprojectbranch"""
        url = path("projects", project_id, "branches", branch_id)
        return self._request("GET", url, inside("branch", Branch.from_json))

    def delete_branch(self, project_id: str, branch_id: str) -> tuple[Operation, ...]:
        """Delete a branch; no operations if it was gone: https://api-docs.neon.tech/reference/deleteprojectbranch"""
        url = path("projects", project_id, "branches", branch_id)
        return self._request("DELETE", url, followed)

    def list_endpoints(self, project_id: str) -> tuple[Endpoint, ...]:
        """List endpoints: https://api-docs.neon.tech/reference/listprojectendpoints"""
        url = path("projects", project_id, "endpoints")
        return self._request("GET", url, every("endpoints", Endpoint.from_json))

    def create_endpoint(self, project_id: str, branch_id: str, *, patient: bool = True) -> CreatedEndpoint:
        """Give a branch an endpoint to connect to: https://api-docs.neon.tech/reference/createprojectendpoint"""
        endpoint = {"branch_id": branch_id, "type": "read_write"}
        url = path("projects", project_id, "endpoints")
        return self._request("POST", url, CreatedEndpoint.from_json, json={"endpoint": endpoint}, patient=patient)

    # Operations

    def get_operation(self, project_id: str, operation_id: str) -> Operation:
        """Get an operation: https://api-docs.neon.tech/reference/getprojectoperation"""
        url = path("projects", project_id, "operations", operation_id)
        return self._request("GET", url, inside("operation", Operation.from_json))

    def list_operations(self, project_id: str, *, limit: int = 100) -> tuple[Operation, ...]:
        """List the newest operations, newest first: https://api-docs.neon.tech/reference/listprojectoperations"""
        url = path("projects", project_id, "operations")
        return self._request("GET", url, Operation.list_from_json, query={"limit": limit})

    # Snapshots

    def create_snapshot(self, project_id: str, branch_id: str, name: str, *, patient: bool = True) -> CreatedSnapshot:
        """Snapshot a branch as it is now: https://api-docs.neon.tech/reference/createsnapshot

        No timestamp is sent: this computer's clock may differ from Neon's.
        """
        url = path("projects", project_id, "branches", branch_id, "snapshot")
        return self._request("POST", url, CreatedSnapshot.from_json, query={"name": name}, patient=patient)

    def list_snapshots(self, project_id: str) -> tuple[Snapshot, ...]:
        """List snapshots, newest first: https://api-docs.neon.tech/reference/listsnapshots"""
        url = path("projects", project_id, "snapshots")
        return self._request("GET", url, every("snapshots", Snapshot.from_json))

    def delete_snapshot(self, project_id: str, snapshot_id: str) -> tuple[Operation, ...]:
        """Delete a snapshot: https://api-docs.neon.tech/reference/deletesnapshot"""
        url = path("projects", project_id, "snapshots", snapshot_id)
        return self._request("DELETE", url, followed)

    def restore_snapshot(
        self,
        project_id: str,
        snapshot_id: str,
        *,
        target_branch_id: str,
        finalize_restore: bool = True,
        name: str | None = None,
        patient: bool = True,
    ) -> Restored:
        """Restore a snapshot over a branch: https://api-docs.neon.tech/reference/restoresnapshot

        The target is always sent: Neon's default for it may be a branch that an earlier restore replaced.
        """
        body: dict[str, Any] = {"target_branch_id": target_branch_id, "finalize_restore": finalize_restore}
        if name is not None:
            body["name"] = name
        url = path("projects", project_id, "snapshots", snapshot_id, "restore")
        return self._request("POST", url, Restored.from_json, json=body, patient=patient)

    # What all calls share

    def _pages(
        self, url: str, query: dict[str, Any], name: str, cursor_name: str, parse: Callable[[object], T]
    ) -> Iterator[T]:
        """Yield the items of all pages; Neon gives a cursor even on the last page, and then an empty one."""

        def read(data: object) -> tuple[tuple[T, ...], str | None]:
            pagination = optional(data, "pagination", dict) or {}
            return every(name, parse)(data), optional(pagination, cursor_name, str)

        cursor: str | None = None
        while True:
            items, following = self._request("GET", url, read, query=query | {"cursor": cursor})
            yield from items
            if not items or not following or following == cursor:
                return
            cursor = following

    def _request(
        self,
        method: str,
        url: str,
        parse: Callable[[Any], T],
        *,
        query: dict[str, Any] | None = None,
        json: dict[str, Any] | None = None,
        patient: bool = True,
    ) -> T:
        """Send a request until it succeeds, may not be repeated, or the deadline leaves no time to wait.

        A project that is locked is waited for if *patient*.
        """
        request = f"{method} {url}"
        deadline = self._clock() + self._deadline
        params = {name: value for name, value in (query or {}).items() if value is not None}
        retries, ceiling = 0, BACKOFF_BASE
        while True:
            wait = self._random() * ceiling
            if self._pacer:
                self._pacer.wait(deadline)
            try:
                response = self._http.request(method, url, params=params, json=json)
            except httpx.RequestError as cause:
                error = outcome.breakdown(request, cause)
                error.__cause__ = cause
                repeatable = outcome.repeatable(method, cause)
            else:
                if response.is_success:
                    return outcome.value(request, response, parse)
                error = outcome.refusal(request, response)
                repeatable = outcome.repeatable(method, response)
                asked = outcome.retry_after(response)
                wait = wait if asked is None else max(wait, asked)  # no wait at all would be a hot loop
            if isinstance(error, Locked):  # normal for a project: only the deadline bounds it
                repeatable = patient
            else:
                repeatable = repeatable and retries < RETRIES
                retries += 1
            if not repeatable or wait > BACKOFF_CAP or self._clock() + wait > deadline:
                raise error
            self._sleep(wait)
            ceiling = min(ceiling * 2, BACKOFF_CAP)


def path(*parts: str) -> str:
    """Join the parts of a path; none of them can break out of its place or be missing."""
    if any(part in {"", ".", ".."} for part in parts):
        raise ValueError("empty or dotted part in a path")
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def inside(name: str, parse: Callable[[object], T]) -> Callable[[object], T]:
    """Return a parser of the object under this name."""
    return lambda data: parse(need(data, name, dict))


def every(name: str, parse: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    """Return a parser of the list of objects under this name."""
    return lambda data: tuple(parse(item) for item in need(data, name, list))


def followed(data: Any) -> tuple[Operation, ...]:
    """Parse the operations that follow a deletion; an empty answer (204) has none, the thing was gone."""
    return Operation.list_from_json(data) if data else ()
