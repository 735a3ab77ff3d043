"""The embedded backend: a moto server in a process of its own, on loopback and a free port."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from repro.errors import BackendError
from repro.world import processes
from repro.world.backends.endpoint import EndpointBackend

START_LIMIT_S = 30.0
POLL_S = 0.02


class MotoBackend(EndpointBackend):
    """Starts the server and is an endpoint from then on; ``request_log`` has a JSON line for each request."""

    name = "moto"

    def __init__(self, *, folder: Path, mark: str) -> None:
        super().__init__("")
        self._folder = folder
        self._mark = mark
        self._child: processes.Child | None = None
        self.request_log = folder / "requests.jsonl"

    def start(self) -> None:
        """Ready when it listens and answers its probe."""
        ready = self._folder / "port"
        ready.unlink(missing_ok=True)
        output = processes.Output(self._folder / "moto.out", self._folder / "moto.err")
        script = Path(__file__).with_name("moto_server.py")
        argv: list[str | Path] = [sys.executable, "-P", script, ready, self.request_log]
        self._child = processes.start(argv, env=dict(os.environ), cwd=self._folder, output=output, mark=self._mark)
        deadline = time.monotonic() + START_LIMIT_S
        while not ready.exists():
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.stop()
                words = output.stderr.read_text("utf-8", "replace")[-500:].strip() or "it said nothing"
                raise BackendError(f"the moto server does not start: {words}; try `moto_server -p 0` by hand")
            time.sleep(POLL_S)
        self.endpoint_url = f"http://127.0.0.1:{ready.read_text()}"
        super().start()

    def is_alive(self) -> bool:
        """Whether its process lives."""
        return self._child is not None and self._child.poll() is None

    def stop(self) -> None:
        """End the process; its queues live in its memory alone."""
        if self._child is not None:
            self._child.end()
