"""What the kernel says of a process: its state, what its threads sleep in, processor time, sockets and their queues."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

from repro.world.sockets import PROC, sockets_of

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "uninterruptible sleep",
    "T": "stopped",
    "t": "stopped by a debugger",
    "Z": "zombie",
    "X": "dead",
    "I": "idle",
}


def look(pid: int) -> dict[str, object]:
    """The process, its threads and its sockets, ready to be written as JSON.

    Raises:
        OSError: the process is gone, or this system has no ``/proc``.
    """
    home = PROC / str(pid)
    return {
        "pid": pid,
        **_task(home),
        "threads": [_task(task) for task in sorted((home / "task").iterdir(), key=lambda path: int(path.name))],
        "sockets": [asdict(socket) for socket in sockets_of(pid)],
    }


def _task(home: Path) -> dict[str, object]:
    """The fields of ``stat`` behind the name, which may itself hold blanks and brackets."""
    text = (home / "stat").read_text("utf-8", "replace")
    fields = text[text.rindex(")") + 2 :].split()
    user, system = int(fields[11]), int(fields[12])
    return {
        "tid": int(home.name),
        "name": text[text.index("(") + 1 : text.rindex(")")],
        "state": _STATES.get(fields[0], fields[0]),
        "wchan": _read(home / "wchan"),
        "syscall": _read(home / "syscall"),
        "cpu_s": round((user + system) / _TICKS, 2),
    }


def _read(path: Path) -> str:
    """The file's text, or why it cannot be read: some of these need privileges."""
    try:
        return path.read_text("ascii").strip()
    except OSError as error:
        return f"not readable: {error.strerror}"
