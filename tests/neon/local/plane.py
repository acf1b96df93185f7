"""A project on the plane, spoken to at the wire and used through its own URI."""

import json
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psycopg
import pytest
from django.conf import settings

from neon.local import postgres, store
from neon.local.transport import LocalTransport

# How the server refuses: the database is closed to all, to this role, or there is none of the name.
CLOSED = r"permission denied|not currently accepting|does not exist"

# What the owner of a database might do to it.
ATTACKS = [
    "ALTER DATABASE {} ALLOW_CONNECTIONS true",
    "ALTER DATABASE {} RENAME TO mine",
    "ALTER DATABASE {} SET work_mem = '1MB'",
    "ALTER DATABASE {} OWNER TO CURRENT_USER",
    "ALTER DATABASE {} IS_TEMPLATE true",
    "COMMENT ON DATABASE {} IS 'mine'",
    "DROP DATABASE {}",
    "DROP DATABASE {} WITH (FORCE)",
    "CREATE DATABASE stolen TEMPLATE {}",
]

# A statement that the server answers as if it had no room.
DISK_FULL = psycopg.sql.SQL(
    "DO 'BEGIN RAISE disk_full USING MESSAGE = ''could not extend file /somewhere''; END'"
).format()


def wire():
    """Return an HTTP client with the plane's key."""
    return httpx.Client(
        base_url="http://plane/api/v2",
        transport=LocalTransport(),
        headers={"Authorization": f"Bearer {settings.NEON_LOCAL_API_KEY}"},
    )


def send_json(http, method, path, body):
    """Send what httpx would not write: JSON with half characters in it."""
    content, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    return http.request(method, path, content=content, headers=headers)


def memory(query, parameters=None):
    """Query the plane's own tables, as its superuser."""
    with store.connection() as connection:
        return connection.execute(query, parameters).fetchall()


@contextmanager
def locked(project_id):
    """Hold a project's lock, as whoever changes it does."""
    with store.connection() as connection, store.lock(connection, project_id, wait=True):
        yield


def end_operations(project_id):
    """Let the time pass that a project's operations take."""
    memory("UPDATE operations SET finish_at = clock_timestamp() WHERE project_id = %s RETURNING id", [project_id])


def names_in_cluster():
    """Return the databases and roles in the cluster whose names the plane made up."""
    with psycopg.connect(**postgres.server().address(), dbname="postgres") as connection:
        return {
            name
            for (name,) in connection.execute(
                "SELECT datname FROM pg_database WHERE datname ~ '^db_[0-9a-f]{16}$'"
                " UNION SELECT rolname FROM pg_roles WHERE rolname ~ '^role_[0-9a-f]{16}$'"
            )
        }


def names_in_memory():
    """Return the databases and roles that the plane's rows refer to."""
    query = (
        "SELECT physical_name FROM databases UNION SELECT physical_name FROM roles"
        " UNION SELECT physical_name FROM spares UNION SELECT physical_name FROM leftovers"
        " UNION SELECT physical_name FROM templates"
    )
    return {row["physical_name"] for row in memory(query)}


def sql(uri, query, parameters=None):
    """Run a query on a fresh connection and return its rows, if it has any."""
    with psycopg.connect(uri, autocommit=True, connect_timeout=5) as connection:
        cursor = connection.execute(query, parameters)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def refused(*, match=CLOSED):
    """Expect that somebody cannot connect."""
    with pytest.raises(psycopg.OperationalError, match=match):
        yield


def superuser(database):
    """Connect to a database as the cluster's superuser."""
    return psycopg.connect(**postgres.server().address(), dbname=database, autocommit=True)


@dataclass
class Project:
    """One project; its calls fail loudly."""

    http: httpx.Client
    made: dict

    @property
    def id(self):
        return self.made["project"]["id"]

    @property
    def uri(self):
        return self.made["connection_uris"][0]["connection_uri"]

    @property
    def parameters(self):
        """The names in the cluster."""
        return self.made["connection_uris"][0]["connection_parameters"]

    def call(self, method, path, **more):
        """Send a request below the project's path, and return the answer whatever it is."""
        return self.http.request(method, f"projects/{self.id}{path}", **more)

    def did(self, method, path, **more):
        """Send a request, which must succeed, and return the JSON of the answer."""
        answer = self.call(method, path, **more)
        assert answer.is_success, answer.text
        return answer.json()

    def branches(self):
        """Return the branches by name."""
        return {branch["name"]: branch for branch in self.did("GET", "/branches")["branches"]}

    @property
    def default(self):
        """The default branch as it is now."""
        (branch,) = [branch for branch in self.did("GET", "/branches")["branches"] if branch["default"]]
        return branch

    def branch(self, name, *, endpoint=True, **fields):
        """Make a branch of the default one, unless a parent is named, and return it."""
        body = {"branch": {"name": name, **fields}, "endpoints": [{"type": "read_write"}] if endpoint else []}
        return self.did("POST", "/branches", json=body)["branch"]

    def uri_of(self, branch_id="", database="neondb", role="neondb_owner"):
        """Return the URI of a branch's database, the default branch's unless one is named."""
        names = {"database_name": database, "role_name": role, "branch_id": branch_id}
        return self.did("GET", "/connection_uri", params=names)["uri"]

    def snapshot(self, name="s", branch_id=None):
        """Snapshot a branch, the default one unless another is named, and return the snapshot's id."""
        path = f"/branches/{branch_id or self.default['id']}/snapshot"
        return self.did("POST", path, params={"name": name})["snapshot"]["id"]

    def restore(self, snapshot_id, target_branch_id=None):
        """Restore over a branch, the default one unless another is named, and return the answer."""
        body = {"finalize_restore": True, "target_branch_id": target_branch_id or self.default["id"]}
        return self.did("POST", f"/snapshots/{snapshot_id}/restore", json=body)

    def connect(self, **parameters):
        """Connect as the project's role."""
        return psycopg.connect(self.uri, autocommit=True, connect_timeout=5, **parameters)

    def sql(self, query, parameters=None):
        """Run a query on a fresh connection of the project's role and return its rows, if it has any."""
        with self.connect() as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def physical(self):
        """Return the names in the cluster of the project's snapshots' and branches' databases."""
        rows = memory(
            "SELECT d.physical_name, d.snapshot_id, e.id AS endpoint_id FROM databases d"
            " LEFT JOIN branches b ON b.id = d.branch_id LEFT JOIN snapshots s ON s.id = d.snapshot_id"
            " LEFT JOIN endpoints e ON e.branch_id = b.id WHERE coalesce(b.project_id, s.project_id) = %s",
            [self.id],
        )
        return {
            "snapshots": [row["physical_name"] for row in rows if row["snapshot_id"]],
            "live": [row["physical_name"] for row in rows if row["endpoint_id"]],
            "replaced": [row["physical_name"] for row in rows if not row["snapshot_id"] and not row["endpoint_id"]],
        }


@contextmanager
def project(http, name="test"):
    """Lend a new project."""
    answer = http.post("projects", json={"project": {"name": name}})
    assert answer.status_code == 201, answer.text
    made = Project(http, answer.json())
    try:
        yield made
    finally:
        http.delete(f"projects/{made.id}")
