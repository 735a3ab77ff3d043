"""The table for a user that waits for a lock, an event or nothing: whether it will ever get it.

The first row that applies decides. None is about time alone: a wait that somebody may still end is not stuck.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from repro.core.judge.locks import LockWatch
from repro.core.judge.now import Now, Stuck
from repro.core.judge.samples import Parked, ParkedOn

MOVE_BEATS = 3
"""So often an event loop must turn while a lock's queue stands still: a starved one turns once between two looks."""
ENDLESS = float("inf")


@dataclass(frozen=True)
class WaitingUser:
    """A user that two looks found at the same lock, and what the rows ask of it."""

    now: Now
    user: Stuck
    parked: Parked

    @property
    def is_explained(self) -> bool:
        """Whether it waits no longer than a holder's long poll may take."""
        return self._waited_s <= self._stall_s + self.now.crowd.longest_poll_s

    @property
    def may_wait_for_newcomers(self) -> bool:
        """Whether users were added lately, without whom a rendezvous is not complete."""
        return not self.user.slot.busy and self.now.own_s(self.now.crowd.grew_at) < self._stall_s

    @property
    def has_begun_again(self) -> bool:
        """Whether its timeout has passed, and it still waits; one whose end is not known counts so too."""
        return self.parked.left_s == ENDLESS or self.now.looks.locks.is_renewed(self.user.key, self.now.at)

    @property
    def waits_for_an_event(self) -> bool:
        """Whether somebody has to set it, who need not hold anything: an event, a queue, another greenlet."""
        return self.parked.on is ParkedOn.EVENT and not self.user.slot.busy

    @property
    def is_helped_now(self) -> bool:
        """Whether a greenlet that it spawned is in an operation, which has its own bound."""
        return self.waits_for_an_event and self.user.key in self.now.crowd.helped_now

    @property
    def may_nobody_set_it(self) -> bool:
        """Whether nobody in the trial makes progress, and no greenlet of the program wakes up soon."""
        last = self.now.looks.last
        return self.now.is_all_quiet and last is not None and self.user.pid not in last.stirring

    @property
    def is_given_up(self) -> bool:
        """Whether the load has long been over, and still nobody has made progress that it may wait for."""
        return self.now.is_given_up(self.user)

    @cached_property
    def watch(self) -> LockWatch | None:
        """What the looks have shown of the lock."""
        return self.now.looks.locks.of(self.parked.lock)

    @property
    def may_holder_go_on(self) -> bool:
        """Whether the holder computes, waits for a thread, an event or an answer, or makes progress in its block."""
        return self.parked.root in _MAY_GET_ON or self._gets_on_inside

    @property
    def is_timer_over(self) -> bool:
        """Whether a holder that sleeps should have woken up."""
        return self.watch is not None and self.now.at > self.watch.may_be_freed_until

    def has_stood(self, stalls: float) -> bool:
        """Whether the queue has not moved for so many stalls, though the loop turned often enough to move it."""
        last, watch = self.now.looks.last, self.watch
        if last is None or watch is None or watch.beats < MOVE_BEATS:
            return False
        unseen_s = self.now.at - last.at
        return self.now.own_s(watch.since) - unseen_s - self.now.crowd_s >= self._stall_s * stalls

    @property
    def _gets_on_inside(self) -> bool:
        """Whether the user that stands in the lock's block has done something lately: then it will leave it one day."""
        since = self.now.crowd.quiet_since.get((self.user.pid, self.parked.inside or 0))
        return since is not None and self.now.own_s(since) <= self._stall_s

    @property
    def _waited_s(self) -> float:
        return self.now.own_s(self.user.since)

    @property
    def _stall_s(self) -> float:
        return self.now.limits.stall_after_s


@dataclass(frozen=True)
class LockRow:
    """One row: which waits it is for, and when such a wait is stuck."""

    applies: Callable[[WaitingUser], bool]
    is_stuck: Callable[[WaitingUser], bool]


LOCK_TABLE = (
    # The holder may be in a long poll, which is silent by design.
    LockRow(lambda w: w.is_explained, lambda _: False),
    # A rendezvous waits for users that are still being spawned.
    LockRow(lambda w: w.may_wait_for_newcomers, lambda _: False),
    # A timeout ends the wait: it is stuck only when it begins again each time, and nobody in the trial makes progress.
    LockRow(lambda w: w.parked.has_timeout, lambda w: w.has_begun_again and w.now.is_all_quiet),
    # A helper of its own is still at work, and is judged by what its operation may take.
    LockRow(lambda w: w.is_helped_now, lambda _: False),
    # Anybody may set an event, helpers included: none will once nobody does anything, or the load is over for long.
    LockRow(lambda w: w.waits_for_an_event, lambda w: w.may_nobody_set_it or w.is_given_up),
    # Parked on nothing that could wake it, in two looks.
    LockRow(lambda w: w.watch is None, lambda _: True),
    # A holder that computes or gets an answer will release it; if it has not long after the load, it never will.
    LockRow(lambda w: w.may_holder_go_on, lambda w: w.has_stood(stalls=1) and w.is_given_up),
    # Any other holder: one that sleeps is waited for until its timer fires; a cycle, or an owner that ended, is not.
    LockRow(lambda _: True, lambda w: w.has_stood(stalls=0.5) and w.is_timer_over),
)
"""The order matters: what explains the wait stands first, then what ends it without a holder, then who holds it."""

_MAY_GET_ON = frozenset({ParkedOn.ELSEWHERE, ParkedOn.UNKNOWN, ParkedOn.RUNNING, ParkedOn.EVENT, ParkedOn.SOCKET})


def is_lock_stuck(now: Now, user: Stuck, parked: Parked) -> bool:
    """Whether nobody has got the lock for long enough, and none can be due."""
    waiting = WaitingUser(now, user, parked)
    return next(row.is_stuck(waiting) for row in LOCK_TABLE if row.applies(waiting))
