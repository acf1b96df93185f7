"""Logging in: a client at the router, and the router, with what the client has proven, at the server."""

import asyncio
import ssl
import struct

from neon.local import scram, startup
from neon.local.address import Address
from neon.local.certificate import Certificate
from neon.local.pipe import End
from neon.local.startup import Refusal, authentication, message_of, packet


class Told(Exception):
    """The server did not let us in, and the client has been told what it said."""


async def hear(client: End, certificate: Certificate) -> tuple[int, bytes]:
    """Return the code and the content of what a client opens with, in TLS if it asks for that."""
    while True:
        length, code = struct.unpack("!ii", await client.exactly(8))
        if not 8 <= length <= startup.LONGEST:
            raise ConnectionResetError
        content = await client.exactly(length - 8)
        if code == startup.SSL and not client.encrypted:
            await client.encrypt(certificate.context, answer=b"S")
        elif code == startup.GSS and not client.encrypted:
            client.transport.write(b"N")
        elif code == startup.CANCEL or code >> 16 == startup.PROTOCOL:
            return code, content
        else:
            raise Refusal("0A000", f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}")


async def let_prove(client: End, verifier: scram.Verifier, certificate: Certificate) -> bytes:
    """Let a client prove its password, and return its key; raises scram.Refused."""
    exchange = scram.Server(verifier, certificate.channel if client.encrypted else None)
    mechanisms = "\0".join(exchange.mechanisms).encode() + b"\0\0"
    client.transport.write(authentication(startup.SASL, mechanisms))
    mechanism, _, first = (await _response(client)).partition(b"\0")
    challenge = exchange.challenge(mechanism.decode("latin-1"), first[4:])  # without its length
    client.transport.write(authentication(startup.SASL_CONTINUE, challenge))
    answer, key = exchange.accept(await _response(client))
    client.transport.write(authentication(startup.SASL_FINAL, answer))
    return key


async def _response(client: End) -> bytes:
    kind, content = await client.message()
    if kind != b"p":
        raise scram.Refused("no SASL response")
    return content


async def connect(where: Address) -> End:
    """Connect to the server, in TLS as its address wants it."""
    _, server = await asyncio.get_running_loop().create_connection(End, where["host"], where["port"])
    try:
        if where["sslmode"] in {"disable", "allow"}:
            return server
        server.transport.write(packet(startup.SSL, b""))
        if await server.exactly(1) == b"S":
            await server.encrypt(_context(where), name=where["host"])
        elif where["sslmode"] != "prefer":
            raise ConnectionRefusedError("the server does not speak TLS")
        return server
    except BaseException:
        server.transport.abort()
        raise


def _context(where: Address) -> ssl.SSLContext:
    """Return the TLS settings that libpq has for the same words."""
    context = ssl.create_default_context(cafile=where.get("sslrootcert") or None)
    context.check_hostname = where["sslmode"] == "verify-full"
    if not where.get("sslrootcert"):  # with one libpq verifies by it whatever the mode
        context.verify_mode = ssl.CERT_NONE
    return context


async def log_in(server: End, client: End, where: Address, opening: bytes, exchange: scram.Client) -> None:
    """Log in at the server; what it says to the client meanwhile is handed on. Raises Told and scram.Refused."""
    server.transport.write(opening)
    known = "require_auth" not in where
    while True:
        kind, content = await server.message()
        if kind != b"R":
            client.transport.write(message_of(kind, content))
            if kind == b"E":
                raise Told
            continue
        (asked,) = struct.unpack_from("!i", content)
        if asked == startup.DONE and known:
            return
        if asked == startup.SASL and scram.MECHANISM.encode() in content[4:].split(b"\0"):
            hello = exchange.hello()
            first = scram.MECHANISM.encode() + b"\0" + struct.pack("!i", len(hello)) + hello
            server.transport.write(message_of(b"p", first))
        elif asked == startup.SASL_CONTINUE:
            server.transport.write(message_of(b"p", exchange.prove(content[4:])))
        elif asked == startup.SASL_FINAL:
            exchange.check(content[4:])
            known = True
        else:
            raise scram.Refused("the server wants to know who it is by other means than SCRAM-SHA-256")
