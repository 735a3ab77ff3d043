"""What stands between a cell and its backend: a proxy of ours in its own process, one for a trial."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.core.experiment.factors.faults import Faults, text_of
from repro.errors import BackendError
from repro.world.faults.mixture import MIXED
from repro.world.faults.tls import Authority
from repro.world.processes import door

START_LIMIT_S = 20.0
POLL_S = 0.02
LOG = "proxy.jsonl"


@dataclass(frozen=True)
class Proxy:
    """A proxy that stands: its address for clients, its process, and its log, a JSON line for each of its events."""

    url: str
    pid: int
    log_path: Path
    load_started: Path

    @classmethod
    @contextlib.contextmanager
    def start(
        cls,
        upstream: str,
        *,
        faults: Faults,
        seed: int,
        folder: Path,
        mark: str,
        tls: Authority | None = None,
        is_amplified: bool = False,
        takes_turns: bool = False,
    ) -> Iterator[Proxy]:
        """A proxy to the backend at ``upstream`` (a URL) with these faults; with ``tls``, clients speak HTTPS to it.

        With ``is_amplified`` it delays, parts and ends as ``mixture`` draws it; where it ``takes_turns``, in its own.

        Raises:
            BackendError: it does not start; with its own words.
        """
        folder = folder.resolve()  # where the proxy runs, and a relative path would mean another place there
        ready, log, load_started = folder / "proxy.port", folder / LOG, folder / "proxy.load"
        config = {
            "upstream": upstream,
            "faults": text_of(faults),
            "seed": seed,
            "ready": str(ready),
            "log": str(log),
            "load_started": str(load_started),
            "certificate": str(tls.server_file) if tls else "",
            "is_amplified": is_amplified,
            "takes_turns": takes_turns,
        }
        output = door.Output(folder / "proxy.out", folder / "proxy.err")
        argv = [sys.executable, "-P", "-m", "repro.world.faults.proxy", json.dumps(config)]
        child = door.start(argv, env=dict(os.environ), cwd=folder, output=output, mark=mark)
        try:
            port = _await_port(child, ready, output)
            scheme = "https" if tls else "http"
            yield cls(f"{scheme}://127.0.0.1:{port}", child.pid, log, load_started)
        finally:
            child.end(grace_s=1.0)
            for path in (ready, load_started, output.stdout, output.stderr):
                path.unlink(missing_ok=True)

    def mark_load_started(self) -> None:
        """The load begins now: the clock of faults that act from second s to t."""
        partial = self.load_started.with_suffix(".partial")
        partial.write_text(str(time.monotonic()))
        partial.replace(self.load_started)

    def mixed(self) -> int:
        """The answers so far that came otherwise than without the mixture."""
        return self.log_path.read_text("utf-8", "replace").count(f'"event": "{MIXED}"')


def _await_port(child: door.Child, ready: Path, output: door.Output) -> int:
    deadline = time.monotonic() + START_LIMIT_S
    while not ready.exists():
        if child.poll() is not None or time.monotonic() > deadline:
            words = output.stderr.read_text("utf-8", "replace")[-400:].strip() or "it said nothing"
            raise BackendError(f"the proxy before the backend does not start: {words}")
        time.sleep(POLL_S)
    return int(ready.read_text())
