"""The log of what reached a backend: one JSON line when a request arrives, one when its answer is ready.

    {"id": 7, "at": 1234.5, "service": "sqs", "action": "ReceiveMessage", "queue": "repro-1"}
    {"id": 7, "status": 200, "seconds": 0.004}

``at`` is ``time.monotonic()``, which all processes of a Linux machine share. It tells "answered by the backend,
unread by the client" from "never arrived".
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

MOST_KEPT = 500
TAIL_BYTES = 16384
_NUMBER = re.compile(rb'\{"id": (\d+)')


@dataclass(frozen=True, kw_only=True)
class LoggedRequest:
    """A request that arrived; ``status`` and ``seconds`` are None while its answer is not ready.

    ``action`` is a method and a path where the service speaks REST, ``queue`` empty where it is not SQS.
    """

    at: float
    action: str
    queue: str
    service: str = ""
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
            found[number] = LoggedRequest(**{name: entry[name] for name in ("at", "action", "queue", "service")})
        elif number in found:
            found[number] = replace(found[number], status=entry["status"], seconds=entry["seconds"])
    return tuple(found.values())


def count_requests(log: Path) -> int:
    """How many requests the log has ever had: they are numbered, and the last lines tell, however long it is."""
    if not log.exists():
        return 0
    with log.open("rb") as stream:
        stream.seek(max(0, log_size(log) - TAIL_BYTES))
        lines = stream.read().split(b"\n")[:-1]
    return max((int(found[1]) for line in lines if (found := _NUMBER.match(line))), default=0)


def write_requests(path: Path, requests: Sequence[LoggedRequest]) -> None:
    """Keep an account's requests as evidence: those without an answer, and the last of the others."""
    recent = {id(request) for request in requests[-MOST_KEPT:]}
    kept = [request for request in requests if request.status is None or id(request) in recent][-2 * MOST_KEPT :]
    if kept:
        path.write_text("".join(f"{json.dumps(asdict(request))}\n" for request in kept), "utf-8")
