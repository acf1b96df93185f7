"""One end of a connection: read piece by piece at first, then joined to another end."""

import asyncio
import ssl
import struct
from collections.abc import Callable
from typing import cast

# As much as an end takes in before it is joined; nothing that opens a connection is longer.
UNREAD_BYTES = 64 * 1024


class End(asyncio.Protocol):
    """One end, whose bytes go to its peer once it has one."""

    transport: asyncio.Transport

    def __init__(self, begin: "Callable[[End], None] | None" = None) -> None:
        """*begin* is called with the end of a client that has come; the ends at servers have none."""
        self._begin = begin
        self._unread = bytearray()
        self._news: asyncio.Future[None] | None = None
        self._peer: End | None = None
        self.ended = False
        self.encrypted = False

    async def exactly(self, count: int) -> bytes:
        """Return the next bytes; raises ConnectionResetError when the end closes before."""
        while len(self._unread) < count:
            if self.ended or count > UNREAD_BYTES:
                raise ConnectionResetError
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        piece = bytes(self._unread[:count])
        del self._unread[:count]
        return piece

    async def message(self) -> tuple[bytes, bytes]:
        """Return the next message's kind and content."""
        kind, length = struct.unpack("!ci", await self.exactly(5))
        if length < 4:
            raise ConnectionResetError
        return kind, await self.exactly(length - 4)

    async def encrypt(self, context: ssl.SSLContext, *, answer: bytes = b"", name: str | None = None) -> None:
        """Go on in TLS, as the server after an *answer* or else as the client of the server called *name*."""
        if self._unread:  # sent in the clear, to be taken for something that was encrypted
            raise ConnectionResetError
        self.transport.write(answer)
        loop = asyncio.get_running_loop()
        upgraded = await loop.start_tls(
            self.transport, self, context, server_side=bool(answer), server_hostname=None if answer else name
        )
        if upgraded is None:
            raise ConnectionResetError
        self.transport, self.encrypted = upgraded, True

    def join(self, peer: "End") -> None:
        """Hand on what comes in on either side, from now on, until one of them closes."""
        for one, other in ((self, peer), (peer, self)):
            one._peer = other
            other.transport.write(bytes(one._unread))
            one._unread.clear()
            one.transport.resume_reading()
        if self.ended:
            peer.transport.close()
        if peer.ended:
            self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)
        if self._begin is not None:
            self._begin(self)

    def data_received(self, data: bytes) -> None:
        """Hand on, or keep until somebody reads."""
        if self._peer is not None:
            self._peer.transport.write(data)
            return
        self._unread += data
        if len(self._unread) > UNREAD_BYTES:
            self.transport.pause_reading()
        self._tell()

    def pause_writing(self) -> None:
        """Take in no more from the peer while this side is slow to take it."""
        if self._peer is not None:
            self._peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """Take in again."""
        if self._peer is not None:
            self._peer.transport.resume_reading()

    def eof_received(self) -> bool:
        """Pass on that a client sends no more; True keeps the other direction open, which TLS cannot."""
        self.ended = True
        self._tell()
        # A server sends no more only when it is done with the connection.
        if self._begin is None or self._peer is None or self.encrypted or not self._peer.transport.can_write_eof():
            return False
        self._peer.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the peer, after what it has still to be sent."""
        self.ended = True
        self._tell()
        if self._peer is not None:
            self._peer.transport.close()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
