"""An app database of its own for every test, reached as its owner, who is no superuser."""

import functools
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg import sql

from contacts import db, schema, versions
from neon.local import postgres

END_CONNECTIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


@functools.cache
def superuser():
    """Return the one connection through which databases are made and dropped."""
    return psycopg.connect(**postgres.server().address(), dbname="postgres", autocommit=True)


def on_server(statement, *names, parameters=None):
    """Run a statement as the superuser, with the names put in as identifiers."""
    cursor = superuser().execute(sql.SQL(statement).format(*map(sql.Identifier, names)), parameters)
    return cursor.fetchall() if cursor.description else []


@dataclass
class Databases:
    """The databases of one owner, made and dropped by name."""

    owner: str = field(default_factory=lambda: f"owner_{secrets.token_hex(4)}")
    password: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def uri(self, name):
        address = postgres.server().address()
        return f"postgresql://{self.owner}:{self.password}@{address['host']}:{address['port']}/{name}?sslmode=disable"

    @contextmanager
    def made(self, template="template0"):
        name = f"contacts_{secrets.token_hex(4)}"
        on_server("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY", name, self.owner, template)
        uri = self.uri(name)
        try:
            yield name
        finally:
            db.forget(uri)
            # DROP itself would look for leftovers only every 100 ms.
            while on_server(END_CONNECTIONS, parameters=[name]):
                time.sleep(0.001)
            on_server("DROP DATABASE {}", name)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    made = Databases()
    on_server(f"CREATE ROLE {{}} LOGIN PASSWORD '{made.password}'", made.owner)
    yield made
    on_server("DROP ROLE {}", made.owner)
    superuser().close()


@pytest.fixture(scope="session")
def template(databases):
    """The name of a database at v1, to be copied."""
    with databases.made() as name:
        schema.apply(databases.uri(name), versions.FIRST)
        db.forget(databases.uri(name))
        yield name


@pytest.fixture
def name(databases, template):
    """The name of a database at v1."""
    with databases.made(template) as name:
        yield name


@pytest.fixture
def uri(databases, name):
    """The URI of a database at v1."""
    return databases.uri(name)


@pytest.fixture
def empty_uri(databases):
    """The URI of a database with nothing in it."""
    with databases.made() as name:
        yield databases.uri(name)


@pytest.fixture
def execute(uri):
    """A function that runs SQL in the test's database, on a connection of its own."""
    with psycopg.connect(uri, autocommit=True) as connection:
        yield connection.execute
