"""Whatever is asked of the plane, it answers as Neon's description allows, and nothing breaks it.

    PROPERTY_EXAMPLES=300 uv run pytest -m clients tests/neon/local/test_properties.py

looks for longer, and elsewhere each time.
"""

import os
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.neon.local import arbitrary, openapi, plane

pytestmark = [openapi.NEEDED, pytest.mark.clients]
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "0"))
# A world with more than this is given up for a new one, before the cluster is full of databases.
CROWDED = 12
OPERATIONS = [
    (method.upper(), path)
    for path, methods in (openapi.description()["paths"] if openapi.PATH.exists() else {}).items()
    for method in methods
    if method in {"get", "post", "put", "patch", "delete"}
]


class World:
    """A project with something of everything, made again whenever a request has taken it away."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.made: set[str] = set()
        self._known: arbitrary.Known = {}
        self._create()

    def _create(self) -> None:
        answer = self.http.post("projects", json={"project": {"name": "world"}})
        assert answer.status_code == 201, answer.text
        self.project = plane.Project(self.http, answer.json())
        self.made.add(self.project.id)
        branch_id = self.project.default["id"]
        self.project.did("POST", "/branches", json={"branch": {"name": "dev"}, "endpoints": [{"type": "read_write"}]})
        self.project.did("POST", f"/branches/{branch_id}/roles", json={"role": {"name": "reader"}})
        database = {"name": "library", "owner_name": "reader"}
        self.project.did("POST", f"/branches/{branch_id}/databases", json={"database": database})
        self.project.snapshot("kept")

    def known(self) -> arbitrary.Known:
        """Return the ids and names of what there is now, in a world that has enough and not too much of it."""
        self._known = self._known or self._look()
        if not self._known:
            self.close()
            self._create()
            self._known = self._look()
        return self._known

    def _look(self) -> arbitrary.Known:
        if self.project.call("GET", "").status_code != 200:
            return {}
        known = {"project_id": [self.project.id], "org_id": ["org-no-such-12345678"], "key_id": ["1"]}
        branches = self.project.branches()
        for name, path in {
            "branch_id": "/branches",
            "endpoint_id": "/endpoints",
            "snapshot_id": "/snapshots",
            "operation_id": "/operations?limit=5",
        }.items():
            items = self.project.did("GET", path)[path.partition("?")[0][1:]]
            known[name] = [item["id"] for item in items]
        for name, kind in {"database_name": "databases", "role_name": "roles"}.items():
            items = self.project.did("GET", f"/branches/{self.project.default['id']}/{kind}")[kind]
            known[name] = [item["name"] for item in items]
        if not all(0 < len(items) <= CROWDED for items in known.values()):
            return {}
        return known | {"taken_name": [*branches, *known["database_name"], *known["role_name"], "kept"]}

    def ask(self, request: arbitrary.Request) -> httpx.Response:
        """Send a request, which may change what there is."""
        if request.method != "GET":
            self._known = {}
        answer = self.http.request(
            *(request.method, request.path[1:]),
            params=request.query,
            content=request.content,
            headers={"Content-Type": "application/json"},
        )
        if request.method == "POST" and request.path == "/projects" and answer.status_code == 201:
            self.made.add(answer.json()["project"]["id"])
        return answer

    def close(self) -> None:
        """Delete all projects that the requests have made."""
        for project_id in self.made:
            self.http.delete(f"projects/{project_id}")
        self.made.clear()


@pytest.fixture(scope="module")
def world(http: httpx.Client) -> Iterator[World]:
    """The world that all requests are about."""
    world = World(http)
    yield world
    with psycopg.connect(world.project.uri) if world.known() else world.project.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    world.close()


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(operation) for operation in OPERATIONS])
@settings(
    max_examples=EXAMPLES or 8,
    derandomize=not EXAMPLES,
    database=None if not EXAMPLES else settings.default.database,
    deadline=None,
    # The world is another one at the next try: there is nothing to replay or to shrink.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_an_answer_is_one_that_neon_could_give(world, method, path, data):
    request = data.draw(arbitrary.requests(method, path, world.known()))
    note(f"{request}")
    answer = world.ask(request)
    asked, sent = answer.request.url.raw_path.decode(), request.content or b""
    assert openapi.faults(request.method, asked, answer.status_code, answer.headers, answer.content, sent=sent) == []


@pytest.mark.parametrize(
    ("method", "path", "sent", "allowed"),
    [
        ("GET", "/projects/p/permissions", b"", True),
        ("PATCH", "/projects/p/endpoints/e", b"{}", True),
        ("GET", "/projects?limit=3", b"", False),
        ("POST", "/projects", b'{"project": {"settings": {"quota": {}}}}', True),
        ("POST", "/projects", b'{"project": {"name": "settings"}}', False),
        ("POST", "/projects/p/endpoints", b'{"endpoint": {"type": "read_only"}}', True),
        ("POST", "/projects/p/endpoints", b'{"endpoint": {"type": "read_write"}}', False),
        ("POST", "/projects/p/branches", b'{"endpoints": [{"type": "read_write"}, {"type": "read_write"}]}', True),
        ("POST", "/projects/p/branches", b'{"endpoints": [{"type": "read_write"}]}', False),
        ("POST", "/projects/p/branches/b/snapshot?timestamp=now", b"", True),
        ("POST", "/projects/p/branches/b/snapshot?name=timestamp", b"", False),
        ("POST", "/projects/p/branches/b/restore", b'{"source_branch_id": "b"}', True),
        ("POST", "/projects/p/branches/b/restore", b'{"source_branch_id": "c"}', False),
    ],
)
def test_not_implemented_is_an_answer_only_to_what_is_not_served_or_is_refused(method, path, sent, allowed):
    refusal = b'{"request_id": "r", "code": "", "message": "not here"}'
    headers = {"content-type": "application/json"}
    found = openapi.faults(method, openapi.PREFIX + path, 501, headers, refusal, sent=sent)
    assert (found == []) is allowed, found
