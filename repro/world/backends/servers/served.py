"""Somebody's own server in the place of a backend of ours: ``--serve COMMAND --serve-url URL``, started for each trial.

``{port}`` in both stands for a free port of the trial's own, so that trials may run side by side. It need not be AWS:
it is asked for nothing but an answer, whatever its status, or a connection where its URL is not HTTP.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from repro.errors import UsageError
from repro.world.backends.endpoint import EndpointBackend
from repro.world.backends.protocol import Health, Queue
from repro.world.backends.servers.server import LAST_WORDS, server_environ
from repro.world.processes import door

START_LIMIT_S = 60.0
POLL_S = 0.1
GRACE_S = 5.0
PORT = "{port}"


class ServedBackend(EndpointBackend):
    """The server of one trial, or what starts those of all trials. ``endpoint_url`` is where it is to answer."""

    name = "serve"

    def __init__(self, command: str, url: str, *, mark: str) -> None:
        super().__init__("")
        self._command, self._mark = command, mark
        self.endpoint_url = url.rstrip("/")
        self._child: door.Child | None = None

    def start(self) -> None:
        """Nothing: there is a server for each trial."""

    @contextlib.contextmanager
    def account(self, folder: Path, *, mark: str) -> Iterator[ServedBackend]:
        """A server of its own, ended with the trial.

        Raises:
            UsageError: it ends or does not answer; with its last words.
        """
        port = str(_free_port())
        own = ServedBackend(self._command.replace(PORT, port), self.endpoint_url.replace(PORT, port), mark=mark)
        try:
            own.launch(folder.resolve())
            yield own
        finally:
            own.stop()

    def launch(self, folder: Path) -> None:
        """Start the command, and wait until it answers."""
        output = door.Output(folder / "server.out", folder / "server.err")
        argv: list[str | Path] = ["/bin/sh", "-c", self._command]
        self._child = door.start(argv, env=server_environ(), cwd=Path.cwd(), output=output, mark=f"{self._mark}-server")
        deadline = time.monotonic() + START_LIMIT_S
        while not (health := self.probe(POLL_S * 10)).ok:
            has_ended = self._child.poll() is not None
            if has_ended or time.monotonic() > deadline:
                how = "has ended" if has_ended else f"did not answer within {START_LIMIT_S:.0f} s"
                words = _last_words(output) or health.reason
                raise UsageError(
                    f"--serve: the server {how} at {self.endpoint_url}: {words}; check the command and --serve-url"
                )
            time.sleep(POLL_S)

    def new_queue(self, name: str, *, messages: int = 0) -> Queue:  # noqa: ARG002  # the Protocol's signature
        """Nothing is made: what it serves is its own affair."""
        return Queue(name, f"{self.endpoint_url}/000000000000/{name}")

    def probe(self, limit_s: float) -> Health:
        """Whether it answers."""
        began = time.monotonic()
        try:
            _ask(self.endpoint_url, limit_s)
        except (OSError, http.client.HTTPException) as error:
            return Health(ok=False, seconds=time.monotonic() - began, reason=str(error) or type(error).__name__)
        return Health(ok=True, seconds=time.monotonic() - began)

    def is_alive(self) -> bool:
        """Whether its process lives."""
        return self._child is None or self._child.poll() is None

    def pids(self) -> tuple[int, ...]:
        """Its process and those that it has started."""
        return self._child.tree() if self._child is not None else ()

    def stop(self) -> None:
        """End it and all that it started."""
        if self._child is not None:
            self._child.end(GRACE_S)


def check_served(command: str | None, url: str | None) -> None:
    """See that both options are there, and that the URL is one.

    Raises:
        UsageError: what is missing.
    """
    if not command and not url:
        return
    if not url:
        raise UsageError("--serve needs --serve-url URL, where the server answers, such as http://127.0.0.1:{port}")
    if not command:
        raise UsageError("--serve-url goes with --serve COMMAND; use --backend endpoint for a server that runs already")
    parts = urlsplit(url.replace(PORT, "1"))
    if not parts.scheme or not parts.hostname:
        raise UsageError(f"--serve-url {url}: this is not a URL; give one such as http://127.0.0.1:8000")


def _ask(url: str, limit_s: float) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"}:
        socket.create_connection((host, parts.port or 0), limit_s).close()
        return
    with contextlib.closing(_connection(parts.scheme, host, parts.port, limit_s)) as connection:
        connection.request("GET", parts.path or "/")
        connection.getresponse().read()


def _connection(scheme: str, host: str, port: int | None, limit_s: float) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=limit_s)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # whether it answers is all that is asked
    return http.client.HTTPSConnection(host, port, timeout=limit_s, context=context)


def _last_words(output: door.Output) -> str:
    texts = [path.read_text("utf-8", "replace").strip() for path in (output.stderr, output.stdout) if path.exists()]
    return " ".join(next((text for text in texts if text), "")[-LAST_WORDS:].split())


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
