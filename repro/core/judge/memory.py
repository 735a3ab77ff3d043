"""What a trial has shown so far: what the judge keeps from sample to sample, and what can be told from it at a moment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from repro.core.judge.locks import LockBook
from repro.core.judge.samples import Examination, Parked, Reading, Sample, Slot, Standing
from repro.core.judge.table import STANDING_CORES
from repro.model import Limits

BURNS_FOR_S = 2.0
DECLINE_S = 1.0
HISTORY_S = 60.0
PACE_S = 10.0
CROWD_TURNS = 4.0
MOST_CROWD_S = 60.0
ROUND_A_USER_S = 0.005
"""Seconds of a core that one user may need each time that the event loop comes round to it, on a machine with other work."""
SEEN_STANDING_S = 1.2
LONGEST_GAP_S = 0.5
"""A loop must have been seen to stand for so long, a gap between two samples counting as at most half a second: whoever samples
is starved too on a busy machine, and saw nothing in between."""
LONGEST_DUMP_S = 15.0
"""So long a loop may write the stacks of its users, which is no standing still: the agent stops after four seconds of its own."""
TOLD_A_BEAT = 12
"""So many users are reached by a stop between two beats of a starved loop: gevent gives way to others after fifty callbacks, and
a kill takes four."""
ENOUGH_BEATS = 5
"""So often an event loop must turn before what it was to hand over must have arrived; it does within a second, unless it is starved."""


@dataclass(frozen=True)
class Stuck:
    """A user that is stuck: its process, its slot, since when, and what it is parked on where that is known."""

    pid: int
    slot: Slot
    since: float
    parked: Parked | None = None

    @property
    def key(self) -> tuple[int, int]:
        """What tells it from the others."""
        return self.pid, self.slot.number


@dataclass(frozen=True)
class Unread:
    """Bytes that lie unread in a user's socket: how many, since which beat of the event loop, and when that was first seen."""

    size: int
    beats: int
    seen_at: float


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the judge must know of a cell: its seconds of load, whether a fault is between client and backend."""

    seconds: float
    users: int
    is_faulted: bool = False


@dataclass
class Memory:
    """What is kept from sample to sample; ``others_at`` is when somebody who is no user last ended an operation."""

    limits: Limits
    load: Load
    began: float | None = None
    asked_stop: float | None = None
    ended: int = 0
    progress_at: float = 0.0
    cpu: list[tuple[float, dict[int, float]]] = field(default_factory=list)
    looks: list[Examination] = field(default_factory=list)
    locks: LockBook = field(default_factory=LockBook)
    unread: dict[tuple[int, int], Unread] = field(default_factory=dict)
    told_beats: dict[int, int] = field(default_factory=dict)
    told_users: int = 0
    fell_beats: dict[int, int] = field(default_factory=dict)
    unturned: dict[int, tuple[float, float]] = field(default_factory=dict)
    gap_s: float = 0.0
    overflows_before: int = 0
    dumped_s: float = 0.0
    dumped_before_s: float = 0.0
    has_users: bool = False
    quiet_since: dict[tuple[int, int], float] = field(default_factory=dict)
    users: int = 0
    users_fell_at: float = 0.0
    users_grew_at: float = 0.0
    others: int = 0
    others_at: float = 0.0
    starters_died_at: float | None = None
    paces: list[tuple[float, int]] = field(default_factory=list)
    in_flight: int = 0

    def remember(self, sample: Sample) -> None:
        """Take a sample."""
        if self.began is None:
            self.began = self.progress_at = sample.now
            self.overflows_before = sample.backend.overflows
        ended = sum(reading.ended for reading in sample.readings)
        if ended != self.ended:
            self.progress_at = sample.now
        last_end = max((slot.last_end for reading in sample.readings for slot in reading.slots), default=0.0)
        before = self.progress_at
        self.progress_at = max(before, last_end, load_at(sample) or 0.0)
        self.dumped_s = max((_dumped_s(reading, sample.now) for reading in sample.readings), default=0.0)
        if self.progress_at > before or self.progress_at == sample.now:
            self.dumped_before_s = self.dumped_s
        self.ended = ended
        self.gap_s = sample.now - self.paces[-1][0] if self.paces else 0.0
        self.paces = [pace for pace in self.paces if pace[0] > sample.now - PACE_S]
        self.paces.append((sample.now, ended))
        self.cpu = [entry for entry in self.cpu if entry[0] > sample.now - HISTORY_S]
        self.cpu.append((sample.now, dict(sample.cpu_s)))
        self.has_users |= any(slot.is_user for reading in sample.readings for slot in reading.slots)
        users = self.users_in(sample)
        self.in_flight = sum(1 for _, slot in users if slot.busy)
        if len(users) < self.users:
            self.users_fell_at = sample.now
            self.fell_beats = {reading.pid: reading.loop_beats for reading in sample.readings}
        if len(users) > self.users:
            self.users_grew_at = sample.now
        self.users = len(users)
        self.quiet_since = {(pid, slot.number): slot.quiet_since for pid, slot in users}
        is_told = self.stop_at(sample) is not None and all(slot.killed for _, slot in users if slot.is_user)
        if not is_told:
            self.told_beats = {}
        elif not self.told_beats:
            self.told_beats = {reading.pid: reading.loop_beats for reading in sample.readings}
            self.told_users = len(users)
        self.unturned = {reading.pid: self._unturned(reading) for reading in attached(sample)}
        if self.starters_died_at is None and any(reading.deaths.starting_users for reading in sample.readings):
            self.starters_died_at = sample.now
        others = ended - sum(slot.ended for _, slot in users)
        if others != self.others:  # less, too: a user that went took its share along
            self.others, self.others_at = others, sample.now

    def _unturned(self, reading: Reading) -> tuple[float, float]:
        """When a loop last turned, and for how many seconds it has been seen to stand since."""
        turned_at, seen_s = self.unturned.get(reading.pid, (0.0, 0.0))
        return reading.turned_at, seen_s + min(self.gap_s, LONGEST_GAP_S) if reading.turned_at == turned_at else 0.0

    @property
    def crowd_s(self) -> float:
        """Seconds that a user may have to wait for the others alone: four times an operation's mean by Little's law.

        The mean is the operations in flight over those that end each second. Three thousand users of a server that answers
        150 a second wait 20 s each, and nobody is stuck. Where nothing ends it is the one round that the event loop makes.
        """
        (then, before), (now, ended) = self.paces[0], self.paces[-1]
        if ended <= before or now - then < DECLINE_S:
            return self.round_s
        mean_s = self.in_flight * (now - then) / (ended - before)
        return max(self.round_s, min(CROWD_TURNS * mean_s, MOST_CROWD_S))

    @property
    def round_s(self) -> float:
        """Seconds that a starved event loop may take to come round to all of its users once."""
        return self.users * ROUND_A_USER_S

    def users_in(self, sample: Sample) -> list[tuple[int, Slot]]:
        """The living users; where the scenario has never had any, everybody who calls the client."""
        living = [reading for reading in sample.readings if reading.pid in sample.cpu_s]
        everybody = [(reading.pid, slot) for reading in living for slot in reading.slots]
        if self.has_users:
            return [(pid, slot) for pid, slot in everybody if slot.is_user]
        return [(pid, slot) for pid, slot in everybody if slot.busy]

    def learn(self, look: Examination) -> None:
        """Take a look at the stacks; the last two are kept, and what all of them have shown of locks and unread bytes."""
        self.looks = [*self.looks[-1:], look]
        self.locks.learn(look, self.quiet_since)
        self.unread = {
            key: self._unread(key, parked.unread, look) for key, parked in look.parked.items() if parked.unread
        }

    def _unread(self, key: tuple[int, int], size: int, look: Examination) -> Unread:
        before = self.unread.get(key)
        if before is not None and before.size == size and before.seen_at > self.quiet_since.get(key, 0.0):
            return before
        return Unread(size, look.beats.get(key[0], 0), look.seen_at(key[0]))

    def beats_unread(self, key: tuple[int, int]) -> int:
        """How often the event loop has turned while the same bytes lay unread in a user's socket, by the last look."""
        book = self.unread.get(key)
        return self.looks[-1].beats.get(key[0], 0) - book.beats if book is not None else 0

    def cores(self, sample: Sample, since: float, *, pids: Collection[int] = ()) -> float:
        """The processor time a second that the busiest process, of ``pids`` where they are given, has used since then."""
        old = [entry for entry in self.cpu if sample.now - entry[0] >= DECLINE_S]
        if sample.now - since < DECLINE_S or not old:
            return 0.0
        # Where nothing was sampled for a while since then, the sample before that gap counts.
        then, before = next((entry for entry in old if entry[0] >= since), old[-1])
        used = [cpu - before[pid] for pid, cpu in sample.cpu_s.items() if pid in before and pid in (pids or before)]
        return max(used, default=0.0) / (sample.now - then)

    def burns(self, sample: Sample) -> bool:
        """Whether so much of a core has burned during the last seconds as one user that never waits needs, on a busy machine too."""
        return self.cores(sample, sample.now - BURNS_FOR_S) >= STANDING_CORES

    def last_look(self, pid: int, slot: Slot) -> Parked | None:
        """What a user was parked on when it was last looked at."""
        return self.looks[-1].parked.get((pid, slot.number)) if self.looks else None

    def stop_at(self, sample: Sample) -> float | None:
        """When the stop began: by the runner's own quit, or by our asking for it."""
        own = min((reading.stop_at for reading in sample.readings if reading.stop_at), default=None)
        return own if own is not None else self.asked_stop

    def is_told(self, sample: Sample) -> bool:
        """Whether the stop has reached all users: the slowest loop has turned so often since that every kill has had its turn."""
        wanted = max(ENOUGH_BEATS, self.told_users // TOLD_A_BEAT)
        return _least_beats(sample, self.told_beats, default=wanted) >= wanted

    def has_settled(self, sample: Sample) -> bool:
        """Whether the loops have turned often enough since the last user went that the next one would have gone."""
        return not self.fell_beats or _least_beats(sample, self.fell_beats, default=ENOUGH_BEATS) >= ENOUGH_BEATS

    def standing(self, sample: Sample) -> list[Reading]:
        """The processes whose event loop has not turned for longer than its limit; what came before the first user does not count."""
        polls = {
            reading.pid: max((slot.poll_s for slot in reading.slots if slot.busy), default=0.0)
            for reading in sample.readings
        }
        began = load_at(sample) or 0.0
        return [
            item
            for item in attached(sample)
            if sample.now - max(item.turned_at, began) > self.limits.silent_s + polls[item.pid] + self.round_s
            and self.unturned.get(item.pid, (0.0, 0.0))[1] >= SEEN_STANDING_S
            and not 0 < sample.now - (item.dumping_at or sample.now) < LONGEST_DUMP_S
        ]

    def is_loop_turning(self, sample: Sample) -> bool:
        """Whether an event loop has turned lately."""
        return any(sample.now - reading.turned_at <= self.limits.silent_s for reading in attached(sample))

    def standing_since(self, moment: float) -> Standing | None:
        """In what two looks since then found the processes without users; None before they were made, or where they differ."""
        looks = [look for look in self.looks if look.at > moment]
        kinds = {min(look.standing.values(), key=list(Standing).index, default=Standing.UNKNOWN) for look in looks}
        return kinds.pop() if len(looks) > 1 and len(kinds) == 1 else None

    def is_loop_silent(self, sample: Sample) -> bool:
        """Whether an event loop stands."""
        return bool(self.standing(sample))

    def is_quiet_in(self, readings: Sequence[Reading], now: float) -> bool:
        """Whether nobody in these processes has ended an operation for longer than a stall takes."""
        last_end = max((max(slot.last_end, slot.born) for reading in readings for slot in reading.slots), default=0.0)
        return now - last_end > self.limits.stall_after_s + self.held_up_s + self.round_s

    def is_all_quiet(self, sample: Sample) -> bool:
        """Whether nobody has ended an operation for longer than any one in flight may be silent by its long poll."""
        poll_s = max((slot.poll_s for _, slot in self.users_in(sample) if slot.busy), default=0.0)
        return sample.now - self.progress_at > self.limits.stall_after_s + poll_s + self.held_up_s + self.round_s

    @property
    def held_up_s(self) -> float:
        """Seconds since anybody last ended an operation in which the event loop wrote stacks for us, and nobody could."""
        return self.dumped_s - self.dumped_before_s


def _dumped_s(reading: Reading, now: float) -> float:
    """Seconds for which a loop has written stacks so far, the ones that it writes now included."""
    return reading.dumped_s + (min(now - reading.dumping_at, LONGEST_DUMP_S) if reading.dumping_at else 0.0)


def _least_beats(sample: Sample, before: Mapping[int, int], *, default: int) -> int:
    """How often the slowest event loop that has users has turned since ``before``; ``default`` where none has any."""
    beats = [
        reading.loop_beats - before.get(reading.pid, reading.loop_beats)
        for reading in attached(sample)
        if any(slot.is_user for slot in reading.slots)
    ]
    return min(beats, default=default)


def load_at(sample: Sample) -> float | None:
    """When the load began, None before."""
    return min((reading.load_at for reading in sample.readings if reading.load_at), default=None)


def attached(sample: Sample) -> list[Reading]:
    """The living processes whose event loop the agent beats from."""
    return [reading for reading in sample.readings if reading.loop_at and reading.pid in sample.cpu_s]
