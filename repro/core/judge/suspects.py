"""Who is stuck: users that have been quiet for too long, and what the looks at their stacks make of each.

A user is *suspect* once it has been quiet for half of its allowed time, and its stack is looked at from then on; past
the full time it is *overdue*. Then what it is parked on decides: docs/explanation/verdicts.md has the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from repro.core.judge.lock_rules import ENDLESS, is_lock_stuck
from repro.core.judge.locks import PATIENCE_S
from repro.core.judge.now import ENOUGH_BEATS, Now, Stuck
from repro.core.judge.samples import Examination, Parked, ParkedOn, Slot

FRESH_S = 2.0
"""A look that is older decides nothing: an answer may have come since."""
CEILING_WAITED_FOR_S = 30.0
"""All attempts of an operation are waited for when they end within this; else the end of the first one settles it."""
LATE_S = 4.0
"""A loop that has not turned for this long tells nothing of who sleeps."""
STOPPED_WITHIN_S = 4.0
"""Whoever has done something within this long before the stop was not stuck by then."""


class StuckOn(Enum):
    """What an overdue user is for certain; ``TURNING`` runs without an end while others make progress.

    ``QUEUED`` has waited for an answer as long as others had who were answered lately.
    """

    LOCKED = "locked"
    UNREAD = "unread"
    UNANSWERED = "unanswered"
    QUEUED = "queued"
    TURNING = "turning"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Suspects:
    """Those of one sample."""

    now: Now

    @cached_property
    def found(self) -> tuple[Stuck, ...]:
        """Who is to be looked at."""
        suspect_s = self.now.quiet_s / 2
        return tuple(
            self._user(reading.pid, slot)
            for reading in self.now.sample.living
            for slot in reading.slots
            if (slot.busy or slot.is_user) and self.now.at - _since(slot) > _poll_s(slot) + suspect_s
        )

    @cached_property
    def overdue(self) -> tuple[Stuck, ...]:
        """Who has been quiet for longer than its own long poll, and the others' turns, can explain."""
        return tuple(user for user in self.found if self._is_overdue(user))

    @cached_property
    def certain(self) -> tuple[tuple[Stuck, StuckOn], ...]:
        """Who is stuck for certain, and what each is."""
        return tuple((user, kind) for user, kind in self._kinds if kind not in _MAY_MOVE)

    @cached_property
    def queued(self) -> tuple[Stuck, ...]:
        """Who has waited for an answer for longer than its limits, as others who were answered had."""
        return tuple(user for user, kind in self._kinds if kind is StuckOn.QUEUED)

    @cached_property
    def unserved(self) -> tuple[Stuck, ...]:
        """Who is unanswered because the backend has not taken the request, by the last look."""
        return tuple(
            user
            for user, kind in self._kinds
            if kind is StuckOn.UNANSWERED and user.parked is not None and user.parked.is_unserved
        )

    @cached_property
    def _kinds(self) -> tuple[tuple[Stuck, StuckOn], ...]:
        return tuple((user, self._kind(user)) for user in self.overdue if not self._is_stopping(user))

    @cached_property
    def waited_for(self) -> tuple[Stuck, ...]:
        """The users who have not moved since the load's time was over, and do not sleep; empty until then."""
        last_call = self.now.last_call
        if last_call is None or not self.now.is_load_over:
            return ()
        unmoved = (user for user in self.now.users if last_call.get(user.key) == user.since)
        return tuple(user for user in unmoved if not self._is_excused(user))

    # What each is

    def _user(self, pid: int, slot: Slot) -> Stuck:
        return self.now.user(pid, slot, _since(slot))

    def _is_overdue(self, user: Stuck) -> bool:
        return self.now.own_s(user.since) > _poll_s(user.slot) + self.now.quiet_s

    def _is_stopping(self, user: Stuck) -> bool:
        """Whether it made progress until it was told to stop: if it hangs, it is unstoppable."""
        stop_at = self.now.stop_at
        return stop_at is not None and user.since > stop_at - STOPPED_WITHIN_S

    def _kind(self, user: Stuck) -> StuckOn:
        """What an overdue user is for certain."""
        fresh = self._fresh_looks(user)
        if not fresh:
            return StuckOn.UNDECIDED
        parked = user.parked
        if parked is None or not fresh[-1].answered or parked.on in _UNSEEN:
            return self._unseen(user)
        if parked.on is ParkedOn.SOCKET:
            return self._on_socket(user, parked, fresh)
        if parked.on in _LOCKS:
            return self._on_lock(user, parked, fresh)
        # A timer rings one day; who runs is only turning when it did at each look, long after the load.
        is_running = all(_seen(look, user) is ParkedOn.RUNNING for look in fresh)
        is_turning = is_running and self.now.is_given_up(user) and self.now.burns
        return StuckOn.TURNING if is_turning else StuckOn.UNDECIDED

    def _fresh_looks(self, user: Stuck) -> list[Examination]:
        """The looks that show it as it is: since it last moved, the last one just now; empty where there are none."""
        looks = [look for look in self.now.looks.latest if look.seen_at(user.pid) > user.since]
        return looks if looks and self.now.at - looks[-1].at <= FRESH_S else []

    def _unseen(self, user: Stuck) -> StuckOn:
        """Of one whose wait is not known, or is for another thread, as for a name to be resolved."""
        if user.slot.busy:
            # A client that is being made, while the program is still importing, asks nobody.
            is_loading = self.now.load_at is None and self.now.burns
            is_undecided = is_loading or self.now.is_loop_silent
            return self._in_vain(user) if self._is_over(user) and not is_undecided else StuckOn.UNDECIDED
        is_elsewhere = user.parked is not None and user.parked.on is ParkedOn.ELSEWHERE
        return StuckOn.LOCKED if is_elsewhere and self.now.is_given_up(user) else StuckOn.UNDECIDED

    def _on_socket(self, user: Stuck, parked: Parked, fresh: list[Examination]) -> StuckOn:
        if parked.unread:
            # It may have come just now, or the loop may be late to hand it over.
            is_lost = len(fresh) > 1 and self.now.looks.beats_unread(user.key) >= ENOUGH_BEATS
            return StuckOn.UNREAD if is_lost else StuckOn.UNDECIDED
        if user.slot.busy:
            # Before its request left it may have stood in line for long, for a connection or a name to be resolved.
            is_unanswered = self._is_past(user, max(user.since, self.now.looks.in_line_at.get(user.key, 0.0)))
        else:  # who waits outside of any operation has no bound of its own, and may only listen
            has_ever_called = user.slot.begun > 0
            is_unanswered = self.now.is_all_quiet or (has_ever_called and self.now.is_given_up(user))
        return self._in_vain(user) if is_unanswered else StuckOn.UNDECIDED

    def _in_vain(self, user: Stuck) -> StuckOn:
        """What one is that has waited for an answer for longer than its limits: the others may have to wait as long."""
        return StuckOn.QUEUED if user.slot.busy and self.now.is_in_queue(user) else StuckOn.UNANSWERED

    def _on_lock(self, user: Stuck, parked: Parked, fresh: list[Examination]) -> StuckOn:
        """Locked when nobody has got the lock for long enough and none can be due; else what its holder is."""
        # One look shows only that it waits; two, at the same lock, that it still does.
        before = fresh[0].parked.get(user.key)
        if len(fresh) < 2 or before is None or (before.on, before.lock) != (parked.on, parked.lock):
            return StuckOn.UNDECIDED
        holder = self._calling_holder(user, parked)
        if holder is not None:
            return self._kind(holder) if self._is_overdue(holder) else StuckOn.UNDECIDED
        return StuckOn.LOCKED if is_lock_stuck(self.now, user, parked) else StuckOn.UNDECIDED

    def _calling_holder(self, user: Stuck, parked: Parked) -> Stuck | None:
        """The user that holds what this one waits for, where it has an operation in flight, with its own bound."""
        if parked.root is not ParkedOn.SOCKET:
            return None
        slots = (slot for reading in self.now.sample.readings if reading.pid == user.pid for slot in reading.slots)
        slot = next((slot for slot in slots if slot.busy and slot.number == parked.root_user), None)
        return self._user(user.pid, slot) if slot else None

    def _is_over(self, user: Stuck) -> bool:
        """Whether an operation in flight is past what it may take by its own limits."""
        return self._is_past(user, user.since)

    def _is_past(self, user: Stuck, since: float) -> bool:
        slot = user.slot
        finite = [limit for limit in (slot.poll_s, slot.attempt_s) if limit != ENDLESS]
        all_s = min(slot.ceiling_s, CEILING_WAITED_FOR_S) if finite[1:] else 0.0
        return self.now.own_s(since) > self.now.quiet_s + max(*finite, all_s, 0.0)

    def _is_excused(self, user: Stuck) -> bool:
        """Whether it waits for time alone, or for others that work, by a look since it last moved."""
        parked, last = user.parked, self.now.looks.last
        if parked is None or last is None or self._is_loop_late or not self._is_known_still(user, parked, last):
            return False
        helped_at = self.now.helpers.helped_at(user.key)
        is_helped = parked.on is ParkedOn.EVENT and not user.slot.busy and helped_at > user.since
        is_patient = parked.has_timeout and PATIENCE_S < parked.left_s < ENDLESS
        is_computing = parked.on is ParkedOn.RUNNING and not self.now.burns
        is_listener = parked.on is ParkedOn.SOCKET and not user.slot.begun  # it never did anything but listen
        return parked.on is ParkedOn.TIMER or is_helped or is_patient or is_computing or is_listener

    def _is_known_still(self, user: Stuck, parked: Parked, last: Examination) -> bool:
        """Whether the last look shows it as it is now: seen after the load's time, or in a sleep that is not over yet.

        One that slept when it was looked at earlier may have woken since, and wait for what never comes.
        """
        seen_at, load_at = last.seen_at(user.pid), self.now.load_at
        if seen_at <= user.since:
            return False
        is_after_load = load_at is not None and seen_at >= load_at + self.now.load.seconds
        return is_after_load or self.now.at <= seen_at + parked.left_s < ENDLESS

    @cached_property
    def _is_loop_late(self) -> bool:
        return any(self.now.at - reading.loop_at > LATE_S for reading in self.now.attached)


_MAY_MOVE = frozenset({StuckOn.UNDECIDED, StuckOn.QUEUED})
_UNSEEN = frozenset({ParkedOn.UNKNOWN, ParkedOn.ELSEWHERE})
_LOCKS = frozenset({ParkedOn.LOCK, ParkedOn.EVENT, ParkedOn.NOTHING})


def _since(slot: Slot) -> float:
    """Since when it has done nothing: its operation began, or it was last seen to do something."""
    return slot.began if slot.busy else slot.quiet_since


def _poll_s(slot: Slot) -> float:
    return slot.poll_s if slot.busy else 0.0


def _seen(look: Examination, user: Stuck) -> ParkedOn | None:
    parked = look.parked.get(user.key)
    return parked.on if parked else None
