"""SCRAM-SHA-256 from both sides, with the verifier that Postgres keeps and without the password (RFC 5802, 7677).

Whoever holds the verifier can check a client's proof, and the proof gives away the client's key. With that key and
the same verifier one can log in at the server as that client, as PgBouncer does.
"""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

MECHANISM = "SCRAM-SHA-256"
PLUS = "SCRAM-SHA-256-PLUS"  # bound to the TLS channel by the hash of the certificate
BINDING = "p=tls-server-end-point"
SALT_BYTES = 16  # as in Postgres


class Refused(Exception):
    """The other side does not prove who it is, or does not speak SCRAM."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """What Postgres keeps of a password."""

    iterations: int
    salt: str
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Read ``pg_authid.rolpassword``; raises Refused for a password that was kept in another way."""
        try:
            mechanism, parameters, keys = text.split("$")
            iterations, salt = parameters.split(":")
            stored_key, server_key = map(b64decode, keys.split(":"))
            if mechanism != MECHANISM:
                raise ValueError(mechanism)
            return cls(int(iterations), salt, stored_key, server_key)
        except ValueError as error:
            raise Refused("no SCRAM verifier") from error

    @classmethod
    def of_nobody(cls, name: str, secret: str, iterations: int) -> "Verifier":
        """Return one that nothing proves, to ask somebody unknown as Postgres does: with the same salt every time."""
        salt = hmac.digest(secret.encode(), name.encode(), "sha256")[:SALT_BYTES]
        return cls(iterations, b64encode(salt).decode(), secrets.token_bytes(32), secrets.token_bytes(32))


class Server:
    """The side that asks a client to prove that it knows the password; *channel* is the hash of our certificate."""

    def __init__(self, verifier: Verifier, channel: bytes | None) -> None:
        self._verifier = verifier
        self._channel = channel
        self.mechanisms = [MECHANISM] if channel is None else [PLUS, MECHANISM]

    def challenge(self, mechanism: str, message: bytes) -> bytes:
        """Return the answer to the client's first message; raises Refused."""
        try:
            binding, identity, self._client_first = message.decode().split(",", 2)
            nonce = _attribute(self._client_first.split(",")[1], "r")
        except (ValueError, IndexError) as error:
            raise Refused("malformed first message") from error
        # A client that could bind the channel and believes that we cannot has been lied to.
        allowed = {MECHANISM: {"n"} if self._channel else {"n", "y"}, PLUS: {BINDING} if self._channel else set()}
        if binding not in allowed.get(mechanism, set()) or identity:
            raise Refused("wrong channel binding")
        bound = self._channel if mechanism == PLUS and self._channel else b""
        self._header = b64encode(f"{binding},,".encode() + bound).decode()
        self._nonce = nonce + _nonce()
        self._server_first = f"r={self._nonce},s={self._verifier.salt},i={self._verifier.iterations}"
        return self._server_first.encode()

    def accept(self, message: bytes) -> tuple[bytes, bytes]:
        """Return the answer to the client's proof, and the client's key; raises Refused."""
        try:
            unproven, proof = message.decode().rsplit(",p=", 1)
            header, nonce = unproven.split(",")[:2]
            proven = b64decode(proof, validate=True)
        except ValueError as error:
            raise Refused("malformed proof") from error
        if (header, nonce) != (f"c={self._header}", f"r={self._nonce}"):
            raise Refused("another channel or exchange")
        spoken = f"{self._client_first},{self._server_first},{unproven}"
        key = _xor(proven, _sign(self._verifier.stored_key, spoken))
        if not hmac.compare_digest(hashlib.sha256(key).digest(), self._verifier.stored_key):
            raise Refused("wrong password")
        return b"v=" + b64encode(_sign(self._verifier.server_key, spoken)), key


class Client:
    """The side that proves to a server that it knows a password, by the key of somebody who has proven it to us."""

    def __init__(self, verifier: Verifier, key: bytes) -> None:
        self._verifier = verifier
        self._key = key
        self._client_first = f"n=,r={_nonce()}"

    def hello(self) -> bytes:
        """Return the first message."""
        return f"n,,{self._client_first}".encode()

    def prove(self, challenge: bytes) -> bytes:
        """Return the proof."""
        unproven = f"c=biws,{challenge.decode().split(',')[0]}"  # "biws" stands for "n,,"
        self._spoken = f"{self._client_first},{challenge.decode()},{unproven}"
        proof = _xor(self._key, _sign(self._verifier.stored_key, self._spoken))
        return f"{unproven},p={b64encode(proof).decode()}".encode()

    def check(self, answer: bytes) -> None:
        """Check that it is the server that knows the verifier; raises Refused."""
        expected = b"v=" + b64encode(_sign(self._verifier.server_key, self._spoken))
        if not hmac.compare_digest(answer, expected):
            raise Refused("not our server")


def _attribute(text: str, name: str) -> str:
    if not text.startswith(f"{name}=") or len(text) < 3:
        raise ValueError(name)
    return text[2:]


def _nonce() -> str:
    return secrets.token_urlsafe(18)


def _sign(key: bytes, message: str) -> bytes:
    return hmac.digest(key, message.encode(), "sha256")


def _xor(one: bytes, other: bytes) -> bytes:
    if len(one) != len(other):
        raise Refused("malformed proof")
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
