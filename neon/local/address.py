"""Where a server listens, and whether it is really ours that answers there."""

import socket
from typing import NotRequired, TypedDict

import psycopg

HOST = "127.0.0.1"
PLANE_DATABASE = "neon_local"


class PostgresError(psycopg.OperationalError):
    """There is no server to work on; the message is one sentence for people."""


class Address(TypedDict):
    """Where the server listens and as whom to log in, in libpq's words."""

    host: str
    port: int
    user: str
    password: str
    sslmode: str
    gssencmode: str
    require_auth: NotRequired[str]
    sslrootcert: NotRequired[str]


def address(port: int, user: str, password: str) -> Address:
    """Return a way to log in at the embedded server.

    A stranger on our port never gets to see the password, nor passes for the server.
    """
    return Address(
        host=HOST,
        port=port,
        user=user,
        password=password,
        sslmode="disable",
        gssencmode="disable",
        require_auth="scram-sha-256",
    )


def answers(where: Address) -> bool:
    """Tell whether our server answers there: a process id can lie, a log-in with our password cannot."""
    try:
        psycopg.connect(**where, dbname="postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def is_taken(port: int) -> bool:
    """Tell whether somebody has the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
