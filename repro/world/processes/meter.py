"""Processor time of living processes, as cheap as a look that happens ten times a second has to be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_GONE = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
_PROC = Path("/proc")
_NS = 1e9
WAITS_PER_RUN = 4.0
"""A thread that would run gets a fair part of what it asks for; one that wakes up for an instant, two hundred times a
second, to ask for the GIL, waits far longer than it runs, and does not want the processor for that."""


@dataclass
class Meter:
    """Adds up what each process's main thread, where the event loop is, takes of the processor.

    The time that it stood in the kernel's queue for a core counts as well: on a busy machine a loop that spins may get
    a third of a core, and is told from a process that stands still by what it would take. Where the kernel keeps no
    such account, it is the whole process's user and system time.
    """

    _last: dict[int, tuple[float, float]] = field(default_factory=dict)
    _total: dict[int, float] = field(default_factory=dict)

    def cpu_seconds(self, pids: Iterable[int]) -> dict[int, float]:
        """The seconds so far, since each of ``pids`` was first asked for; one that is gone is left out."""
        found: dict[int, float] = {}
        for pid in pids:
            try:
                process = psutil.Process(pid)
                if process.status() in _GONE:
                    continue
                account = _account(pid)
                found[pid] = _used(process) if account is None else self._added(pid, *account)
            except psutil.Error:
                continue
        return found

    def _added(self, pid: int, ran_s: float, waited_s: float) -> float:
        ran_before, waited_before = self._last.get(pid, (ran_s, waited_s))
        ran, waited = ran_s - ran_before, waited_s - waited_before
        self._last[pid] = (ran_s, waited_s)
        self._total[pid] = self._total.get(pid, 0.0) + min(ran + waited, WAITS_PER_RUN * ran)
        return self._total[pid]


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _account(pid: int) -> tuple[float, float] | None:
    """Seconds that the main thread ran, and that it waited for a core, from ``schedstat``; None where there is none."""
    try:
        ran, waited, _ = (_PROC / str(pid) / "schedstat").read_text("ascii").split()
    except (OSError, ValueError):
        return None
    return int(ran) / _NS, int(waited) / _NS
