"""What is followed from sample to sample, one record for one thing: each is made anew by ``after`` a sample.

``ProgressMade``: when anybody last ended an operation. ``Crowd``: who is there. ``StopOrder``: whom the stop has
reached. ``Loops``: which event loop stands. ``Helpers``: what greenlets do that are not users. ``Processor``: what
burns. ``Turns``: how long who was answered had waited. ``Starvation``: for how long no processor was free.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from repro.core.judge.samples import Key, Reading, Sample, Slot

DECLINE_S = 1.0
"""Over less than this a pace, or a share of a core, is noise."""
HISTORY_S = 60.0
PACE_S = 10.0
TURNS_S = 20.0
ENOUGH_ENDS = 3
"""Seconds for which it is remembered how long those had waited who were answered."""
LONGEST_GAP_S = 0.5
"""A gap between two samples counts as at most so much of standing: on a busy machine who samples is starved too, and
saw nothing in between."""
LONGEST_DUMP_S = 15.0
"""A loop that has written the stacks of its users for less does not stand: the agent stops after four seconds."""

MOST_DENIED = 0.95
"""At most so much of the time is let off: on the busiest machine a hang is found within twenty times its time."""
MOST_MOMENTS = 4000
"""So many moments are kept, a quarter of an hour at the least; what was before counts in full."""


@dataclass(frozen=True)
class ProgressMade:
    """How many operations have ended, when the last one did (``at``), and at which pace.

    ``dumped_s`` are the seconds for which a loop has written stacks for us, ``dumped_before_s`` those up to ``at``.
    """

    ended: int = 0
    at: float = 0.0
    paces: tuple[tuple[float, int], ...] = ()
    dumped_s: float = 0.0
    dumped_before_s: float = 0.0

    def after(self, sample: Sample) -> ProgressMade:
        """Operations that ended, by the totals and by the slots, and the load's own begin are progress."""
        ended = sum(reading.ended for reading in sample.readings)
        counted_at = sample.now if not self.paces or ended != self.ended else self.at
        last_end = max((slot.last_end for reading in sample.readings for slot in reading.slots), default=0.0)
        at = max(counted_at, last_end, sample.load_at or 0.0)
        dumped_s = max((_dumped_s(reading, sample.now) for reading in sample.readings), default=0.0)
        has_moved = at > counted_at or at == sample.now
        return ProgressMade(
            ended=ended,
            at=at,
            paces=(*(pace for pace in self.paces if pace[0] > sample.now - PACE_S), (sample.now, ended)),
            dumped_s=dumped_s,
            dumped_before_s=dumped_s if has_moved else self.dumped_before_s,
        )

    @property
    def held_up_s(self) -> float:
        """Seconds since an operation last ended in which none could, because the loop wrote stacks for us."""
        return self.dumped_s - self.dumped_before_s

    def mean_s(self, in_flight: int) -> float:
        """An operation's mean by Little's law: those in flight over those that end each second; 0 where none ends."""
        (then, before), (now, ended) = self.paces[0], self.paces[-1]
        if ended <= before or now - then < DECLINE_S:
            return 0.0
        return in_flight * (now - then) / (ended - before)


@dataclass(frozen=True)
class Crowd:
    """The living users with their processes, and when there were last fewer and more of them.

    Where the scenario has never had any, everybody counts that is in an operation. ``fell_beats`` is how often each
    loop had turned when the last user went. ``helpers`` are the greenlets that a living user spawned, and that are in
    an operation: it is their user's.
    """

    users: tuple[tuple[int, Slot], ...] = ()
    helpers: tuple[tuple[int, Slot], ...] = ()
    has_users: bool = False
    fell_at: float = 0.0
    fell_beats: Mapping[int, int] = field(default_factory=dict)
    grew_at: float = 0.0

    def after(self, sample: Sample) -> Crowd:
        """Who is there now."""
        everybody = [(reading.pid, slot) for reading in sample.living for slot in reading.slots]
        has_users = self.has_users or any(slot.is_user for reading in sample.readings for slot in reading.slots)
        users = tuple(user for user in everybody if (user[1].is_user if has_users else user[1].busy))
        keys = {(pid, slot.number) for pid, slot in users}
        helpers = tuple((pid, slot) for pid, slot in everybody if slot.busy and (pid, slot.owner) in keys)
        has_fallen, has_grown = len(users) < len(self.users), len(users) > len(self.users)
        return Crowd(
            users=users,
            helpers=helpers,
            has_users=has_users,
            fell_at=sample.now if has_fallen else self.fell_at,
            fell_beats=sample.loop_beats if has_fallen else self.fell_beats,
            grew_at=sample.now if has_grown else self.grew_at,
        )

    @cached_property
    def in_flight(self) -> int:
        """The operations under way."""
        return len(self.busy)

    @cached_property
    def busy(self) -> tuple[tuple[int, Slot], ...]:
        """Who is in an operation: users, and their helpers."""
        return (*(user for user in self.users if user[1].busy), *self.helpers)

    @cached_property
    def longest_poll_s(self) -> float:
        """The longest that an operation in flight may be silent by its long poll."""
        return max((slot.poll_s for _, slot in self.busy), default=0.0)

    @cached_property
    def helped_now(self) -> frozenset[Key]:
        """The users a helper of whom is in an operation."""
        return frozenset((pid, slot.owner) for pid, slot in self.helpers)

    @cached_property
    def quiet_since(self) -> dict[Key, float]:
        """When each user was last seen to do something."""
        return {(pid, slot.number): slot.quiet_since for pid, slot in self.users}


@dataclass(frozen=True)
class StopOrder:
    """How often each loop had turned when all users had been told to stop, and how many they were; empty until then."""

    beats: Mapping[int, int] = field(default_factory=dict)
    users: int = 0

    def after(self, sample: Sample, crowd: Crowd, *, is_stopping: bool) -> StopOrder:
        """A user that appears, and was not told, takes the order back."""
        is_told = is_stopping and all(slot.killed for _, slot in crowd.users if slot.is_user)
        if not is_told:
            return replace(self, beats={})
        return self if self.beats else StopOrder(sample.loop_beats, len(crowd.users))


@dataclass(frozen=True)
class Loops:
    """When each event loop last turned, and for how many seconds it has been seen to stand since, by process."""

    turned_at: Mapping[int, float] = field(default_factory=dict)
    stood_s: Mapping[int, float] = field(default_factory=dict)
    sampled_at: float | None = None

    def after(self, sample: Sample) -> Loops:
        """A loop that has turned meanwhile begins at nothing."""
        gap_s = min(sample.now - self.sampled_at, LONGEST_GAP_S) if self.sampled_at is not None else 0.0
        turned_at = {reading.pid: reading.turned_at for reading in sample.attached}
        stood_s = {
            pid: self.stood_s.get(pid, 0.0) + gap_s if at == self.turned_at.get(pid) else 0.0
            for pid, at in turned_at.items()
        }
        return Loops(turned_at, stood_s, sample.now)


@dataclass(frozen=True)
class Turns:
    """The operations that ended lately, by sample: when, how many, and for how many seconds they had waited in all.

    Of one that ends and the next one begins between two samples, it is what had passed at the second of them.
    """

    waiting: Mapping[Key, float] = field(default_factory=dict)
    ended: tuple[tuple[float, int, float], ...] = ()

    def after(self, sample: Sample, crowd: Crowd) -> Turns:
        """An operation has ended when its user is in another one, or in none; one whose user has gone has not."""
        now, before = sample.now, self.waiting
        took_s = [
            _ended_at(slot, now) - before[pid, slot.number]
            for pid, slot in (*crowd.users, *crowd.helpers)
            if _has_ended(before, pid, slot)
        ]
        waiting = {(pid, slot.number): slot.began for pid, slot in crowd.busy}
        kept = tuple(entry for entry in self.ended if entry[0] > now - TURNS_S)
        return Turns(waiting, (*kept, (now, len(took_s), sum(took_s))) if took_s else kept)

    @cached_property
    def pace(self) -> float:
        """How many ended a second, from the first of them to the last; 0 where that cannot be told."""
        if len(self.ended) < ENOUGH_ENDS:
            return 0.0
        (begins, first, _), (ends, _, _) = self.ended[0], self.ended[-1]
        return (sum(count for _, count, _ in self.ended) - first) / (ends - begins)

    @cached_property
    def mean_s(self) -> float:
        """What one of them had waited in the mean; 0 where none has ended."""
        count = sum(count for _, count, _ in self.ended)
        return sum(took_s for _, _, took_s in self.ended) / count if count else 0.0


def _has_ended(waiting: Mapping[Key, float], pid: int, slot: Slot) -> bool:
    began = waiting.get((pid, slot.number))
    return began is not None and not (slot.busy and slot.began == began)


def _ended_at(slot: Slot, now: float) -> float:
    """When the operation before ended: known where none has begun since."""
    return now if slot.busy else max(slot.last_end, slot.began)


@dataclass(frozen=True)
class Helpers:
    """The operations that nobody's helpers have ended, and when they last ended one (``at``): they may help anybody.

    ``of`` is the same for the helpers of each user, which help that one alone.
    """

    ended: int = 0
    at: float = 0.0
    of: Mapping[Key, tuple[int, float]] = field(default_factory=dict)

    def after(self, sample: Sample, crowd: Crowd) -> Helpers:
        """Less is a change, too: a user that went took its share along."""
        everything = sum(reading.ended for reading in sample.readings)
        ended = everything - sum(slot.ended + slot.helped for _, slot in crowd.users)
        of = {
            (pid, slot.number): self._own(slot, (pid, slot.number), sample.now)
            for pid, slot in crowd.users
            if slot.helped
        }
        return Helpers(ended, sample.now if ended != self.ended else self.at, of)

    def helped_at(self, key: Key) -> float:
        """When a helper that may help this user last ended an operation."""
        return max(self.at, self.of.get(key, (0, 0.0))[1])

    def _own(self, slot: Slot, key: Key, now: float) -> tuple[int, float]:
        before = self.of.get(key)
        return before if before is not None and before[0] == slot.helped else (slot.helped, now)


@dataclass(frozen=True)
class Processor:
    """The processor time that each process had used, sample by sample, the last one last."""

    history: tuple[tuple[float, Mapping[int, float]], ...] = ()

    def after(self, sample: Sample) -> Processor:
        """The last minute of it."""
        kept = (entry for entry in self.history if entry[0] > sample.now - HISTORY_S)
        return Processor((*kept, (sample.now, dict(sample.cpu_s))))

    def cores(self, since: float, *, pids: Collection[int] = ()) -> float:
        """The processor time a second that the busiest process, of ``pids`` where given, has used since then."""
        now, used_s = self.history[-1]
        old = [entry for entry in self.history if now - entry[0] >= DECLINE_S]
        if now - since < DECLINE_S or not old:
            return 0.0
        # Where nothing was sampled for a while since then, the sample before that gap counts.
        then, before = next((entry for entry in old if entry[0] >= since), old[-1])
        used = [cpu - before[pid] for pid, cpu in used_s.items() if pid in before and pid in (pids or before)]
        return max(used, default=0.0) / (now - then)


@dataclass(frozen=True)
class Starvation:
    """For how long processes stood in the kernel's queue for a core by moments of the past: the one that stood longest.

    What a process had to do in that time it had no chance to do. One that is parked, in a lock or at a socket, asks for
    no core, and so is never denied one: its time is the clock's.
    """

    history: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    last: Mapping[int, float] = field(default_factory=dict)

    def after(self, now: float, denied_s: Mapping[int, float]) -> Starvation:
        """With what each process has waited by now; one that is new counts from here on."""
        more_s = max((seconds - self.last.get(pid, seconds) for pid, seconds in denied_s.items()), default=0.0)
        if more_s <= 0.0:
            return replace(self, last=denied_s)
        return Starvation((*self.history[-MOST_MOMENTS:], (now, self.history[-1][1] + more_s)), denied_s)

    def own_s(self, since: float, now: float) -> float:
        """Seconds since then that count: in which who asked for a processor had one, and a small part of the others."""
        at = bisect_right(self.history, (since, float("inf"))) - 1
        denied_s = self.history[-1][1] - self.history[max(at, 0)][1]
        return (now - since) - min(denied_s, MOST_DENIED * (now - since))


def _dumped_s(reading: Reading, now: float) -> float:
    """Seconds for which a loop has written stacks so far, the ones that it writes now included."""
    return reading.dumped_s + (min(now - reading.dumping_at, LONGEST_DUMP_S) if reading.dumping_at else 0.0)
