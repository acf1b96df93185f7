"""The port of each endpoint: its own, and kept."""

import errno
import secrets
import socket

import psycopg

from neon.local import store
from neon.local.cluster import Connection

# Outside of what systems hand out for outgoing connections, so that a kept port is seldom taken later.
FIRST, COUNT = 20_000, 10_000
TRIES = 50
BACKLOG = 128


def endpoints() -> list[str]:
    """Return the endpoints that have a port."""
    with store.connection() as connection:
        return [row["endpoint_id"] for row in connection.execute("SELECT endpoint_id FROM ports").fetchall()]


def gone(endpoint_ids: list[str]) -> list[str]:
    """Return those of the endpoints that there are no more."""
    query = "SELECT id FROM unnest(%s::text[]) AS known (id) WHERE id NOT IN (SELECT id FROM endpoints)"
    with store.connection() as connection:
        return [row["id"] for row in connection.execute(query, [endpoint_ids]).fetchall()]


def listen(host: str, endpoint_id: str) -> socket.socket | None:
    """Return a socket that accepts at the endpoint's port; one that somebody else has taken is exchanged for another.

    None when there is no such endpoint; raises OSError when no port is to be had.
    """
    with store.connection() as connection:
        row = connection.execute("SELECT port FROM ports WHERE endpoint_id = %s", [endpoint_id]).fetchone()
        if row and (listener := _bind(host, row["port"])):
            return listener
        for _ in range(TRIES):
            listener = _bind(host, FIRST + secrets.randbelow(COUNT))
            if listener is not None:
                try:
                    if _keep(connection, endpoint_id, listener.getsockname()[1]):
                        return listener
                except psycopg.errors.ForeignKeyViolation:
                    listener.close()
                    return None
                except BaseException:
                    listener.close()
                    raise
                listener.close()
    raise OSError(f"no port is free from {FIRST} to {FIRST + COUNT - 1}")


def _bind(host: str, port: int) -> socket.socket | None:
    """Return a socket that accepts at the port; None when somebody has taken it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By the protocol asyncio knows that it may send at once; else every log-in waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except BaseException as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            return None
        raise
    return listener


def _keep(connection: Connection, endpoint_id: str, port: int) -> bool:
    """Keep the endpoint's port; False when it is another one's."""
    try:
        connection.execute(
            "INSERT INTO ports (endpoint_id, port) VALUES (%s, %s)"
            " ON CONFLICT (endpoint_id) DO UPDATE SET port = EXCLUDED.port",
            [endpoint_id, port],
        )
    except psycopg.errors.UniqueViolation:
        return False
    return True
