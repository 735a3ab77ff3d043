"""Who is stuck: users that have been quiet for too long, and what the looks at their stacks make of each.

A user is *suspect* when it has been quiet for half of what it may be, and is looked at from then on; it is *overdue* past
that. Then what it is parked on decides; a lock only when nobody has got it for a while and nobody is about to free it.
"""

from __future__ import annotations

from enum import Enum

from repro.core.judge.locks import PATIENCE_S
from repro.core.judge.memory import ENOUGH_BEATS, Memory, Stuck, attached, load_at
from repro.core.judge.samples import Examination, Parked, ParkedOn, Sample, Slot

FRESH_S = 2.0
"""A look that is older decides nothing: an answer may have come since."""
CEILING_WAITED_FOR_S = 30.0
"""All attempts of an operation are waited for when they end within this; else the end of the first one settles it."""
LATE_S = 4.0
"""A loop that has not turned for so long tells nothing of who sleeps."""
GIVEN_UP_STALLS = 2
"""So many times ``stall_after_s`` a user may still wait for something that others might do, once the load's time is over."""
MOVE_BEATS = 3
"""So often an event loop must turn while a lock's queue stands still: a starved one turns once between two looks."""
ENDLESS = float("inf")


class StuckOn(Enum):
    """What an overdue user is for certain; ``TURNING`` runs on and on while others get on."""

    LOCKED = "locked"
    UNREAD = "unread"
    UNANSWERED = "unanswered"
    TURNING = "turning"
    UNDECIDED = "undecided"


class Suspects:
    """Finds them in a sample, by what the trial's memory holds."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._limits = memory.limits
        self._last_call: dict[tuple[int, int], float] | None = None

    def found(self, sample: Sample) -> list[Stuck]:
        """Who is to be looked at."""
        living = [reading for reading in sample.readings if reading.pid in sample.cpu_s]
        users = [self._user(reading.pid, slot) for reading in living for slot in reading.slots]
        return [
            user
            for user in users
            if (user.slot.busy or user.slot.is_user)
            and sample.now - user.since > _poll_s(user.slot) + (self._limits.stall_after_s + self._memory.crowd_s) / 2
        ]

    def is_overdue(self, user: Stuck, sample: Sample) -> bool:
        """Whether the user has been quiet for longer than its own long poll, and the others' turns, can explain."""
        allowed_s = self._limits.stall_after_s + self._memory.crowd_s
        return sample.now - user.since > _poll_s(user.slot) + allowed_s

    def kind(self, user: Stuck, sample: Sample) -> StuckOn:
        """What an overdue user is for certain."""
        fresh = [look for look in self._memory.looks if look.seen_at(user.pid) > user.since]
        if not fresh or sample.now - fresh[-1].at > FRESH_S:
            return StuckOn.UNDECIDED
        parked = user.parked
        if parked is None or not fresh[-1].answered or parked.on in {ParkedOn.UNKNOWN, ParkedOn.ELSEWHERE}:
            return self._unseen(user, sample)
        if parked.on is ParkedOn.SOCKET:
            return self._on_socket(user, fresh, sample)
        if parked.on in _LOCKS:
            return self._on_lock(user, parked, fresh, sample)
        is_running = all(_seen(look, user) is ParkedOn.RUNNING for look in fresh)
        is_turning = is_running and self._is_given_up(user, sample) and self._memory.burns(sample)
        return StuckOn.TURNING if is_turning else StuckOn.UNDECIDED

    def waited_for(self, sample: Sample) -> list[Stuck]:
        """The users who have not moved since the load's time was over, and do not sleep; empty until then."""
        began, seconds = load_at(sample), self._memory.load.seconds
        if began is None or self._memory.stop_at(sample) is not None:
            return []
        if sample.now - began < seconds:
            return []
        users = [
            Stuck(pid, slot, slot.quiet_since, self._memory.last_look(pid, slot))
            for pid, slot in self._memory.users_in(sample)
        ]
        if self._last_call is None:
            self._last_call = {user.key: user.since for user in users}
        unmoved = [user for user in users if self._last_call.get(user.key) == user.since]
        return [user for user in unmoved if not self._is_excused(user, sample)]

    # What each is

    def _user(self, pid: int, slot: Slot) -> Stuck:
        since = slot.began if slot.busy else slot.quiet_since
        return Stuck(pid, slot, since, self._memory.last_look(pid, slot))

    def _unseen(self, user: Stuck, sample: Sample) -> StuckOn:
        """Of one whose wait is not known, or is for another thread, as for a name to be resolved."""
        if user.slot.busy:
            # A client that is being made, while the program is still importing, asks nobody.
            is_loading = load_at(sample) is None and self._memory.burns(sample)
            is_undecided = is_loading or self._memory.is_loop_silent(sample)
            return StuckOn.UNANSWERED if self._is_over(user, sample) and not is_undecided else StuckOn.UNDECIDED
        is_elsewhere = user.parked is not None and user.parked.on is ParkedOn.ELSEWHERE
        return StuckOn.LOCKED if is_elsewhere and self._is_given_up(user, sample) else StuckOn.UNDECIDED

    def _on_socket(self, user: Stuck, fresh: list[Examination], sample: Sample) -> StuckOn:
        if user.parked is not None and user.parked.unread:
            # It may have come just now, or the loop may be late to hand it over.
            is_lost = len(fresh) > 1 and self._memory.beats_unread(user.key) >= ENOUGH_BEATS
            return StuckOn.UNREAD if is_lost else StuckOn.UNDECIDED
        is_over = (
            self._is_over(user, sample)
            if user.slot.busy
            else self._memory.is_all_quiet(sample) or (user.slot.begun > 0 and self._is_given_up(user, sample))
        )
        return StuckOn.UNANSWERED if is_over else StuckOn.UNDECIDED

    def _on_lock(self, user: Stuck, parked: Parked, fresh: list[Examination], sample: Sample) -> StuckOn:
        """Locked when nobody has got the lock for long enough and none can be due; else what its holder is."""
        before = fresh[0].parked.get(user.key)
        if len(fresh) < 2 or before is None or (before.on, before.lock) != (parked.on, parked.lock):
            return StuckOn.UNDECIDED
        if parked.root is ParkedOn.SOCKET and (holder := self._holder(user, parked, sample)) is not None:
            return self.kind(holder, sample) if self.is_overdue(holder, sample) else StuckOn.UNDECIDED
        return StuckOn.LOCKED if self._is_lock_stuck(user, parked, sample) else StuckOn.UNDECIDED

    def _holder(self, user: Stuck, parked: Parked, sample: Sample) -> Stuck | None:
        """The user that holds what this one waits for, where it has an operation in flight: that has a bound of its own."""
        slots = (slot for reading in sample.readings if reading.pid == user.pid for slot in reading.slots)
        slot = next((slot for slot in slots if slot.busy and slot.number == parked.root_user), None)
        return self._user(user.pid, slot) if slot else None

    def _is_lock_stuck(self, user: Stuck, parked: Parked, sample: Sample) -> bool:
        """Whether nobody has got the lock for long enough, and none can be due.

        A holder may be in a long poll or asleep for a while, a rendezvous may still wait for users that are being spawned.
        """
        memory, stall_s = self._memory, self._limits.stall_after_s
        longest_poll_s = max((slot.poll_s for _, slot in self._memory.users_in(sample) if slot.busy), default=0.0)
        is_spawning = not user.slot.busy and sample.now - memory.users_grew_at < stall_s
        if sample.now - user.since <= stall_s + longest_poll_s or is_spawning:
            return False
        if parked.has_timeout:
            is_past = parked.left_s == ENDLESS or memory.locks.is_renewed(user.key, sample.now)
            return is_past and memory.is_all_quiet(sample)
        if parked.on is ParkedOn.EVENT and not user.slot.busy:
            is_hopeless = memory.is_all_quiet(sample) and user.pid not in memory.looks[-1].stirring
            return is_hopeless or self._is_given_up(user, sample)
        watch = memory.locks.of(parked.lock)
        if watch is None:
            return True  # nothing that could wake it, in two looks
        unchanged_s = memory.looks[-1].at - watch.since - memory.crowd_s
        # A loop that hardly turned has given the lock to nobody, and could not have.
        has_turned = watch.beats >= MOVE_BEATS
        if parked.root in _MAY_GET_ON or self._gets_on_inside(user, parked, sample):
            return has_turned and unchanged_s >= stall_s and self._is_given_up(user, sample)
        return has_turned and sample.now > watch.may_be_freed_until and unchanged_s >= stall_s / 2

    def _gets_on_inside(self, user: Stuck, parked: Parked, sample: Sample) -> bool:
        """Whether the user that stands in the lock's block has done something lately: then it will leave it one day."""
        since = self._memory.quiet_since.get((user.pid, parked.inside or 0))
        return since is not None and sample.now - since <= self._limits.stall_after_s

    def _is_over(self, user: Stuck, sample: Sample) -> bool:
        """Whether an operation in flight is past what it may take by its own limits."""
        slot = user.slot
        finite = [limit for limit in (slot.poll_s, slot.attempt_s) if limit != ENDLESS]
        all_s = min(slot.ceiling_s, CEILING_WAITED_FOR_S) if finite[1:] else 0.0
        return sample.now - user.since > self._limits.stall_after_s + self._memory.crowd_s + max(*finite, all_s, 0.0)

    def _is_given_up(self, user: Stuck, sample: Sample) -> bool:
        """Whether the load's time is over, this user has long not moved, and nobody who works for it has either."""
        began, stall_s = load_at(sample), self._limits.stall_after_s
        if began is None or self._memory.stop_at(sample) is not None:
            return False
        nearly_over_at = began + self._memory.load.seconds - stall_s  # a stall's time past the end there has to be
        return sample.now - max(user.since, self._memory.others_at, nearly_over_at) > GIVEN_UP_STALLS * stall_s

    def _is_excused(self, user: Stuck, sample: Sample) -> bool:
        """Whether it waits for time alone, or for others who work, by a look since it last moved, while the loop turns."""
        memory, parked = self._memory, user.parked
        is_late = any(sample.now - reading.loop_at > LATE_S for reading in attached(sample))
        if parked is None or is_late or memory.looks[-1].seen_at(user.pid) <= user.since:
            return False
        is_helped = parked.on is ParkedOn.EVENT and not user.slot.busy and memory.others_at > user.since
        is_patient = parked.has_timeout and PATIENCE_S < parked.left_s < ENDLESS
        is_computing = parked.on is ParkedOn.RUNNING and not memory.burns(sample)
        is_listener = parked.on is ParkedOn.SOCKET and not user.slot.begun  # it never did anything but listen
        return parked.on is ParkedOn.TIMER or is_helped or is_patient or is_computing or is_listener


_MAY_GET_ON = frozenset({ParkedOn.ELSEWHERE, ParkedOn.UNKNOWN, ParkedOn.RUNNING, ParkedOn.EVENT, ParkedOn.SOCKET})
_LOCKS = frozenset({ParkedOn.LOCK, ParkedOn.EVENT, ParkedOn.NOTHING})


def _seen(look: Examination, user: Stuck) -> ParkedOn | None:
    parked = look.parked.get(user.key)
    return parked.on if parked else None


def _poll_s(slot: Slot) -> float:
    return slot.poll_s if slot.busy else 0.0
