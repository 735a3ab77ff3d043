"""Whether a wake-up is really lost: a program that moves fast looks so for a moment, while it is read.

What a greenlet waits for is read within milliseconds, and a loop does much in one. So whoever seems to wait for nothing
is looked at again and again, until the loop's threads have slept while they were read (then it is as true as of a
process that stands still), or until it has been the same every time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from repro.core.hang.dump import Lock
from repro.world.memory.waits import Waits

TIMES = 20
BETWEEN_S = (0.003, 0.011, 0.007, 0.017)
"""Seconds between two readings, uneven: a program that sleeps by a beat is not met at the same moment of each."""
LIMIT_S = 2.0
"""Seconds for all of them, in a process of many greenlets."""
Rest = Callable[[], tuple[str, ...]]
"""What changes whenever one of the loop's threads runs; empty where one runs at this moment."""


def confirmed(waits: Waits, *, asleep: Collection[int], again: Callable[[], Waits], rest: Rest) -> Waits:
    """The waits without those lost wake-ups that were none; ``asleep`` are the greenlets that a timer must wake."""
    deadline = time.monotonic() + LIMIT_S
    for number in range(TIMES):
        if not _is_doubtful(waits, asleep) or time.monotonic() > deadline:
            break
        time.sleep(BETWEEN_S[number % len(BETWEEN_S)])
        before = rest()
        now = again()
        if before and before == rest():
            return now
        waits = _what_both_say(waits, now)
    return waits


def _is_doubtful(waits: Waits, asleep: Collection[int]) -> bool:
    if any(one not in waits.by_greenlet for one in asleep):
        return True
    return any(lock.is_free or _waits_itself(lock, waits) for lock in waits.locks.values())


def _waits_itself(lock: Lock, waits: Waits) -> bool:
    """Whether the owner of a lock waits for another one, as in a circle."""
    wait = waits.by_greenlet.get(lock.holder_greenlet)
    return wait is not None and wait.lock in waits.locks


def _what_both_say(before: Waits, now: Waits) -> Waits:
    """A wait that one of both has seen; of a lock what both have seen."""
    return Waits(
        {**now.by_greenlet, **before.by_greenlet},
        {address: _lock_of_both(lock, now.locks) for address, lock in before.locks.items()},
        max(before.to_come, now.to_come),
    )


def _lock_of_both(lock: Lock, now: Mapping[int, Lock]) -> Lock:
    other = now.get(lock.id)
    is_free = lock.is_free and other is not None and other.is_free
    if other is not None and other.holder_greenlet == lock.holder_greenlet:
        return replace(lock, is_free=is_free)
    return replace(lock, is_free=is_free, holder_greenlet=0, how=None, is_certain=False)


def rest_of(pid: int, threads: Collection[int]) -> tuple[str, ...]:
    """How often these threads of a process have been put to sleep; empty where one runs, or where that is not told."""
    return (
        tuple(_switches(Path(f"/proc/{pid}/task/{thread}/status")) for thread in threads)
        if _all_sleep(pid, threads)
        else ()
    )


def _all_sleep(pid: int, threads: Collection[int]) -> bool:
    return all(_state(Path(f"/proc/{pid}/task/{thread}/status")) not in {"", "R"} for thread in threads)


def _state(status: Path) -> str:
    return next((line.split()[1] for line in _lines(status) if line.startswith("State:")), "")


def _switches(status: Path) -> str:
    return " ".join(line for line in _lines(status) if "ctxt_switches" in line)


def _lines(status: Path) -> list[str]:
    try:
        return status.read_text("ascii", "replace").splitlines()
    except OSError:  # the thread has ended
        return []
