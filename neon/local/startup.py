"""The packets that open a connection to Postgres: read, written anew, refused."""

import struct

CANCEL, SSL, GSS = 80877102, 80877103, 80877104
PROTOCOL = 3  # the only major version that a living client speaks
LONGEST = 10_000  # as in Postgres

# The kinds of authentication messages.
DONE, SASL, SASL_CONTINUE, SASL_FINAL = 0, 10, 11, 12


class Refusal(Exception):
    """Why a client is not let in, as Postgres would say it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.packet = message_of(
            b"E",
            b"".join(
                kind + text.encode() + b"\0"
                for kind, text in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", code), (b"M", message))
            )
            + b"\0",
        )


def message_of(kind: bytes, content: bytes) -> bytes:
    """Return a message."""
    return kind + struct.pack("!i", len(content) + 4) + content


def authentication(kind: int, content: bytes = b"") -> bytes:
    """Return a message by which the server asks for proof, or says that it is content."""
    return message_of(b"R", struct.pack("!i", kind) + content)


def packet(code: int, content: bytes) -> bytes:
    """Return a packet of the opening, which has a code in place of a kind."""
    return struct.pack("!ii", len(content) + 8, code) + content


def read_parameters(content: bytes) -> dict[bytes, bytes]:
    """Return the parameters of a startup packet; raises Refusal."""
    words = content.split(b"\0")
    # Names and values by turns, each ended by a zero, and one more zero at the end.
    if len(words) % 2 or words[-2:] != [b"", b""] or b"" in words[0:-2:2]:
        raise Refusal("08P01", "invalid startup packet layout: expected terminator as last byte")
    return dict(zip(words[0:-2:2], words[1:-2:2], strict=True))


def write_parameters(parameters: dict[bytes, bytes]) -> bytes:
    """Return the content of a startup packet."""
    return b"".join(name + b"\0" + value + b"\0" for name, value in parameters.items()) + b"\0"
