"""Processor time of living processes, as cheap as a look that happens ten times a second has to be."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

_GONE = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """User and system time of each of ``pids`` that lives, in seconds; one that is gone is left out."""
    found: dict[int, float] = {}
    for pid in pids:
        try:
            process = psutil.Process(pid)
            if process.status() in _GONE:
                continue
            times = process.cpu_times()
        except psutil.Error:
            continue
        found[pid] = times.user + times.system
    return found


def is_stopped(pid: int) -> bool:
    """Whether a signal or a debugger has stopped the process: then nothing that it does not do is its own fault."""
    try:
        return bool(psutil.Process(pid).status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP})
    except psutil.Error:
        return False
