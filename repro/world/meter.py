"""Processor time of living processes, as cheap as a look that happens ten times a second has to be."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psutil

_GONE = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
_PROC = Path("/proc")
_NS = 1e9


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """The seconds in which each of ``pids`` that lives ran or was ready to run; one that is gone is left out.

    The time that its threads stood in the kernel's queue for a core counts as well: on a busy machine a loop that
    spins may get a third of a core, and is told from a process that stands still by what it would take. Where the kernel
    keeps no such account, it is user and system time alone.
    """
    found: dict[int, float] = {}
    for pid in pids:
        try:
            process = psutil.Process(pid)
            if process.status() in _GONE:
                continue
            wanted_s = _wanted_seconds(pid)
            times = process.cpu_times()
        except psutil.Error:
            continue
        found[pid] = times.user + times.system if wanted_s is None else wanted_s
    return found


def _wanted_seconds(pid: int) -> float | None:
    """Running and waiting for a core, over all threads, from ``schedstat``; None where there is no such account."""
    total_ns = 0
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            try:
                running, waiting, _ = (task / "schedstat").read_text("ascii").split()
            except FileNotFoundError:
                if task.exists():
                    return None  # a kernel without it
                continue
            total_ns += int(running) + int(waiting)
    except (OSError, ValueError):
        return None
    return total_ns / _NS


def is_stopped(pid: int) -> bool:
    """Whether a signal or a debugger has stopped the process: then nothing that it does not do is its own fault."""
    try:
        return bool(psutil.Process(pid).status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP})
    except psutil.Error:
        return False
