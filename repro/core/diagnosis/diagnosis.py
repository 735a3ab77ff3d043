"""What a process is stuck on now, from two looks some seconds apart: only what did not move between them can be stuck.

    main thread away from its loop  ─▶ frozen or spinning, where the loop ought to turn; else undecided
    another thread, with a loop whose greenlets wait for their turn ─▶ the same
    greenlets that stay parked      ─▶ deadlocked, where nothing can wake them: a free lock, a circle, unread data

Whatever might still be ended by time, by an answer or by somebody who moves is not a hang, and is shown as what it
waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from repro.core.diagnosis.standstill import HUB, MEANT_TO_WAIT, SLEEP, KernelThread, KernelWait
from repro.core.hang.dump import Dump, Greenlet, Lock, Thread
from repro.core.hang.frames import has_own_frame
from repro.findings import WaitKind
from repro.model import HangClass, Verdict

BURNING_CORES = 0.5
TIMER_SLACK_S = 1.0
"""A timer whose end has moved by more was set anew."""
SILENT_S = 5.0
"""Seconds that an event loop may be away before that is a hang, as in a trial."""
WAITS_FOR_OTHERS = frozenset({WaitKind.LOCK, WaitKind.SEMAPHORE, WaitKind.EVENT, WaitKind.QUEUE, WaitKind.GREENLET})


class Finding(StrEnum):
    """What two looks came to."""

    STOPPED = "stopped"
    IN_LOCK = "in a lock"
    BURNS = "burns"
    AWAY = "away from the loop"
    FREE_LOCK = "free lock"
    NO_TIMER = "asleep without a timer"
    CIRCLE = "circle"
    UNREAD = "unread"
    ALL_WAIT = "all wait for each other"
    HOLDER_UNKNOWN = "holder unknown"
    SCRIPT_WAITS = "a program without greenlets waits"
    UNREADABLE = "unreadable"
    STILL = "one moment without a hang"
    GOES_ON = "goes on"


CLASSES: Mapping[Finding, HangClass] = {
    Finding.STOPPED: HangClass.FROZEN,
    Finding.IN_LOCK: HangClass.FROZEN,
    Finding.AWAY: HangClass.FROZEN,
    Finding.BURNS: HangClass.SPINNING,
    Finding.FREE_LOCK: HangClass.DEADLOCKED,
    Finding.NO_TIMER: HangClass.DEADLOCKED,
    Finding.CIRCLE: HangClass.DEADLOCKED,
    Finding.UNREAD: HangClass.DEADLOCKED,
    Finding.ALL_WAIT: HangClass.DEADLOCKED,
}
"""The findings that are hangs."""


@dataclass(frozen=True)
class Look:
    """One look at a process: when, its stacks (None where they could not be read), what the kernel says of its threads.

    ``at`` is in seconds of any clock, ``cpu_s`` the processor time that it has used so far, ``unread`` the bytes that
    lie unread in its sockets, by descriptor. ``turned`` are the threads that were met in their event loop since the
    look before.
    """

    at: float
    dump: Dump | None
    threads: tuple[KernelThread, ...] = ()
    cpu_s: float = 0.0
    unread: Mapping[int, int] = field(default_factory=dict)
    is_stopped: bool = False
    turned: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Diagnosis:
    """What a process is stuck on.

    ``is_still`` says that only one moment was seen: no movement is known.
    ``own`` are the greenlets of the program's own code, ``stuck`` those that cannot make progress; ``thread`` is the
    one that stands, if one does: the main one, or another with a loop; ``lock`` is the one that matters; ``gil`` is the
    thread that held the GIL at both looks; ``cores`` is how much of a core it used over the
    ``seconds`` between the looks.
    """

    finding: Finding
    seconds: float
    cores: float
    own: tuple[Greenlet, ...] = ()
    stuck: tuple[Greenlet, ...] = ()
    moved: int = 0
    thread: Thread | None = None
    lock: Lock | None = None
    gil: Thread | None = None
    is_still: bool = False

    @property
    def hang_class(self) -> HangClass | None:
        """How it hangs, None where it does not or nobody can tell."""
        return CLASSES.get(self.finding)

    @property
    def verdict(self) -> Verdict:
        """``hang``, ``clean`` or ``inconclusive``."""
        if self.hang_class is not None:
            return Verdict.HANG
        return Verdict.CLEAN if self.finding is Finding.GOES_ON else Verdict.INCONCLUSIVE


def diagnose(first: Look, last: Look) -> Diagnosis:
    """What two looks at one process have in common."""
    seconds = last.at - first.at
    cores = (last.cpu_s - first.cpu_s) / seconds if seconds > 0 else 0.0
    if first.dump is None or last.dump is None:
        finding = Finding.STOPPED if first.is_stopped and last.is_stopped else Finding.UNREADABLE
        return Diagnosis(finding, seconds, cores)
    pair = _Pair(first, last, first.dump, last.dump, seconds, cores)
    of_main = pair.of_main_thread()
    if of_main is not None and (pair.has_main_loop or not pair.others_with_loops):
        return of_main if of_main.hang_class is not None else pair.of_other_loops() or of_main
    return pair.of_other_loops() or pair.of_greenlets()


def diagnose_still(look: Look) -> Diagnosis:
    """What one moment of a process shows by itself, as a core dump has it: only what no time can end is a hang.

    A thread away from its loop may have come back a moment later. But nobody frees a lock if every thread waits for
    one. And nothing wakes greenlets whose wake-up is lost while their loop rests, or that wait in a circle.
    """
    if look.dump is None:
        return Diagnosis(Finding.UNREADABLE, 0.0, 0.0, is_still=True)
    pair = _Pair(look, look, look.dump, look.dump, 0.0, 0.0)
    return replace(pair.of_one_moment(), moved=0, is_still=True)


@dataclass(frozen=True)
class _Pair:
    """Two looks with stacks."""

    first: Look
    last: Look
    before: Dump
    now: Dump
    seconds: float
    cores: float

    @property
    def own(self) -> tuple[Greenlet, ...]:
        return tuple(one for one in self.now.greenlets if not one.is_hub and has_own_frame(one.stack))

    @property
    def unmoved(self) -> tuple[Greenlet, ...]:
        """Those that stand where they stood."""
        before = {one.id: one for one in self.before.greenlets}
        return tuple(one for one in self.own if _is_where_it_was(one, before.get(one.id)))

    def of_main_thread(self) -> Diagnosis | None:
        """What holds the main thread, where that is not the loop, and where it is the same as before; else None."""
        thread = self.now.main
        if self.first.is_stopped and self.last.is_stopped:
            return self._found(Finding.STOPPED, stuck=self.own, thread=thread)
        if thread is None or not thread.stack or not self._stays(thread):
            return None
        finding = self._finding_of(thread, has_loop=self.has_main_loop)
        stuck = self._own_of(thread) if finding in CLASSES else ()
        return self._found(finding, stuck=stuck, thread=thread)

    def of_other_loops(self) -> Diagnosis | None:
        """What holds another thread in which a loop ought to turn, and keeps greenlets from their turn; else None.

        A thread that has a loop may work for long without it, as a pool's worker does: only where some wait it hangs.
        """
        for thread in self.others_with_loops:
            waiting = [one for one in self._own_of(thread) if one.id != thread.greenlet]
            if waiting and thread.stack and self._stays(thread):
                finding = self._finding_of(thread, has_loop=True)
                if finding in CLASSES:
                    return self._found(finding, stuck=self._own_of(thread), thread=thread)
        return None

    @property
    def others_with_loops(self) -> tuple[Thread, ...]:
        """The threads beside the main one in which an event loop was made."""
        loops = {one.thread for one in self.now.greenlets if one.is_hub}
        return tuple(thread for thread in self.now.threads if thread.ident in loops and not thread.is_main)

    @property
    def has_main_loop(self) -> bool:
        """Whether the main thread has an event loop; where it is not known whose a loop is, it is the main one's."""
        main = self.now.main.ident if self.now.main is not None else 0
        return any(one.is_hub and one.thread in {0, main} for one in self.now.greenlets)

    def _own_of(self, thread: Thread) -> tuple[Greenlet, ...]:
        """The program's greenlets that run in this thread, those of no known thread among the main one's."""
        return tuple(one for one in self.own if one.thread == thread.ident or (not one.thread and thread.is_main))

    def _stays(self, thread: Thread) -> bool:
        """Whether a thread was away from its loop both times, and nobody else ran in it meanwhile."""
        before = next((one for one in self.before.threads if one.ident == thread.ident), None)
        if before is None or before.greenlet != thread.greenlet:
            return False
        if HUB in {_innermost(before), _innermost(thread)} or thread.ident in self.last.turned:
            return False
        return (before.stack == thread.stack or self._burns(thread)) and not self._has_anybody_run(thread)

    def _has_anybody_run(self, thread: Thread) -> bool:
        """Whether another greenlet of its loop, or the loop, has had a turn: it stands elsewhere, or waits anew.

        A library's count as well: on a busy machine a healthy loop may be seen twice outside of its hub, while its
        users sleep at the same line both times. Another thread's do not: its loop turns whatever this one does.
        """
        before = {one.id: one for one in self.before.greenlets}
        others = [one for one in self.now.greenlets if one.id != thread.greenlet]
        return any(
            self._has_run(before[one.id], one)
            for one in others
            if one.id in before and (one.thread or before[one.id].thread) in {0, thread.ident}
        )

    def _has_run(self, before: Greenlet, now: Greenlet) -> bool:
        if before.stack != now.stack or (before.mark and now.mark and before.mark != now.mark):
            return True
        left_s = [one.wait.left_s if one.wait is not None else float("inf") for one in (before, now)]
        if float("inf") in left_s or not left_s[1]:
            return False
        return abs((self.now.at + left_s[1]) - (self.before.at + left_s[0])) > TIMER_SLACK_S

    def _finding_of(self, thread: Thread, *, has_loop: bool) -> Finding:
        is_in_lock = self._waits_in(thread, KernelWait.LOCK)
        if not has_loop:
            all_in_locks = is_in_lock and all(one.wait is KernelWait.LOCK for one in self.last.threads)
            is_meant = _innermost(thread) in MEANT_TO_WAIT
            return Finding.IN_LOCK if all_in_locks and not is_meant else Finding.SCRIPT_WAITS
        if is_in_lock:
            return Finding.IN_LOCK
        if self.seconds < SILENT_S:
            return Finding.SCRIPT_WAITS
        return Finding.BURNS if self._burns(thread) else Finding.AWAY

    def _burns(self, thread: Thread) -> bool:
        """Whether it computes; on a busy machine it gets little of a core, and is about to run whenever one looks.

        The process's time tells of the main thread only where no other one has a loop.
        """
        is_alone = thread.is_main and not self.others_with_loops
        used_s = _kernel_of(self.last, thread).cpu_s - _kernel_of(self.first, thread).cpu_s
        cores = self.cores if is_alone or not self.seconds else used_s / self.seconds
        return self._waits_in(thread, KernelWait.RUNNING) or cores >= BURNING_CORES

    def _waits_in(self, thread: Thread, wait: KernelWait) -> bool:
        """Whether the kernel had the thread in this at both looks."""
        return _kernel_of(self.first, thread).wait is _kernel_of(self.last, thread).wait is wait

    def of_one_moment(self) -> Diagnosis:
        """What is a hang whatever came before and after."""
        main = self.now.main
        if main is not None and self._is_locked_for_ever(main):
            return self._found(Finding.IN_LOCK, stuck=self._own_of(main), thread=main)
        at_rest = main is not None and _innermost(main) == HUB and not self._waits_in(main, KernelWait.RUNNING)
        for finding, stuck_of in _RULES:
            stuck = stuck_of(self) if finding is Finding.CIRCLE or (at_rest and finding in CLASSES) else ()
            if stuck:
                lock = self.now.locks.get(stuck[0].wait.lock) if stuck[0].wait else None
                return self._found(finding, stuck=stuck, lock=lock)
        return self._found(Finding.STILL, thread=None if at_rest else main)

    def _is_locked_for_ever(self, main: Thread) -> bool:
        """Whether every thread stands in a lock without a limit, and the main one is not meant to wait there."""
        is_meant = not main.stack or _innermost(main) in MEANT_TO_WAIT
        return (
            not is_meant and bool(self.last.threads) and all(one.wait is KernelWait.LOCK for one in self.last.threads)
        )

    def of_greenlets(self) -> Diagnosis:
        """What the greenlets wait for that stay where they are, while the loop could wake them."""
        for finding, stuck_of in _RULES:
            stuck = stuck_of(self)
            if stuck:
                lock = self.now.locks.get(stuck[0].wait.lock) if stuck[0].wait else None
                return self._found(finding, stuck=stuck, lock=lock)
        has_threads_only = not self.own and not any(one.is_hub for one in self.now.greenlets)
        return self._found(Finding.SCRIPT_WAITS if has_threads_only and self.cores < 0.01 else Finding.GOES_ON)

    def with_free_lock(self) -> tuple[Greenlet, ...]:
        """Those that wait for a lock that was free both times: whoever was to wake them has not."""
        free = {lock.id for lock in self.now.locks.values() if lock.is_free}
        free &= {lock.id for lock in self.before.locks.values() if lock.is_free}
        return tuple(one for one in self.unmoved if one.wait is not None and one.wait.lock in free)

    def asleep_without_timer(self) -> tuple[Greenlet, ...]:
        """Those that sleep with no timer to wake them; nobody where it could not be read what greenlets wait for."""
        if not any(one.wait is not None and one.wait.kind is not WaitKind.HUB for one in self.now.greenlets):
            return ()
        return tuple(one for one in self.unmoved if one.wait is None and one.stack[-1].normalised == SLEEP)

    def in_circle(self) -> tuple[Greenlet, ...]:
        """Those that wait, through owners who wait themselves, for themselves."""
        return tuple(one for one in self.unmoved if _leads_to_itself(one, self.now))

    def unread(self) -> tuple[Greenlet, ...]:
        """Those that wait to read what has come already, and lay there both times, while the loop had nothing to do."""
        main = self.now.main
        if main is not None and KernelWait.RUNNING in {_kernel_of(look, main).wait for look in (self.first, self.last)}:
            return ()
        return tuple(
            one
            for one in self.unmoved
            if one.wait is not None
            and "read" in one.wait.direction
            and 0 < self.first.unread.get(one.wait.fd, 0) == self.last.unread.get(one.wait.fd, 0)
        )

    def all_waiting(self) -> tuple[Greenlet, ...]:
        """All of the program's greenlets, where each waits for another without a limit, and the loop does nothing.

        A server that nobody calls looks so, too, and one who waits for what begins later: what comes may wake them.
        """
        if self.now.to_come:
            return ()
        if self.now.main is not None and self._waits_in(self.now.main, KernelWait.RUNNING):
            return ()
        own = tuple(one for one in self.own if one.wait is None or one.wait.kind is not WaitKind.HUB)
        waits = [one.wait for one in own if one.wait is not None]
        is_whole = len(waits) == len(own) and len(self.unmoved) == len(self.own)
        is_endless = all(wait.kind in WAITS_FOR_OTHERS and not wait.has_timeout for wait in waits)
        return own if is_whole and is_endless and waits and not self._others_that_may_wake else ()

    @property
    def _others_that_may_wake(self) -> tuple[Greenlet, ...]:
        """Greenlets that only run a library's code, and move or wait for time or an answer: what waits may be for them.

        Locust's users sleep in Locust's own code; a pool's workers may run nothing but ``requests.get``.
        """
        before = {one.id: one for one in self.before.greenlets}
        own = {one.id for one in self.own}
        others = (one for one in self.now.greenlets if one.id not in own and not one.is_hub)
        return tuple(
            one
            for one in others
            if not _is_where_it_was(one, before.get(one.id))
            or one.wait is None
            or one.wait.has_timeout
            or one.wait.kind not in {*WAITS_FOR_OTHERS, WaitKind.HUB}
        )

    def of_unknown_holder(self) -> tuple[Greenlet, ...]:
        """Those that wait for a lock without a limit while others move, and nothing tells who holds it."""
        return tuple(
            one
            for one in self.unmoved
            if one.wait is not None
            and one.wait.kind in {WaitKind.LOCK, WaitKind.SEMAPHORE}
            and not one.wait.has_timeout
        )

    def _found(
        self,
        finding: Finding,
        *,
        stuck: tuple[Greenlet, ...] = (),
        thread: Thread | None = None,
        lock: Lock | None = None,
    ) -> Diagnosis:
        moved = len(self.own) - len(self.unmoved)
        return Diagnosis(finding, self.seconds, self.cores, self.own, stuck, moved, thread, lock, self._gil)

    @property
    def _gil(self) -> Thread | None:
        """The thread that held the GIL at both looks: a process that makes progress hands it round."""
        before, now = self.before.gil_holder, self.now.gil_holder
        is_same = before is not None and now is not None and before.ident == now.ident
        return now if is_same else None


_RULES: Sequence[tuple[Finding, Callable[[_Pair], tuple[Greenlet, ...]]]] = (
    (Finding.FREE_LOCK, _Pair.with_free_lock),
    (Finding.NO_TIMER, _Pair.asleep_without_timer),
    (Finding.CIRCLE, _Pair.in_circle),
    (Finding.UNREAD, _Pair.unread),
    (Finding.ALL_WAIT, _Pair.all_waiting),
    (Finding.HOLDER_UNKNOWN, _Pair.of_unknown_holder),
)
"""What is asked of the greenlets that did not move, the most certain first; the first that finds somebody decides."""


def _is_where_it_was(now: Greenlet, before: Greenlet | None) -> bool:
    """Whether a greenlet stands at the same line and waits for the same thing."""
    if before is None or now.stack != before.stack:
        return False
    if now.wait is None or before.wait is None:
        return now.wait is before.wait
    return (now.wait.kind, now.wait.lock, now.wait.fd) == (before.wait.kind, before.wait.lock, before.wait.fd)


def _innermost(thread: Thread) -> str:
    return thread.stack[-1].normalised if thread.stack else ""


def _kernel_of(look: Look, thread: Thread) -> KernelThread:
    """The thread as the kernel has it; the main one is known without its id."""
    unknown = KernelThread(tid=thread.native_id, is_main=thread.is_main, wait=KernelWait.OTHER)
    same = (one for one in look.threads if (one.is_main if thread.is_main else one.tid == thread.native_id))
    return next(same, unknown)


def _leads_to_itself(one: Greenlet, dump: Dump) -> bool:
    met: set[int] = set()
    at: Greenlet | None = one
    while at is not None and at.id not in met:
        met.add(at.id)
        lock = dump.locks.get(at.wait.lock) if at.wait is not None and not at.wait.has_timeout else None
        at = dump.by_id(lock.holder_greenlet) if lock is not None and lock.is_certain else None
    return at is not None and at.id == one.id
