"""The embedded backend: a moto server in a process of its own, on loopback and a free port."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from repro.world.backends.request_log import LoggedRequest, log_size, read_requests
from repro.world.backends.server import POLL_S, START_LIMIT_S, ServerBackend, server_environ


class MotoBackend(ServerBackend):
    """Starts the server and is an endpoint from then on; ``request_log`` is read by ``requests_since``.

    ``http`` is the server's protocol, ``1.0`` (a connection for each request) or ``1.1``; see ``moto_server``.
    """

    name = "moto"

    def __init__(self, *, folder: Path, mark: str, http: str = "1.0") -> None:
        super().__init__(folder=folder, mark=mark)
        self._http = http
        self.request_log = self._folder / "requests.jsonl"

    def start(self) -> None:
        """Ready when it listens and answers its probe."""
        ready = self._folder / "port"
        ready.unlink(missing_ok=True)
        script = Path(__file__).with_name("moto_server.py")
        self._launch([sys.executable, "-P", script, ready, self.request_log, self._http], server_environ())
        deadline = time.monotonic() + START_LIMIT_S
        while not ready.exists():
            self._raise_if_late(deadline, "it said nothing")
            time.sleep(POLL_S)
        self.endpoint_url = f"http://127.0.0.1:{ready.read_text()}"
        self._await_answer()

    def request_mark(self) -> int:
        """This moment, for ``requests_since``."""
        return log_size(self.request_log)

    def requests_since(self, mark: int) -> tuple[LoggedRequest, ...]:
        """What has reached the server since."""
        return read_requests(self.request_log, mark)
