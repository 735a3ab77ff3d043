"""The log of what reached a backend: one JSON line when a request arrives, one when its answer is ready.

    {"id": 7, "at": 1234.5, "action": "ReceiveMessage", "queue": "repro-1"}
    {"id": 7, "status": 200, "seconds": 0.004}

``at`` is ``time.monotonic()``, which all processes of a Linux machine share. It tells "answered by the backend,
unread by the client" from "never arrived".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

MOST_KEPT = 500


@dataclass(frozen=True, kw_only=True)
class LoggedRequest:
    """A request that arrived; ``status`` and ``seconds`` are None while its answer is not ready."""

    at: float
    action: str
    queue: str
    status: int | None = None
    seconds: float | None = None


def log_size(log: Path) -> int:
    """How far the log is, for ``read_requests``; 0 when there is none."""
    return log.stat().st_size if log.exists() else 0


def read_requests(log: Path, mark: int) -> tuple[LoggedRequest, ...]:
    """What arrived since the log was ``mark`` bytes long; all of it when it was begun anew since. Skips half lines."""
    if not log.exists():
        return ()
    with log.open("rb") as stream:
        stream.seek(mark if mark <= log_size(log) else 0)
        lines = stream.read().split(b"\n")[:-1]
    found: dict[int, LoggedRequest] = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        number = int(entry["id"])
        if "action" in entry:
            found[number] = LoggedRequest(at=entry["at"], action=entry["action"], queue=entry["queue"])
        elif number in found:
            found[number] = replace(found[number], status=entry["status"], seconds=entry["seconds"])
    return tuple(found.values())


def write_requests(path: Path, requests: Sequence[LoggedRequest], *, queue: str) -> None:
    """Keep what concerns a trial as evidence: its queue's requests without an answer, and the last of the others."""
    own = [request for request in requests if request.queue == queue]
    recent = {id(request) for request in own[-MOST_KEPT:]}
    kept = [request for request in own if request.status is None or id(request) in recent][-2 * MOST_KEPT :]
    if kept:
        path.write_text("".join(f"{json.dumps(asdict(request))}\n" for request in kept), "utf-8")
