"""The proxy's process: ``python -m repro.world.faults.proxy CONFIG``, CONFIG as JSON by ``repro.world.faults.Proxy``.

An HTTP/1 relay: it has to know where a request ends and which action it is, to hit the n-th or a share of them. Faults
act on answers, as toxiproxy's do by default. A fault that silences a connection leaves it open: the client must not
learn of it by an end of file.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import ssl
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from repro.agent.knobs import Turns
from repro.core.experiment.factors.amplification import IO as IO_KNOB
from repro.core.experiment.factors.faults import ALWAYS, Fault, Faults, parse_fault
from repro.world.faults.messages import Connection, HttpError, Message, kept
from repro.world.faults.mixture import MIXED, UNMIXED, Mixed, mixture

BACKLOG = 2048
FLUSH_S = 0.1
"""How long the log holds a line back at most: each for itself would be a system call."""

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


class Log:
    """Lines of JSON, written a little later and many at once."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._lines: list[str] = []

    def note(self, connection: int, event: str, facts: str = "") -> None:
        """Note an event; ``facts`` is the rest of its JSON object, from a comma on."""
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        self._lines.append(f'{{"at": {time.monotonic():.6f}, "connection": {connection}, "event": "{event}"{facts}}}\n')

    def flush(self) -> None:
        """Write what is held back."""
        self._file.write("".join(self._lines))
        self._file.flush()
        self._lines.clear()


class Relay:
    """The proxy's state: what it was configured with, and the count of its connections and requests."""

    def __init__(
        self,
        upstream: str,
        faults: Faults,
        *,
        seed: int,
        log: Log,
        load_started: Path,
        is_amplified: bool = False,
        takes_turns: bool = False,
    ) -> None:
        parts = urlsplit(upstream)
        is_tls = parts.scheme == "https"
        self.seed, self.log, self.is_amplified = seed, log, is_amplified
        self.host, self.port = parts.hostname or "", parts.port or (HTTPS if is_tls else HTTP)
        self.tls = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None) if is_tls else None
        self.keeps_connections = any(fault.name == "half_open" for fault in faults)
        self.connections = self.requests = 0
        self._turns = Turns(seed) if takes_turns else None  # type: ignore[no-untyped-call]  # the agent's
        self._faults = faults
        self._load_started = load_started
        self._are_always_active = all(fault.window == ALWAYS for fault in faults)
        self._began: float | None = None

    async def serve(self, client: Connection) -> None:
        """One client connection, until either side ends it or a fault does."""
        self.connections += 1
        link = _Link(self, self.connections, client)
        try:
            await link.run()
        except SilencedError:
            link.note("silenced")
            await _until_gone(client)
        except ClosedError as closed:
            link.note("reset" if closed.reset else "cut")
            if closed.reset:
                client.reset()
        except (HttpError, OSError, ValueError) as error:
            link.note("ended", reason=f"{type(error).__name__}: {error}")
        finally:
            link.close()

    def active(self) -> Faults:
        """The faults that act now."""
        if self._are_always_active:
            return self._faults
        return tuple(fault for fault in self._faults if fault.is_active(self.load_s()))

    def mixes(self) -> bool:
        """Whether answers are mixed now."""
        if self._turns is None:
            return self.is_amplified
        load_s = self.load_s()
        return load_s is not None and self._turns.has(IO_KNOB, load_s)  # type: ignore[no-untyped-call]  # likewise

    def load_s(self) -> float | None:
        """Seconds into the load, None before it."""
        if self._began is None and self._load_started.exists():
            self._began = float(self._load_started.read_text())
        return None if self._began is None else time.monotonic() - self._began

    async def connect(self) -> Connection:
        """A connection to the backend."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self.host, self.port, ssl=self.tls)
        return connection


class _Link:
    def __init__(self, relay: Relay, number: int, client: Connection) -> None:
        self.relay, self.number, self.client = relay, number, client
        self.up: Connection | None = None
        self.sent = 0
        self.last = time.monotonic()
        self.note("opened")

    def note(self, event: str, **facts: Any) -> None:
        self.relay.log.note(self.number, event, f", {json.dumps(facts)[1:-1]}" if facts else "")

    async def run(self) -> None:
        while (request := await self.client.request()) is not None:
            self.relay.requests += 1
            ordinal = self.relay.requests
            self.relay.log.note(
                self.number, "request", f', "ordinal": {ordinal}, {_action(request.action)}, "bytes": {request.size}'
            )
            faults = self.relay.active()
            self._silence_if_idle(faults)
            keeps = await self._answer(request, ordinal, faults)
            if not keeps:
                await self._close_slowly(faults)
                return

    def _silence_if_idle(self, faults: Faults) -> None:
        """Nothing went for too long: between two requests, or, as in a long poll, between a request and its answer."""
        idle_s = time.monotonic() - self.last
        if any(fault.name == "half_open" and idle_s >= fault.number("idle") for fault in faults):
            raise SilencedError
        self.last = time.monotonic()

    async def _answer(self, request: Message, ordinal: int, faults: Faults) -> bool:
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
        is_mixed = not faults and self.relay.mixes()
        mixed = self._mixture(answer, ordinal) if is_mixed else UNMIXED
        if faults:
            if not made_up:
                self.note("backend", ordinal=ordinal, status=_status(answer), bytes=answer.size)
            self._silence_if_idle(faults)
            await self._obey(faults, hit)
            await self._send(answer, faults, hit)
        else:
            await self._send_mixed(answer, mixed)
        self.last = time.monotonic()
        self.relay.log.note(
            self.number, "answer", f', "ordinal": {ordinal}, "status": "{_status(answer)}", "bytes": {answer.size}'
        )
        return answer.keeps and request.keeps and not mixed.closes

    def _mixture(self, answer: Message, ordinal: int) -> Mixed:
        return mixture(seed=self.relay.seed, ordinal=ordinal, head=len(answer.head), body=len(answer.body))

    async def _send_mixed(self, answer: Message, mixed: Mixed) -> None:
        """The answer whole, or as the mixture has it."""
        if mixed != UNMIXED:
            self.note(MIXED, delay_s=mixed.delay_s, cut_at=mixed.cut_at, pause_s=mixed.pause_s, closes=mixed.closes)
        data = answer.head + answer.body
        if mixed.delay_s:
            await asyncio.sleep(mixed.delay_s)
        if mixed.cut_at:
            await self.client.write(data[: mixed.cut_at])
            await asyncio.sleep(mixed.pause_s)
        await self.client.write(data[mixed.cut_at :])
        self.sent += answer.size

    async def _ask(self, request: Message) -> Message:
        if self.up is None or self.up.is_ended:
            self.up = await self.relay.connect()
        await self.up.write(request.head + request.body)
        answer = await self.up.answer()
        if not answer.keeps:
            self.up.close()
            self.up = None
        return kept(answer) if self.relay.keeps_connections else answer

    async def _obey(self, faults: Faults, hit: list[Fault]) -> None:
        """The faults that come before any byte of the answer: all delays first, then what ends the connection."""
        if any(fault.name == "no_answer" for fault in hit):
            raise SilencedError
        for fault in faults:
            if fault.name == "latency":
                spread = fault.number("jitter")
                chance = random.Random(f"{self.relay.seed}:{self.number}:{self.sent}")  # noqa: S311  # replayable
                delay = fault.number("latency") + chance.uniform(-spread, spread)
                await asyncio.sleep(max(0.0, delay) * MILLI)
        for fault in faults:
            if fault.name == "timeout":
                if not fault.number("timeout"):
                    raise SilencedError
                await asyncio.sleep(fault.number("timeout") * MILLI)
                raise ClosedError
            if fault.name == "reset_peer":
                await asyncio.sleep(fault.number("timeout") * MILLI)
                raise ClosedError(reset=True)

    async def _send(self, answer: Message, faults: Faults, hit: list[Fault]) -> None:
        data = answer.head + answer.body
        names = {fault.name for fault in hit}
        if "stop_after_headers" in names:
            data = answer.head
        elif "half_body" in names:
            data = answer.head + answer.body[: len(answer.body) // 2]
        for piece, pause_s in _pieces(data, faults):
            left = self._left(faults)
            await self.client.write(piece[:left] if left is not None else piece)
            self.sent += len(piece)
            if left is not None and left <= len(piece):
                raise ClosedError
            if pause_s:
                await asyncio.sleep(pause_s)
        if names & {"stop_after_headers", "half_body"}:
            raise SilencedError

    def _left(self, faults: Faults) -> int | None:
        limits = [int(fault.number("bytes")) - self.sent for fault in faults if fault.name == "limit_data"]
        return max(0, min(limits)) if limits else None

    async def _close_slowly(self, faults: Faults) -> None:
        for fault in faults:
            if fault.name == "slow_close":
                await asyncio.sleep(fault.number("delay") * MILLI)

    def close(self) -> None:
        self.relay.log.note(self.number, "closed", f', "sent": {self.sent}')
        self.client.close()
        if self.up is not None:
            self.up.close()


async def _until_gone(client: Connection) -> None:
    """What still comes is swallowed, as on a dead path."""
    try:
        await client.swallow()
    except HttpError:
        return


@lru_cache(256)
def _action(name: str) -> str:
    return f'"action": {json.dumps(name)}'


def _status(answer: Message) -> str:
    text = answer.head[9:12].decode("ascii", "replace")
    return text if text.isalnum() else "?"


def _pieces(data: bytes, faults: Faults) -> list[tuple[bytes, float]]:
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
    chance = random.Random(len(data))  # noqa: S311  # replayable
    pieces, start = [], 0
    while start < len(data):
        end = start + size + chance.randint(-spread, spread)
        pieces.append((data[start:end], pause_s))
        start = end
    return pieces


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
        error = f"<Error><Type>{blame}</Type><Code>{name}</Code><Message>{text}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>repro</RequestId></ErrorResponse>".encode()
        kind = "text/xml"
    head = f"HTTP/1.1 {code} Fault\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return Message(head.encode(), body, keeps=True)


def _say_ready(path: Path, port: int) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(str(port))
    partial.replace(path)


def main(config: dict[str, Any]) -> None:
    """Serve until SIGTERM."""
    with Path(config["log"]).open("a", encoding="utf-8") as file:
        log = Log(file)
        try:
            asyncio.run(_serve(config, log))
        finally:
            log.flush()


async def _serve(config: dict[str, Any], log: Log) -> None:
    loop = asyncio.get_running_loop()
    relay = Relay(
        config["upstream"],
        parse_fault(config["faults"]),
        seed=config["seed"],
        log=log,
        load_started=Path(config["load_started"]),
        is_amplified=bool(config.get("is_amplified")),
        takes_turns=bool(config.get("takes_turns")),
    )
    tasks: set[asyncio.Task[None]] = set()  # the loop itself holds tasks by weak references only

    class Accepted(Connection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            task = loop.create_task(relay.serve(self))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    context = None
    if config["certificate"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(config["certificate"])
    server = await loop.create_server(Accepted, "127.0.0.1", 0, ssl=context, backlog=BACKLOG)
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    _say_ready(Path(config["ready"]), server.sockets[0].getsockname()[1])
    await over.wait()
    server.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
