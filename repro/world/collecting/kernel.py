"""What the kernel says of a process: its state, what its threads sleep in, processor time, sockets and their queues."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from repro.core.diagnosis.standstill import KernelThread, KernelWait
from repro.core.diagnosis.system_calls import CALLS, wait_of
from repro.world.collecting.sockets import PROC, sockets_of

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_FUTEX_LIMIT = 4
"""Where ``/proc/PID/task/TID/syscall`` has a futex's time limit: the number first, then six arguments.
"""

STOPPED = frozenset({"stopped", "stopped by a debugger"})
"""States of a process that a signal has stopped."""
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


def threads_of(pid: int, *, left_out: int = 0) -> tuple[KernelThread, ...]:
    """What each thread of a process waits in, but ``left_out``; none where the system does not tell."""
    try:
        tasks = sorted((PROC / str(pid) / "task").iterdir(), key=lambda path: int(path.name))
    except OSError:
        return ()
    return tuple(
        KernelThread(tid=int(task.name), is_main=int(task.name) == pid, wait=_wait_of(task), cpu_s=_cpu_s(task))
        for task in tasks
        if int(task.name) != left_out
    )


def main_thread_moves(pid: int, *, within_s: float) -> bool:
    """Whether the main thread of a process gives up the processor by itself, within so many seconds, and comes back.

    One that stands in a single call does not, one that polls does.
    """
    before = _own_switches(pid)
    time.sleep(within_s)
    return _own_switches(pid) > before


def _own_switches(pid: int) -> int:
    rows = _read(PROC / str(pid) / "task" / str(pid) / "status").splitlines()
    return next((int(row.split()[1]) for row in rows if row.startswith("voluntary_ctxt_switches")), 0)


def _wait_of(task: Path) -> KernelWait:
    """By the call that it is in; where that is not readable by the kernel's function, which knows no time limits."""
    call = _read(task / "syscall").split()
    if call[:1] == ["running"]:
        return KernelWait.RUNNING
    machine = os.uname().machine
    if machine not in CALLS or not call or not call[0].isdigit():
        return KernelWait.CHILD if _read(task / "wchan") == "do_wait" else KernelWait.OTHER
    return wait_of(machine, int(call[0]), int(call[_FUTEX_LIMIT], 16) if len(call) > _FUTEX_LIMIT else 0)


def _task(home: Path) -> dict[str, object]:
    """The fields of ``stat`` behind the name, which may itself hold blanks and brackets."""
    text = (home / "stat").read_text("utf-8", "replace")
    fields = text[text.rindex(")") + 2 :].split()
    return {
        "tid": int(home.name),
        "name": text[text.index("(") + 1 : text.rindex(")")],
        "state": _STATES.get(fields[0], fields[0]),
        "wchan": _read(home / "wchan"),
        "syscall": _read(home / "syscall"),
        "cpu_s": round(_used_s(fields), 2),
    }


def _cpu_s(task: Path) -> float:
    """The processor time that a thread has used, 0 where it has just ended."""
    text = _read(task / "stat")
    return _used_s(text.rpartition(")")[2].split()) if ")" in text else 0.0


def _used_s(fields: Sequence[str]) -> float:
    """User's and system's time of the fields of ``stat`` behind the name."""
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _read(path: Path) -> str:
    """The file's text, or why it cannot be read: some of these need privileges."""
    try:
        return path.read_text("ascii").strip()
    except OSError as error:
        return f"not readable: {error.strerror}"
