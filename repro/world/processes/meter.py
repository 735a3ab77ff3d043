"""Processor time of living processes, used and denied, as cheap as a look that happens ten times a second has to be."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_GONE = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
_PROC = Path("/proc")
_NS = 1e9
COMPUTES_S = 0.0005
"""A thread that computes runs for longer than this each time that it is let to, on the busiest machine too."""
WAITS_PER_RUN = 4.0
"""One that wakes up for an instant, two hundred times a second, to ask for the GIL, waits far longer than it runs, and
does not want the processor for that: of its waiting so much counts at the most."""
DENIED_EVERY_S = 0.25
"""Seconds between two looks at all threads: a server may have one for each of its connections."""
MOST_THREADS = 64
"""So many threads of a process are looked at: the main one, and the youngest."""


@dataclass(frozen=True)
class _Account:
    """Seconds that a thread ran, and that it waited for a core, and how often it was let to run."""

    ran_s: float
    waited_s: float
    runs: int


@dataclass
class Meter:
    """Adds up what each process's main thread, where the event loop is, takes of the processor.

    The time that it stood in the kernel's queue for a core counts as well: on a busy machine a loop that spins may get
    a third of a core, and is distinguished from a process that stands still by what it would take. Where the kernel
    keeps no such account, it is the whole process's user and system time.
    """

    _last: dict[int, _Account] = field(default_factory=dict)
    _total: dict[int, float] = field(default_factory=dict)

    def cpu_seconds(self, pids: Iterable[int]) -> dict[int, float]:
        """The seconds so far, since each of ``pids`` was first asked for; one that is gone is left out."""
        found: dict[int, float] = {}
        for pid in pids:
            try:
                process = psutil.Process(pid)
                if process.status() in _GONE:
                    continue
                account = _account(_PROC / str(pid))
                found[pid] = _used(process) if account is None else self._added(pid, account)
            except psutil.Error:
                continue
        return found

    def _added(self, pid: int, account: _Account) -> float:
        before = self._last.get(pid, account)
        self._last[pid] = account
        ran_s, waited_s = account.ran_s - before.ran_s, account.waited_s - before.waited_s
        is_computing = ran_s > COMPUTES_S * (account.runs - before.runs)
        wanted_s = ran_s + waited_s if is_computing else min(ran_s + waited_s, WAITS_PER_RUN * ran_s)
        self._total[pid] = self._total.get(pid, 0.0) + wanted_s
        return self._total[pid]


@dataclass
class QueueMeter:
    """Adds up for how long each process stood in the kernel's queue for a core: its thread that waited longest.

    A process that is parked does not ask for a core, and waits for none. Where the kernel keeps no such account there
    is nothing to tell.
    """

    _looked_at: float = float("-inf")
    _threads: dict[int, dict[str, float]] = field(default_factory=dict)
    _denied_s: dict[int, float] = field(default_factory=dict)

    def denied_seconds(self, pids: Iterable[int]) -> dict[int, float]:
        """The seconds since each of ``pids`` was first asked for, as of a quarter of a second ago at the earliest."""
        now, wanted = time.monotonic(), set(pids)
        if now - self._looked_at >= DENIED_EVERY_S or not wanted <= self._threads.keys():
            elapsed_s = now - self._looked_at
            self._looked_at = now
            for pid in wanted:
                self._look(pid, elapsed_s)
        return {pid: self._denied_s[pid] for pid in wanted if pid in self._denied_s}

    def _look(self, pid: int, elapsed_s: float) -> None:
        """Add what the thread that waited longest has waited since the last look."""
        waited_s, before = _waited(pid), self._threads.get(pid)
        self._threads[pid] = waited_s
        if before is None:
            if waited_s:
                self._denied_s[pid] = 0.0
            return
        # Of a thread that is new all that it has waited is new, but its process was denied no more than the time.
        most_s = max((seconds - before.get(thread, 0.0) for thread, seconds in waited_s.items()), default=0.0)
        self._denied_s[pid] = self._denied_s.get(pid, 0.0) + min(most_s, elapsed_s)


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _waited(pid: int) -> dict[str, float]:
    """Seconds that each thread has waited for a core; empty where the process has gone, or the kernel does not say."""
    try:
        threads = sorted((thread.name for thread in (_PROC / str(pid) / "task").iterdir()), key=int)
    except OSError:
        return {}
    looked_at = (*threads[:1], *threads[1:][1 - MOST_THREADS :])
    accounts = ((thread, _account(_PROC / str(pid) / "task" / thread)) for thread in looked_at)
    return {thread: account.waited_s for thread, account in accounts if account is not None}


def _account(process: Path) -> _Account | None:
    """What the kernel keeps of a thread in its ``schedstat``; None where there is none."""
    try:
        ran, waited, runs = (process / "schedstat").read_text("ascii").split()
    except (OSError, ValueError):
        return None
    return _Account(int(ran) / _NS, int(waited) / _NS, int(runs))
