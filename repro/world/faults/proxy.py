"""The proxy's process: ``python -m repro.world.faults.proxy CONFIG``, CONFIG as JSON by ``repro.world.faults.Proxy``.

An HTTP/1 relay: it has to know where a request ends and which action it is, to hit the n-th or a share of them. Faults
act on answers, as toxiproxy's do by default. A fault that silences a connection leaves it open: the client must not
learn of it by an end of file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import socket
import ssl
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from repro.core.faults import Fault, Faults, parse_fault

BACKLOG = 2048
CHUNK = 65536
MOST_HEAD = 262144
MILLI, MICRO = 1e-3, 1e-6
KILO = 1000
HTTPS = 443
HTTP = 80


class SilencedError(Exception):
    """This connection says nothing any more, and stays open."""


class ClosedError(Exception):
    """This connection is to be closed, by a reset when ``reset`` is true."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__(reset)
        self.reset = reset


@dataclass(frozen=True)
class Message:
    """A request or an answer: its head with the blank line, its body, and for a request its action."""

    head: bytes
    body: bytes
    action: str = ""
    is_json: bool = True


@dataclass
class Relay:
    """The proxy's state: what it was configured with, and the count of its connections and requests."""

    upstream: str
    faults: Faults
    seed: int
    log: Any
    load_started: Path
    connections: int = 0
    requests: int = 0
    _began: float | None = field(default=None)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection, until either side ends it or a fault does."""
        self.connections += 1
        link = _Link(self, self.connections, reader, writer)
        try:
            await link.run()
        except SilencedError:
            link.note("silenced")
            with contextlib.suppress(OSError):
                while await reader.read(CHUNK):  # what still comes is swallowed, as on a dead path
                    pass
        except ClosedError as closed:
            link.note("reset" if closed.reset else "cut")
            if closed.reset:
                _reset(writer)
        except (OSError, asyncio.IncompleteReadError, ValueError, asyncio.LimitOverrunError) as error:
            link.note("ended", reason=f"{type(error).__name__}: {error}")
        finally:
            await link.close()

    def active(self) -> list[Fault]:
        """The faults that act now."""
        return [fault for fault in self.faults if fault.is_active(self.load_s())]

    def load_s(self) -> float | None:
        """Seconds into the load, None before it."""
        if self._began is None and self.load_started.exists():
            self._began = float(self.load_started.read_text())
        return None if self._began is None else time.monotonic() - self._began


class _Link:
    def __init__(self, relay: Relay, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.relay, self.number, self.reader, self.writer = relay, number, reader, writer
        self.up: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.sent = 0
        self.last = time.monotonic()
        self.note("opened")

    def note(self, event: str, **facts: Any) -> None:
        record = {"at": round(time.monotonic(), 6), "connection": self.number, "event": event, **facts}
        self.relay.log.write(json.dumps(record) + "\n")

    async def run(self) -> None:
        while (request := await _read_request(self.reader)) is not None:
            self.relay.requests += 1
            ordinal = self.relay.requests
            idle_s = time.monotonic() - self.last
            self.note("request", ordinal=ordinal, action=request.action, bytes=len(request.head) + len(request.body))
            faults = self.relay.active()
            self._silence_if_idle(faults, idle_s)
            keeps = await self._answer(request, ordinal, faults)
            self.last = time.monotonic()
            if not keeps:
                await self._close_slowly(faults)
                return

    def _silence_if_idle(self, faults: list[Fault], idle_s: float) -> None:
        if any(fault.name == "half_open" and idle_s >= fault.number("idle") for fault in faults):
            raise SilencedError

    async def _answer(self, request: Message, ordinal: int, faults: list[Fault]) -> bool:
        """Answer one request; whether the connection is kept for the next."""
        hit = [
            f
            for f in faults
            if "share" in f.parameters and f.hits(ordinal=ordinal, action=request.action, seed=self.relay.seed)
        ]
        for fault in hit:
            self.note("fault", ordinal=ordinal, fault=fault.name)
        made_up = next((fault for fault in hit if fault.name in {"status", "throttle"}), None)
        answer = _error(made_up, request) if made_up else await self._ask(request)
        await self._obey(faults, hit)
        await self._send(answer, faults, hit)
        self.note(
            "answer",
            ordinal=ordinal,
            status=answer.head[9:12].decode("ascii", "replace"),
            bytes=len(answer.head) + len(answer.body),
        )
        return _keeps(answer.head)

    async def _ask(self, request: Message) -> Message:
        if self.up is None:
            self.up = await _connect(self.relay.upstream)
        reader, writer = self.up
        writer.write(request.head + request.body)
        await writer.drain()
        answer = await _read_answer(reader)
        if not _keeps(answer.head):
            writer.close()
            self.up = None
        return answer

    async def _obey(self, faults: list[Fault], hit: list[Fault]) -> None:
        """The faults that come before any byte of the answer."""
        if any(fault.name == "no_answer" for fault in hit):
            raise SilencedError
        for fault in faults:
            if fault.name == "timeout":
                if not fault.number("timeout"):
                    raise SilencedError
                await asyncio.sleep(fault.number("timeout") * MILLI)
                raise ClosedError
            if fault.name == "reset_peer":
                await asyncio.sleep(fault.number("timeout") * MILLI)
                raise ClosedError(reset=True)
            if fault.name == "latency":
                spread = fault.number("jitter")
                chance = random.Random(f"{self.relay.seed}:{self.number}:{self.sent}")  # noqa: S311  # replayable, no secret
                delay = fault.number("latency") + chance.uniform(-spread, spread)
                await asyncio.sleep(max(0.0, delay) * MILLI)

    async def _send(self, answer: Message, faults: list[Fault], hit: list[Fault]) -> None:
        data = answer.head + answer.body
        names = {fault.name for fault in hit}
        if "stop_after_headers" in names:
            data = answer.head
        elif "half_body" in names:
            data = answer.head + answer.body[: len(answer.body) // 2]
        for piece, pause_s in _pieces(data, faults):
            left = self._left(faults)
            self.writer.write(piece[:left] if left is not None else piece)
            await self.writer.drain()
            self.sent += len(piece)
            if left is not None and left <= len(piece):
                raise ClosedError
            if pause_s:
                await asyncio.sleep(pause_s)
        if names & {"stop_after_headers", "half_body"}:
            raise SilencedError

    def _left(self, faults: list[Fault]) -> int | None:
        limits = [int(fault.number("bytes")) - self.sent for fault in faults if fault.name == "limit_data"]
        return max(0, min(limits)) if limits else None

    async def _close_slowly(self, faults: list[Fault]) -> None:
        for fault in faults:
            if fault.name == "slow_close":
                await asyncio.sleep(fault.number("delay") * MILLI)

    async def close(self) -> None:
        self.note("closed", sent=self.sent)
        for writer in (self.writer, *(self.up[1:] if self.up else ())):
            with contextlib.suppress(OSError, ssl.SSLError):
                writer.close()


def _pieces(data: bytes, faults: list[Fault]) -> list[tuple[bytes, float]]:
    """What is written at once, and the pause after it in seconds."""
    for fault in faults:
        if fault.name == "slicer":
            size = max(1, int(fault.number("average_size")))
            spread = int(min(fault.number("size_variation"), size - 1))
            return _sliced(data, size, spread, fault.number("delay") * MICRO)
        if fault.name == "bandwidth":
            rate = max(fault.number("rate"), 1e-3) * KILO
            size = max(1, int(rate / 10))
            return [(data[i : i + size], len(data[i : i + size]) / rate) for i in range(0, len(data), size)]
    return [(data, 0.0)]


def _sliced(data: bytes, size: int, spread: int, pause_s: float) -> list[tuple[bytes, float]]:
    chance = random.Random(len(data))  # noqa: S311  # replayable, no secret
    pieces, start = [], 0
    while start < len(data):
        end = start + size + chance.randint(-spread, spread)
        pieces.append((data[start:end], pause_s))
        start = end
    return pieces


async def _connect(upstream: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(upstream)
    is_tls = parts.scheme == "https"
    port = parts.port or (HTTPS if is_tls else HTTP)
    return await asyncio.open_connection(parts.hostname, port, ssl=is_tls or None, limit=MOST_HEAD)


async def _read_request(reader: asyncio.StreamReader) -> Message | None:
    """The next request, None when the client has ended the connection between two."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    headers = _headers(head)
    body = await _body(reader, headers, until_end=False)
    target = headers.get("x-amz-target", "")
    return Message(head, body, action=target.rpartition(".")[2] or _query_action(body), is_json=bool(target))


async def _read_answer(reader: asyncio.StreamReader) -> Message:
    head = await reader.readuntil(b"\r\n\r\n")
    return Message(head, await _body(reader, _headers(head), until_end=True))


async def _body(reader: asyncio.StreamReader, headers: dict[str, str], *, until_end: bool) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader)
    return await reader.read() if until_end else b""


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    whole = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        whole += line + await reader.readexactly(size + 2)
        if not size:
            return whole


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


def _query_action(body: bytes) -> str:
    """The action in the query protocol that botocore spoke to SQS before 1.31.81."""
    for part in body.split(b"&"):
        if part.startswith(b"Action="):
            return part[7:].decode("ascii", "replace")
    return ""


def _keeps(head: bytes) -> bool:
    connection = _headers(head).get("connection", "").lower()
    return connection != "close" and (not head.startswith(b"HTTP/1.0") or connection == "keep-alive")


def _error(fault: Fault, request: Message) -> Message:
    """An answer as SQS gives it, in the protocol of the request."""
    if fault.name == "throttle":
        code, name, text = 400, "ThrottlingException", "Rate exceeded"
    else:
        code = int(fault.number("code"))
        name, text = ("ServiceUnavailable" if code == 503 else "InternalFailure"), "a fault that was asked for"
    if request.is_json:
        body = json.dumps({"__type": f"com.amazonaws.sqs#{name}", "message": text}).encode()
        kind = "application/x-amz-json-1.0"
    else:
        blame = "Sender" if code < 500 else "Receiver"
        body = f"<ErrorResponse><Error><Type>{blame}</Type><Code>{name}</Code><Message>{text}</Message></Error><RequestId>repro</RequestId></ErrorResponse>".encode()
        kind = "text/xml"
    head = f"HTTP/1.1 {code} Fault\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return Message(head.encode(), body)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _say_ready(path: Path, port: int) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(str(port))
    partial.replace(path)


def main(config: dict[str, Any]) -> None:
    """Serve until SIGTERM."""
    with Path(config["log"]).open("a", buffering=1) as log:
        asyncio.run(_serve(config, log))


async def _serve(config: dict[str, Any], log: Any) -> None:
    faults = parse_fault(config["faults"])
    relay = Relay(config["upstream"], faults, config["seed"], log, Path(config["load_started"]))
    context = None
    if config["certificate"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(config["certificate"])
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0, ssl=context, backlog=BACKLOG, limit=MOST_HEAD)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    _say_ready(Path(config["ready"]), server.sockets[0].getsockname()[1])
    await over.wait()
    server.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
