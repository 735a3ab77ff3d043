"""A server process of ours that is an SQS: started, waited for, looked at, ended."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from repro.errors import BackendError
from repro.world.backends.endpoint import EndpointBackend
from repro.world.processes import door

START_LIMIT_S = 90.0
POLL_S = 0.02
PROBE_LIMIT_S = 5.0
LAST_WORDS = 500
_FOREIGN = ("AWS_", "MOTO_", "PYTHON", "REPRO_")
_LOOPBACK = ("127.", "::1")


class ServerBackend(EndpointBackend):
    """An endpoint behind which stands a process of ours, with its output in ``folder``."""

    def __init__(self, *, folder: Path, mark: str) -> None:
        super().__init__("")
        self._folder = folder.resolve()
        self._mark = mark
        self._child: door.Child | None = None
        self._output = door.Output(self._folder / f"{self.name}.out", self._folder / f"{self.name}.err")

    def is_alive(self) -> bool:
        """Whether its process lives."""
        return self._child is not None and self._child.poll() is None

    def pids(self) -> tuple[int, ...]:
        """Its process and those that it has started."""
        return self._child.tree() if self._child is not None else ()

    def stop(self) -> None:
        """End the process and all that it started; its queues live in its memory alone."""
        if self._child is not None:
            self._child.end()

    def _launch(self, argv: list[str | Path], env: Mapping[str, str], *, stdin: int | None = None) -> None:
        for path in (self._output.stdout, self._output.stderr):
            path.unlink(missing_ok=True)  # its last words are this start's, not those of one before
        self._child = door.start(argv, env=env, cwd=self._folder, output=self._output, mark=self._mark, stdin=stdin)

    def _await_answer(self) -> None:
        """Wait until it answers its probe, and see that it listens on loopback alone."""
        deadline = time.monotonic() + START_LIMIT_S
        while not (health := self.probe(PROBE_LIMIT_S)).ok:
            self._raise_if_late(deadline, health.reason)
            time.sleep(POLL_S)
        open_ports = [address for address in self.listening() if not address.startswith(_LOOPBACK)]
        if open_ports:
            self.stop()
            raise BackendError(
                f"{self.name} listens to other machines ({', '.join(open_ports)}) and was stopped; use --backend moto"
            )

    def listening(self) -> tuple[str, ...]:
        """The addresses on which it listens, ``127.0.0.1:5000``; those of the processes that it started too."""
        found = []
        for pid in self.pids():
            try:
                sockets = psutil.Process(pid).net_connections(kind="inet")
            except psutil.Error:
                continue
            found += [f"{one.laddr.ip}:{one.laddr.port}" for one in sockets if one.status == psutil.CONN_LISTEN]
        return tuple(sorted(set(found)))

    def _raise_if_late(self, deadline: float, reason: str) -> None:
        if self.is_alive() and time.monotonic() < deadline:
            return
        self.stop()
        outputs = (
            path.read_text("utf-8", "replace")[-LAST_WORDS:] for path in (self._output.stderr, self._output.stdout)
        )
        words = next((said for text in outputs if (said := " ".join(text.split()))), reason)
        raise BackendError(
            f"the {self.name} server did not start: {words}; start one yourself and use --backend endpoint"
        )


def server_environ() -> dict[str, str]:
    """This program's own variables without those that would change a server's mind, credentials among them."""
    proxies = {name for name in os.environ if name.lower().endswith("_proxy")}
    return {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN) and name not in proxies}
