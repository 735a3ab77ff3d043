"""HTTP/1 messages on an asyncio connection: read whole, with what the proxy must know of each, written as they are.

A protocol of our own: with asyncio's streams a request took a seventh more of the processor, which a cell has to share.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass

MOST_HEAD = 262144
HIGH_WATER = 1 << 20
BLANK_LINE = b"\r\n\r\n"


class HttpError(Exception):
    """What came is not an HTTP/1 message, or ended in its middle; in a few words."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer: its head with the blank line, its body, and whether the connection stays open after it.

    ``action`` is a request's, in AWS's JSON protocol (``is_json``) or in the query protocol that botocore spoke to SQS
    before 1.31.81.
    """

    head: bytes
    body: bytes
    keeps: bool
    action: str = ""
    is_json: bool = True

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.head) + len(self.body)


class Connection(asyncio.Protocol):
    """One connection; reads are for one reader at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.is_ended = False
        self._buffer = bytearray()
        self._error: Exception | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._is_full = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # TCP and TLS both give one
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._buffer += data
        _wake(self._arrival)

    def eof_received(self) -> bool:
        """The other side sends no more; it may still read, except over TLS, which knows no half-closed connections."""
        self.is_ended = True
        _wake(self._arrival)
        return self.transport is not None and self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self.is_ended, self._error, self._is_full = True, exc, False
        _wake(self._arrival)
        _wake(self._drained)

    def pause_writing(self) -> None:
        """The other side reads too slowly."""
        self._is_full = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._is_full = False
        _wake(self._drained)

    # What the proxy does with it

    async def request(self) -> Message | None:
        """The next request; None when the client has ended the connection between two."""
        head = await self._head()
        if head is None:
            return None
        fields = head.lower()
        if _field(fields, b"expect") == b"100-continue":  # S3's uploads wait for it; the backend is not asked again
            await self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:"))
            fields = head.lower()
        body = await self._body(fields, until_end=False)
        at = fields.find(b"\r\nx-amz-target:")
        if at >= 0:
            target = head[at + 15 : head.index(b"\r\n", at + 2)].decode("latin-1").strip()
            return Message(head, body, keeps_connection(fields), action=target.rpartition(".")[2])
        return Message(head, body, keeps_connection(fields), action=_query_action(body), is_json=False)

    async def answer(self) -> Message:
        """The next answer.

        Raises:
            HttpError: the backend ended the connection before or in the middle of it.
        """
        head = await self._head()
        if head is None:
            raise HttpError("the backend closed the connection without an answer")
        fields = head.lower()
        return Message(head, await self._body(fields, until_end=True), keeps_connection(fields))

    async def write(self, data: bytes) -> None:
        """Send, and wait while the other side is far behind.

        Raises:
            HttpError: the connection is over.
        """
        if self.transport is None or self.transport.is_closing():
            raise HttpError("the client has closed the connection")
        self.transport.write(data)
        if self._is_full:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    async def swallow(self) -> None:
        """Read and drop everything until the connection ends."""
        while not self.is_ended:
            self._buffer.clear()
            await self._more()

    def close(self) -> None:
        """Close it when all has been sent."""
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """Close it by a reset (RST)."""
        if self.transport is not None:
            sock = self.transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    async def _more(self) -> None:
        self._arrival = asyncio.get_running_loop().create_future()
        await self._arrival
        if self._error is not None:
            raise HttpError(f"{type(self._error).__name__}: {self._error}")

    async def _head(self) -> bytes | None:
        start = 0
        while (at := self._buffer.find(BLANK_LINE, start)) < 0:
            if self.is_ended:
                if self._buffer:
                    raise HttpError("the connection ended in the middle of a head")
                return None
            if len(self._buffer) > MOST_HEAD:
                raise HttpError("a head without an end")
            start = max(0, len(self._buffer) - 3)
            await self._more()
        return self._take(at + 4)

    async def _body(self, fields: bytes, *, until_end: bool) -> bytes:
        length = _field(fields, b"content-length")
        if length:
            return await self._exactly(int(length))
        if _field(fields, b"transfer-encoding") == b"chunked":
            return await self._chunks()
        if not until_end:
            return b""
        while not self.is_ended:
            await self._more()
        return self._take(len(self._buffer))

    async def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if self.is_ended:
                raise HttpError("the connection ended in the middle of a body")
            await self._more()
        return self._take(size)

    async def _chunks(self) -> bytes:
        whole = b""
        while True:
            while (at := self._buffer.find(b"\r\n")) < 0:
                if self.is_ended:
                    raise HttpError("the connection ended in the middle of a chunk")
                await self._more()
            line = self._take(at + 2)
            size = int(line.split(b";")[0], 16)
            whole += line + await self._exactly(size + 2)
            if not size:
                return whole

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


def keeps_connection(fields: bytes) -> bool:
    """Whether the connection stays open after a message; ``fields`` is its head in small letters."""
    connection = _field(fields, b"connection")
    return connection != b"close" and (b"http/1.0" not in fields.split(b"\r\n", 1)[0] or connection == b"keep-alive")


def kept(answer: Message) -> Message:
    """The answer as a server gives it that keeps its connections, as SQS does, whatever the backend does."""
    _, _, rest = answer.head.partition(b" ")
    lines = [line for line in rest.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    fields = answer.head.lower()
    if not _field(fields, b"content-length") and not _field(fields, b"transfer-encoding"):
        lines.insert(1, b"Content-Length: %d" % len(answer.body))
    return Message(b"HTTP/1.1 " + b"\r\n".join(lines), answer.body, keeps=True)


def _field(fields: bytes, name: bytes) -> bytes:
    at = fields.find(b"\r\n" + name + b":")
    if at < 0:
        return b""
    start = at + len(name) + 3
    return fields[start : fields.index(b"\r\n", start)].strip()


def _query_action(body: bytes) -> str:
    for part in body.split(b"&"):
        if part.startswith(b"Action="):
            return part[7:].decode("ascii", "replace")
    return ""


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
