"""In what a program without users that does nothing any more was found: locks, its greenlets, a call, or at work.

A program that waits is not a hang by that alone: it may be woken by a signal, a message or its own clock. It is one
where every thread stands in the kernel's lock without a time limit, every greenlet of its own waits for another one, or
greenlets wait to begin while the thread of their event loop never returns to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from repro.core.hang.dump import Dump, Thread
from repro.core.hang.frames import has_own_frame, is_at_exit
from repro.core.hang.pools import full_pools, starved
from repro.core.judge.samples import Standing
from repro.findings import WaitKind


class KernelWait(StrEnum):
    """What the kernel says that a thread waits in; ``LOCK`` is a lock without a time limit."""

    LOCK = "lock"
    CHILD = "child"
    RUNNING = "running"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class KernelThread:
    """One thread as the kernel shows it; ``cpu_s`` is the processor time that it has used so far."""

    tid: int
    is_main: bool
    wait: KernelWait
    cpu_s: float = 0.0


HUB = "gevent/hub.py:run"
"""Where the main thread is while a gevent loop turns, or waits."""

SLEEP = "gevent/hub.py:sleep"
"""Who is parked here waits for a timer; where none is running, its wake-up was lost."""

UNSTARTED = "unstarted"
"""The state of a greenlet that was spawned and has not begun."""

MEANT_TO_WAIT = frozenset(
    {
        "threading.py:wait",  # an event or a condition, which a signal's handler may set
        "threading.py:join",
        "threading.py:_wait_for_tstate_lock",
        "concurrent/futures/thread.py:_worker",  # idle
        "multiprocessing/pool.py:worker",
    }
)
"""Innermost frames of an endless wait that is not for a lock: it stands in one by design."""

_MAY_WAKE = frozenset(
    {
        WaitKind.SOCKET,
        WaitKind.TIMER,
        WaitKind.THREAD,
        WaitKind.PROCESS,
        WaitKind.RUNNING,
        WaitKind.READY,
    }
)
_WAITS_FOR_OTHERS = frozenset(
    {
        WaitKind.LOCK,
        WaitKind.SEMAPHORE,
        WaitKind.EVENT,
        WaitKind.QUEUE,
        WaitKind.GREENLET,
        WaitKind.NOTHING,
    }
)


def standing_of(dump: Dump | None, threads: Sequence[KernelThread], *, listens: bool = False) -> Standing:
    """In what one process was found, by its stacks (None where there are none) and its threads, not the agent's.

    ``listens``: it accepts connections, so that whoever comes may wake its greenlets.
    """
    main = dump.main if dump is not None else None
    if dump is None or main is None or not main.stack:
        return Standing.UNKNOWN
    is_starved = starved(dump.pools) is not None or _is_full_in_locks(dump, main, threads)
    if is_starved or _are_coroutines_parked(dump, threads):
        return Standing.PARKED
    if main.is_dumping or main.stack[-1].normalised == HUB:
        standing = _of_greenlets(dump)
        return Standing.WAITING if listens and standing is Standing.PARKED else standing
    kernel = next((thread.wait for thread in threads if thread.is_main), KernelWait.OTHER)
    if kernel is KernelWait.LOCK and _is_locked(dump, main, threads):
        return Standing.LOCKED
    if dump.mode != "loop" and any(one.state == UNSTARTED and not one.is_hub for one in dump.greenlets):
        return Standing.UNSERVED
    return {KernelWait.RUNNING: Standing.RUNNING, KernelWait.CHILD: Standing.WAITING}.get(kernel, Standing.BLOCKED)


def _is_full_in_locks(dump: Dump, main: Thread, threads: Sequence[KernelThread]) -> bool:
    """Whether nothing in the process can run, tasks lie in the queue of a full pool, and the main thread waits for it.

    Its tasks wait for what those in the queue would do: for an event, at a barrier. An idle pool's queue is empty.
    """
    wait = dump.pools.waits.get(main.ident) if dump.pools is not None else None
    is_waited_for = wait is not None and not wait.has_timeout
    is_full = is_waited_for and bool(full_pools(dump.pools))
    return is_full and all(one.wait is KernelWait.LOCK for one in threads)


def _are_coroutines_parked(dump: Dump, threads: Sequence[KernelThread]) -> bool:
    """Whether all tasks of asyncio wait for each other, and no other thread can run: an idle one is in a lock."""
    others = [thread for thread in threads if not thread.is_main]
    is_alone = all(thread.wait is KernelWait.LOCK for thread in others)
    return bool(dump.loops) and is_alone and all(loop.is_parked for loop in dump.loops)


def _is_locked(dump: Dump, main: Thread, threads: Sequence[KernelThread]) -> bool:
    """Whether a thread stands in a lock that none can free: all stand in one, or its holder is the one that waits."""
    if _is_held_by_itself(dump, main):
        return True
    in_locks = [thread for thread in dump.threads if not thread.is_dumping and _stands_in_lock(thread)]
    return bool(in_locks) and all(thread.wait is KernelWait.LOCK for thread in threads)


def _stands_in_lock(thread: Thread) -> bool:
    """Whether this thread's endless wait is a lock's: its code takes one, or, of the main one, is not meant to wait."""
    if not thread.stack or thread.stack[-1].normalised in MEANT_TO_WAIT:
        return False
    return thread.is_main or (thread.wait is not None and thread.wait.is_native)


def _is_held_by_itself(dump: Dump, main: Thread) -> bool:
    lock = dump.locks.get(main.wait.lock) if main.wait is not None and main.wait.is_native else None
    if lock is None or not lock.is_certain:
        return False
    return lock.holder_thread == main.ident or dump.by_id(lock.holder_greenlet) is not None


def _of_greenlets(dump: Dump) -> Standing:
    """``PARKED`` where every greenlet of the program's own waits for another one without a time limit.

    Once its main code has ended, and the interpreter waits for its threads, all that are left count.
    """
    others = [item for item in dump.greenlets if not item.is_hub and not is_at_exit(item.stack)]
    has_ended = any(is_at_exit(item.stack) for item in dump.greenlets)
    own = others if has_ended else [item for item in others if has_own_frame(item.stack)]
    waits = [item.wait for item in own if item.wait is not None]
    may_go_on = any(wait.kind in _MAY_WAKE or wait.has_timeout for wait in waits)
    is_parked = any(wait.kind in _WAITS_FOR_OTHERS for wait in waits)
    return Standing.PARKED if is_parked and not may_go_on else Standing.WAITING
