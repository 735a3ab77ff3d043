"""The embedded backend: moto's servers in their own processes, one for each account, on loopback and free ports."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psutil

from repro.world.backends.request_log import LoggedRequest, count_requests, log_size, read_requests
from repro.world.backends.servers.server import POLL_S, START_LIMIT_S, ServerBackend, server_environ


class MotoBackend(ServerBackend):
    """One account of moto; ``request_log`` is read by ``requests_since``. The first starts the process of all.

    ``http`` is the server's protocol, ``1.0`` (a connection for each request) or ``1.1``; see ``moto_server``.
    """

    name = "moto"

    def __init__(self, *, folder: Path, mark: str, http: str = "1.0") -> None:
        super().__init__(folder=folder, mark=mark)
        self._http = http
        self._pid = 0
        self._asking = -1
        self._is_first = True
        self._numbers = itertools.count(1)
        self.request_log = self._folder / "requests.jsonl"

    def start(self) -> None:
        """Ready when it listens and answers its probe."""
        script = Path(__file__).with_name("moto_server.py")
        asked, self._asking = os.pipe()
        os.set_inheritable(self._asking, False)  # the standard library's own signature
        try:
            self._launch([sys.executable, "-P", script, self._folder, self._http], server_environ(), stdin=asked)
        finally:
            os.close(asked)
        self._open()

    @contextlib.contextmanager
    def account(self, folder: Path, *, mark: str) -> Iterator[Self]:  # noqa: ARG002  # its process is the server's
        """An empty account beside this one: no queue, no bucket, no table, a log of its own in ``folder``."""
        account = copy.copy(self)
        account.open_beside(folder.resolve() / "requests.jsonl")
        try:
            yield account
        finally:
            account.stop()

    def open_beside(self, log: Path) -> None:
        """Become an account beside the first, with this log."""
        self._is_first, self.request_log = False, log
        self._open()

    def is_alive(self) -> bool:
        """Whether its process lives, and the one of all accounts."""
        return super().is_alive() and (not self._pid or psutil.pid_exists(self._pid))

    def pids(self) -> tuple[int, ...]:
        """The process of this account, and that of all for the first."""
        return super().pids() if self._is_first else (self._pid,)

    def stop(self) -> None:
        """End this account, and all of them with the first."""
        if not self._is_first:
            with contextlib.suppress(OSError):  # the server has gone, and its accounts with it
                self._ask({"close": self._pid})
            return
        super().stop()
        if self._asking >= 0:
            os.close(self._asking)
            self._asking = -1

    def request_mark(self) -> int:
        """This moment, for ``requests_since``."""
        return log_size(self.request_log)

    def requests_since(self, mark: int) -> tuple[LoggedRequest, ...]:
        """What has reached the account since."""
        return read_requests(self.request_log, mark)

    def requests(self) -> int | None:
        """How many requests have reached the account."""
        return count_requests(self.request_log)

    def _open(self) -> None:
        self._pid = 0
        ready = self._folder / f"account-{next(self._numbers)}"
        ready.unlink(missing_ok=True)
        try:
            self._ask({"open": {"ready": str(ready), "log": str(self.request_log)}})
        except OSError:  # it has ended: its own words say why
            self._raise_if_late(0.0, "it said nothing")
        deadline = time.monotonic() + START_LIMIT_S
        while not ready.exists():
            self._raise_if_late(deadline, "it said nothing")
            time.sleep(POLL_S)
        self.__dict__.pop("_wire", None)  # that of the account that it was copied from
        port, pid = ready.read_text().split()
        self.endpoint_url, self._pid = f"http://127.0.0.1:{port}", int(pid)
        self._await_answer()

    def _ask(self, request: dict[str, object]) -> None:
        os.write(self._asking, f"{json.dumps(request)}\n".encode())
