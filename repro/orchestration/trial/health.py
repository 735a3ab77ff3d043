"""The backend's health during a run, probed about every second through its own connection."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit

from repro.core.judge.samples import BackendHealth
from repro.world.collecting import sockets

PERIOD_S = 1.0
PROBE_LIMIT_S = 5.0
FAILURES_TO_MEAN_IT = 2


class ProbeResult(Protocol):
    """What a probe found."""

    @property
    def ok(self) -> bool:
        """Whether the backend answered as an SQS does."""

    @property
    def reason(self) -> str:
        """Why it did not."""


class Probed(Protocol):
    """What can be probed: a backend."""

    endpoint_url: str

    def probe(self, limit_s: float) -> ProbeResult:
        """Ask it something cheap."""

    def is_alive(self) -> bool:
        """Whether its process lives, as far as we have one."""

    def pids(self) -> tuple[int, ...]:
        """Its processes, as far as they are ours."""

    def requests(self) -> int | None:
        """How many requests have reached it, None where nobody counts them."""


class HealthWatch:
    """Probes a backend from a thread; ``latest`` never waits. Two failures in a row mean that it does not answer.

    ``port`` is where it listens on this machine, 0 where it does not.
    """

    def __init__(self, backend: Probed) -> None:
        self._backend = backend
        self.port = _local_port(backend.endpoint_url)
        self._over = threading.Event()
        self._failures = 0
        self._before = backend.requests()
        self._latest = BackendHealth()
        self._thread = threading.Thread(target=self._probe_on, name="health", daemon=True)
        self.slowest_s = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(PROBE_LIMIT_S + PERIOD_S)

    def latest(self) -> BackendHealth:
        """The backend's health by the last probes; a dead process is seen at once."""
        if not self._backend.is_alive():
            return BackendHealth(is_alive=False, is_answering=False, reason="its process has ended")
        overflows = sockets.connections_dropped(self.port) if self.port else 0
        return replace(self._latest, overflows=overflows, requests=self._requests())

    def _requests(self) -> int | None:
        count = self._backend.requests()
        return None if count is None else count - (self._before or 0)

    def _probe_on(self) -> None:
        while not self._over.wait(PERIOD_S):
            began = time.monotonic()
            result = self._backend.probe(PROBE_LIMIT_S)
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self._failures = 0 if result.ok else self._failures + 1
            is_answering = self._failures < FAILURES_TO_MEAN_IT
            reason = "" if is_answering else result.reason
            self._latest = BackendHealth(is_answering=is_answering, reason=reason, pids=self._backend.pids())


def _local_port(url: str) -> int:
    """The port at which a server on this machine listens; 0 for one elsewhere, whose queue nobody sees."""
    parts = urlsplit(url)
    return parts.port or 0 if parts.hostname in {"127.0.0.1", "localhost", "::1"} else 0
