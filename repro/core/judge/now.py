"""All that is known of a trial at one sample: the frozen view that everybody who judges it reads.

``Memory.at`` makes it. What costs a walk over all users is found when it is first asked for, and kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from repro.core.judge.locks import Looks
from repro.core.judge.samples import Key, Parked, Reading, Role, Sample, Slot
from repro.core.judge.table import STANDING_CORES
from repro.core.judge.tracks import (
    LONGEST_DUMP_S,
    Crowd,
    Helpers,
    Loops,
    Processor,
    ProgressMade,
    Starvation,
    StopOrder,
    Turns,
)
from repro.findings import Phase
from repro.model import Limits

BURNS_FOR_S = 2.0
CROWD_TURNS = 4.0
MOST_CROWD_S = 60.0
QUEUE_TURNS = 2.0
"""Whoever has waited so many times as long as those who were answered lately is not in their queue."""
ROUND_A_USER_S = 0.005
"""Seconds of a core that one user may need each time the event loop comes round to it, on a busy machine."""
SEEN_STANDING_S = 1.2
"""A loop must have been seen to stand for this long."""
TOLD_A_BEAT = 12
"""So many users are reached by a stop between two beats of a starved loop: gevent gives way to others after fifty
callbacks, and a kill takes four."""
ENOUGH_BEATS = 5
"""So often an event loop must turn before what it was to hand over has arrived: a second, unless it is starved."""
GIVEN_UP_STALLS = 2
"""So many times ``stall_after_s`` a user may still wait for what others might do, once the load's time is over."""


@dataclass(frozen=True)
class Stuck:
    """A user that is stuck: its process, its slot, since when, and what it is parked on where that is known."""

    pid: int
    slot: Slot
    since: float
    parked: Parked | None = None

    @property
    def key(self) -> Key:
        """What tells it from the others."""
        return self.pid, self.slot.number


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the judge must know of a cell: its seconds of load, whether a fault is between client and backend."""

    seconds: float
    users: int
    is_faulted: bool = False


@dataclass(frozen=True, kw_only=True)
class Now:
    """A trial at one sample, which is the last one that its tracks have taken.

    ``began`` is the first sample, ``asked_stop`` when we asked for the stop, ``starters_died_at`` when the death of a
    greenlet that starts users was first seen. ``last_call`` is since when each user had been quiet when the load's time
    was over, None before that.
    """

    sample: Sample
    limits: Limits
    load: Load
    began: float
    asked_stop: float | None
    starters_died_at: float | None
    overflows: int
    last_call: Mapping[Key, float] | None
    progress: ProgressMade
    crowd: Crowd
    stop_order: StopOrder
    loops: Loops
    helpers: Helpers
    processor: Processor
    looks: Looks
    cell_starvation: Starvation = field(default_factory=Starvation)
    starvation: Starvation = field(default_factory=Starvation)
    turns: Turns = field(default_factory=Turns)

    # The moment

    @property
    def at(self) -> float:
        """The moment of the sample."""
        return self.sample.now

    def own_s(self, since: float) -> float:
        """Seconds since then that count against who waits: without those in which there was no processor for them."""
        return self.starvation.own_s(since, self.at)

    def own_cell_s(self, since: float) -> float:
        """The same for what a process of the cell has to do by itself: begin, turn its loop, end."""
        return self.cell_starvation.own_s(since, self.at)

    @cached_property
    def load_at(self) -> float | None:
        """When the load began, None before."""
        return self.sample.load_at

    @cached_property
    def load_s(self) -> float:
        """Seconds of load so far."""
        return self.at - self.load_at if self.load_at is not None else 0.0

    @cached_property
    def stop_at(self) -> float | None:
        """When the stop began: by the runner's own quit, or by our asking for it."""
        quit_at = self.sample.quit_at
        return quit_at if quit_at is not None else self.asked_stop

    @cached_property
    def phase(self) -> Phase:
        """Where the trial is."""
        if self.load_at is None:
            return Phase.START
        return Phase.LOAD if self.stop_at is None else Phase.STOPPING

    @property
    def is_load_over(self) -> bool:
        """Whether the load has had its time, and nobody has been told to stop yet."""
        return self.phase is Phase.LOAD and self.load_s >= self.load.seconds

    @cached_property
    def is_script(self) -> bool:
        """Whether it is a program without Locust, which knows no users and no stop."""
        return any(reading.role is Role.SCRIPT for reading in self.sample.readings)

    @cached_property
    def is_program(self) -> bool:
        """Whether it is a standalone program, with Locust or without, which ends when it likes."""
        return any(reading.is_program for reading in self.sample.readings)

    # The users

    @cached_property
    def users(self) -> tuple[Stuck, ...]:
        """The living users: since when each has been quiet, and what it was last seen parked on."""
        return tuple(self.user(pid, slot, slot.quiet_since) for pid, slot in self.crowd.users)

    def user(self, pid: int, slot: Slot, since: float) -> Stuck:
        """One of them, with the last look at it."""
        return Stuck(pid, slot, since, self.looks.parked((pid, slot.number)))

    @cached_property
    def round_s(self) -> float:
        """Seconds that a starved event loop may take to come round to all of its users once."""
        return len(self.crowd.users) * ROUND_A_USER_S

    @cached_property
    def crowd_s(self) -> float:
        """Seconds that a user may have to wait for the others alone: four times the mean of an operation.

        Three thousand users of a server that answers 150 a second wait 20 s each, and nobody is stuck. Where nothing
        ends it is the one round that the event loop makes.
        """
        return max(self.round_s, min(CROWD_TURNS * self.progress.mean_s(self.crowd.in_flight), MOST_CROWD_S))

    @cached_property
    def quiet_s(self) -> float:
        """Seconds for which a user may be quiet, its own long poll left out."""
        return self.limits.stall_after_s + self.crowd_s

    def is_in_queue(self, user: Stuck) -> bool:
        """Whether its turn may yet come: others were answered lately who waited about as long, or nobody is in time.

        Where the queue is longer than an attempt may take, attempts time out unanswered and begin again at its end, and
        whoever is answered has been lucky.
        """
        poll_s = self.crowd.longest_poll_s
        mean_s = self.turns.mean_s - poll_s
        is_too_long = mean_s > self.limits.stall_after_s and self._queue_s - poll_s > user.slot.attempt_s
        return not self.is_all_quiet and (self.at - user.since - poll_s < QUEUE_TURNS * mean_s or is_too_long)

    @property
    def _queue_s(self) -> float:
        """Seconds in which the operations in flight would be answered at the recent pace, by Little's law."""
        return self.crowd.in_flight / self.turns.pace if self.turns.pace else 0.0

    # Whether anybody makes progress

    @cached_property
    def is_all_quiet(self) -> bool:
        """Whether nobody has ended an operation for longer than any one in flight may be silent by its long poll."""
        explained_s = self.limits.stall_after_s + self.crowd.longest_poll_s + self.progress.held_up_s + self.round_s
        return self.own_s(self.progress.at) > explained_s

    def is_quiet_in(self, readings: Sequence[Reading]) -> bool:
        """Whether nobody in these processes has ended an operation for longer than a stall takes."""
        last_end = max((max(slot.last_end, slot.born) for reading in readings for slot in reading.slots), default=0.0)
        return self.own_s(last_end) > self.limits.stall_after_s + self.progress.held_up_s + self.round_s

    def is_given_up(self, user: Stuck) -> bool:
        """Whether the load has long been over, and neither this user nor a helper of it has made progress since."""
        if self.load_at is None or self.stop_at is not None:
            return False
        stall_s = self.limits.stall_after_s
        nearly_over_at = self.load_at + self.load.seconds - stall_s  # a stall's time past the end there has to be
        return self.own_s(max(user.since, self.helpers.helped_at(user.key), nearly_over_at)) > GIVEN_UP_STALLS * stall_s

    # The event loops

    @cached_property
    def attached(self) -> tuple[Reading, ...]:
        """The living processes whose event loop the agent beats from."""
        return self.sample.attached

    @cached_property
    def standing(self) -> tuple[Reading, ...]:
        """The processes whose event loop has not turned for longer than its limit."""
        return tuple(reading for reading in self.attached if self._stands(reading))

    def _stands(self, reading: Reading) -> bool:
        if self.loops.stood_s[reading.pid] < SEEN_STANDING_S or self._is_dumping(reading):
            return False
        turned_at = max(self.loops.turned_at[reading.pid], self.load_at or 0.0)  # before the first user nothing counts
        poll_s = max((slot.poll_s for slot in reading.slots if slot.busy), default=0.0)
        return self.own_cell_s(turned_at) > self.limits.silent_s + poll_s + self.round_s

    def _is_dumping(self, reading: Reading) -> bool:
        """Whether the loop writes stacks for us, and has not done so for too long."""
        return 0 < self.own_cell_s(reading.dumping_at or self.at) < LONGEST_DUMP_S

    @cached_property
    def is_loop_turning(self) -> bool:
        """Whether an event loop has turned lately."""
        return any(self.own_cell_s(turned_at) <= self.limits.silent_s for turned_at in self.loops.turned_at.values())

    @property
    def is_loop_silent(self) -> bool:
        """Whether an event loop stands."""
        return bool(self.standing)

    @cached_property
    def is_told(self) -> bool:
        """Whether the stop has reached all users: the slowest loop turned so often that every kill had its turn."""
        wanted = max(ENOUGH_BEATS, self.stop_order.users // TOLD_A_BEAT)
        return self._least_beats(self.stop_order.beats, default=wanted) >= wanted

    @cached_property
    def has_settled(self) -> bool:
        """Whether the loops have turned often enough since the last user went that the next one would have gone."""
        before = self.crowd.fell_beats
        return not before or self._least_beats(before, default=ENOUGH_BEATS) >= ENOUGH_BEATS

    def _least_beats(self, before: Mapping[int, int], *, default: int) -> int:
        """How often the slowest event loop with users has turned since ``before``; ``default`` without any."""
        beats = [
            reading.loop_beats - before.get(reading.pid, reading.loop_beats)
            for reading in self.attached
            if any(slot.is_user for slot in reading.slots)
        ]
        return min(beats, default=default)

    # The processor

    def cores(self, since: float, *, pids: Collection[int] = ()) -> float:
        """The processor time a second that the busiest process, of ``pids`` where given, has used since then."""
        return self.processor.cores(since, pids=pids)

    @cached_property
    def burns(self) -> bool:
        """Whether as much of a core burned lately as one user that never waits needs, on a busy machine too."""
        return self.cores(self.at - BURNS_FOR_S) >= STANDING_CORES

    @cached_property
    def is_at_work(self) -> bool:
        """Whether the cell has burned that much, or has stood in the queue for a core, with whichever of its threads.

        A main thread that has ended counts too: nobody is told of it until the last thread has had a core to end on.
        """
        denied_s = BURNS_FOR_S - self.own_cell_s(self.at - BURNS_FOR_S)
        return self.burns or denied_s >= STANDING_CORES * BURNS_FOR_S or not self.sample.cpu_s
