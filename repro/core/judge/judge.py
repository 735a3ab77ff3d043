"""The judge: takes the samples of a trial one by one, and says what to do next or what the trial came to.

    sample ──▶ Judge.observe ──▶ GO_ON · EXAMINE (stacks are needed to decide) · ASK_STOP (the load is over) · Decision

Pure: it has no clock but the samples'. Who is stuck, and for certain, is ``suspects.py``'s; the table in ``table.py``
decides. The load goes on past its time until everybody has moved, sleeps, or is judged: `clean` means that every user was
seen to get on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from repro.core.judge.memory import BURNS_FOR_S, DECLINE_S, Load, Memory, Stuck, attached, load_at
from repro.core.judge.samples import Examination, ParkedOn, Role, Sample, Standing
from repro.core.judge.suspects import StuckOn, Suspects
from repro.core.judge.table import BURNING_CORES, Facts, Phase, Row, decide
from repro.model import Limits

EXAMINE_EVERY_S = 1.0
LONGEST_EXTENSION_S = 150.0
"""The load is extended while somebody is waited for, at most by this."""
STOPPED_WITHIN_S = 4.0
"""Whoever has done something within so long before the stop was not stuck by then."""
GRACES = 3
STOPPED_A_SECOND = 20
"""Users that end within a second at the least, once they are told, on a machine with other work."""
LOOKS_S = 3.0
"""So long before the time to begin is over a program is looked at, twice."""
DIED_FOR_S = 2.0
"""Seconds after the death of those who start users, or of the last user, in which others may yet begin."""
LONGEST_LOOK_S = 30.0
"""Seconds within which two looks at an idle program must agree; after them it is not known in what it stands."""
LOOK_SPARES = 4
"""So many times as long as a look took the loop is left alone: a crowd's stacks take it a second."""


class Step(Enum):
    """What the trial has to do before the next sample."""

    GO_ON = "go on"
    EXAMINE = "examine"
    ASK_STOP = "ask stop"


@dataclass(frozen=True)
class Decision:
    """What a trial came to: the row of the table, the facts it was decided on, and who is stuck."""

    row: Row
    facts: Facts
    stuck: tuple[Stuck, ...]
    at: float
    since: float


class Judge:
    """Decides one trial. Feed it ``observe`` with samples and ``learn`` with the examinations that it asks for."""

    def __init__(self, limits: Limits, load: Load) -> None:
        self._limits = limits
        self._load = load
        self._memory = Memory(limits, load)
        self._suspects = Suspects(self._memory)

    def observe(self, sample: Sample) -> Step | Decision:
        """What to do now, or the verdict."""
        self._memory.remember(sample)
        suspects = self._suspects.found(sample)
        overdue = [user for user in suspects if self._suspects.is_overdue(user, sample)]
        kinds = {user: self._suspects.kind(user, sample) for user in overdue if not self._is_stopping(user, sample)}
        stuck = {user: kind for user, kind in kinds.items() if kind is not StuckOn.UNDECIDED}
        facts = self._facts(sample, Counter(stuck.values()))
        row = decide(facts)
        if row is not None:
            return self._decision(row, facts, sample, stuck)
        waited_for = self._suspects.waited_for(sample)
        is_idle = self._idle_since(sample) is not None
        is_urgent = bool(overdue or waited_for or is_idle)
        if self._may_examine(sample.now, is_urgent=is_urgent) and (suspects or is_urgent):
            return Step.EXAMINE
        if self._is_load_over(sample, waited_for):
            self._memory.asked_stop = sample.now
            return Step.ASK_STOP
        return Step.GO_ON

    def learn(self, examination: Examination) -> None:
        """Take an examination's result."""
        self._memory.learn(examination)

    def _is_stopping(self, user: Stuck, sample: Sample) -> bool:
        """Whether it got on until it was told to stop: if it hangs, then as one that cannot be stopped."""
        stop_at = self._memory.stop_at(sample)
        return stop_at is not None and user.since > stop_at - STOPPED_WITHIN_S

    def _may_examine(self, now: float, *, is_urgent: bool) -> bool:
        every_s = EXAMINE_EVERY_S if is_urgent else max(EXAMINE_EVERY_S, self._limits.stall_after_s / 4)
        if not self._memory.looks:
            return True
        last = self._memory.looks[-1]
        return now - last.at >= max(every_s, LOOK_SPARES * last.took_s)

    # The facts

    def _facts(self, sample: Sample, kinds: Mapping[StuckOn, int]) -> Facts:
        memory, began = self._memory, load_at(sample)
        phase = Phase.START if began is None else Phase.LOAD if memory.stop_at(sample) is None else Phase.STOPPING
        standing = memory.standing(sample)
        idle_since = sample.now - BURNS_FOR_S if kinds.get(StuckOn.TURNING) else memory.progress_at
        burning_since = min((reading.loop_at for reading in standing), default=idle_since)
        standing_in = self._standing_in(sample)
        ended, failed = (sum(getattr(reading, name) for reading in sample.readings) for name in ("ended", "failed"))
        return Facts(
            phase=phase,
            exit_code=self._exit_code(sample),
            load_s=sample.now - began if began else 0.0,
            is_script=_is_script(sample),
            start_over=phase is Phase.START and self._is_start_over(sample) and standing_in is not None,
            loop_turns=memory.is_loop_turning(sample),
            loop_silent=bool(standing),
            native_silent=any(sample.now - r.native_at > self._limits.beat_s for r in attached(sample) if r.native_at),
            cores=memory.cores(sample, burning_since, pids=[reading.pid for reading in standing]),
            users=len(self._memory.users_in(sample)),
            locked=kinds.get(StuckOn.LOCKED, 0),
            unread=kinds.get(StuckOn.UNREAD, 0),
            unanswered=kinds.get(StuckOn.UNANSWERED, 0),
            turning=kinds.get(StuckOn.TURNING, 0),
            no_end=memory.is_quiet_in(standing, sample.now) if standing else memory.is_all_quiet(sample),
            grace_over=phase is Phase.STOPPING and self._is_grace_over(sample),
            ended=ended,
            failed=failed,
            failing_share=self._limits.failing_share,
            iterations=sum(reading.iterations for reading in sample.readings),
            iteration_errors=sum(reading.iteration_errors for reading in sample.readings),
            starters_died=phase is Phase.START and self._have_starters_died(sample),
            users_died=phase is Phase.LOAD and self._have_users_died(sample),
            by_signal=self._is_cut_short(sample),
            standing=standing_in,
            is_faulted=self._load.is_faulted,
            backend_alive=sample.backend.is_alive,
            backend_answering=sample.backend.is_answering,
            overflows=sample.backend.overflows - memory.overflows_before,
        )

    # What is no hang

    def _have_starters_died(self, sample: Sample) -> bool:
        died_at = self._memory.starters_died_at
        return died_at is not None and sample.now - died_at > DIED_FOR_S

    def _have_users_died(self, sample: Sample) -> bool:
        memory = self._memory
        has_died = any(reading.deaths.users for reading in sample.readings)
        since = max(memory.users_fell_at, load_at(sample) or 0.0)  # all may have gone before the first look at them
        is_over = not memory.users and sample.now - since > DIED_FOR_S
        return has_died and is_over and memory.asked_stop is None

    def _is_cut_short(self, sample: Sample) -> bool:
        """Whether the runner was told to quit before its time by a signal that was not ours."""
        began, stop_at = load_at(sample), self._memory.stop_at(sample)
        if began is None or stop_at is None or self._memory.asked_stop is not None:
            return False
        is_early = stop_at - began < self._load.seconds - DECLINE_S / 2
        return is_early and any(reading.stopped_by_signal for reading in sample.readings)

    # A program without users that does nothing any more

    def _idle_since(self, sample: Sample) -> float | None:
        """Since when the program should have done something: its users begun, or a script ended an operation; None when it has.

        A script is looked at once its time is over and it has done nothing for the second half of it, and for a stall's time.
        """
        if sample.exit_code is not None or self._memory.asked_stop is not None:
            return None
        began = load_at(sample)
        if began is None:
            looks_from = (self._memory.began or sample.now) + self._limits.start_s - LOOKS_S
            return looks_from if sample.now > looks_from else None
        if not _is_script(sample) or self._memory.users or sample.now - began < self._load.seconds:
            return None
        quiet_s = sample.now - self._memory.progress_at
        is_quiet = quiet_s > self._quiet_from_s
        return self._memory.progress_at if is_quiet else None

    @property
    def _quiet_from_s(self) -> float:
        """Seconds for which a script may do nothing before it is looked at."""
        return max(self._load.seconds / 2, self._limits.stall_after_s)

    def _standing_in(self, sample: Sample) -> Standing | None:
        """In what such a program was found, by two looks; None while there is none, or the looks do not agree yet."""
        since = self._idle_since(sample)
        if since is None:
            return None
        natives = [
            reading.native_at for reading in sample.readings if reading.pid in sample.cpu_s and reading.native_at
        ]
        if natives and all(sample.now - native_at > self._limits.silent_s for native_at in natives):
            return Standing.LOCKED  # not even the agent's own thread runs: the GIL is held
        if load_at(sample) is None and not self._is_start_over(sample):
            return None
        found = self._memory.standing_since(since)
        waited_s = sample.now - since - self._quiet_from_s
        return Standing.UNKNOWN if found is None and waited_s > LONGEST_LOOK_S else found

    def _exit_code(self, sample: Sample) -> int | None:
        """The leader's; a script that has had its time and its grace counts as ended well, for it knows no stop."""
        asked = self._memory.asked_stop
        if (
            sample.exit_code is None
            and _is_script(sample)
            and asked is not None
            and not self._memory.is_loop_silent(sample)
        ):
            return 0 if sample.now - asked > DECLINE_S else None
        return sample.exit_code

    def _is_start_over(self, sample: Sample) -> bool:
        return sample.now - (self._memory.began or sample.now) > self._limits.start_s

    def _is_load_over(self, sample: Sample, waited_for: list[Stuck]) -> bool:
        began = load_at(sample)
        if began is None or self._memory.asked_stop is not None or self._memory.stop_at(sample) is not None:
            return False
        over_s = sample.now - began - self._load.seconds
        must_wait = bool(waited_for) or self._is_burning(sample) or self._is_script_quiet(sample, began)
        return over_s >= 0 and (not must_wait or over_s > LONGEST_EXTENSION_S)

    def _is_script_quiet(self, sample: Sample, began: float) -> bool:
        """Whether a script has done nothing for the second half of its time: it may have ended its work, or hang."""
        return _is_script(sample) and self._memory.progress_at < began + self._load.seconds / 2

    def _is_burning(self, sample: Sample) -> bool:
        """Whether a core burns and nobody has ended an operation lately: a loop that spins, or one that will come back."""
        quiet_s = sample.now - self._memory.progress_at
        return quiet_s > DECLINE_S and self._memory.cores(sample, self._memory.progress_at) >= BURNING_CORES

    def _is_grace_over(self, sample: Sample) -> bool:
        """Whether users, or the process once they are gone, have had their time to end, and nothing explains that they have not."""
        stop_at = self._memory.stop_at(sample) or sample.now
        if sample.now - stop_at <= self._limits.stop_grace_s:
            return False
        return self._is_users_grace_over(sample, stop_at) if self._memory.users else self._is_exit_over(sample, stop_at)

    def _is_users_grace_over(self, sample: Sample, stop_at: float) -> bool:
        memory = self._memory
        # A crowd goes one by one: while users end, the others have not outlived anything.
        has_settled = sample.now - memory.users_fell_at > DECLINE_S and memory.has_settled(sample)
        if has_settled and memory.is_told(sample):
            return True
        # On a starved machine it may take seconds until a GreenletExit arrives.
        starved_s = self._limits.start_s + self._crowd_s() if memory.burns(sample) else 0.0
        return sample.now - stop_at > max(GRACES * self._limits.stop_grace_s, starved_s)

    def _is_exit_over(self, sample: Sample, stop_at: float) -> bool:
        """The process has its own time once all users are gone; one that works is on its way out, and has more."""
        leaving_s = sample.now - max(stop_at, self._memory.users_fell_at)
        grace_s = self._limits.stop_grace_s
        longest_s = GRACES * grace_s + self._crowd_s() if self._memory.burns(sample) else grace_s
        return leaving_s > longest_s

    def _crowd_s(self) -> float:
        """Seconds that a crowd's end takes at the most: of its users, and of what they leave behind."""
        return self._memory.told_users / STOPPED_A_SECOND

    # The decision

    def _decision(self, row: Row, facts: Facts, sample: Sample, stuck: Mapping[Stuck, StuckOn]) -> Decision:
        memory = self._memory
        everybody = tuple(
            Stuck(pid, slot, slot.quiet_since, memory.last_look(pid, slot)) for pid, slot in memory.users_in(sample)
        )
        standing = {reading.pid for reading in memory.standing(sample)}
        stuck_users = tuple(user for user in everybody if user.pid in standing or not standing)
        if facts.stuck_for_certain and not standing:
            stuck_users = (*stuck, *self._behind(stuck, everybody))
        return Decision(row, facts, stuck_users, sample.now, self._since(facts, sample, stuck_users))

    def _behind(self, stuck: Collection[Stuck], everybody: Sequence[Stuck]) -> list[Stuck]:
        """The users who wait for the same lock as a stuck one, or for a lock that a stuck one holds, if not yet for as long."""
        known = {user.key for user in stuck}
        locks = {user.parked.lock for user in stuck if user.parked and user.parked.on is ParkedOn.LOCK}
        look = self._memory.looks[-1]
        return [
            user
            for user in everybody
            if user.key not in known
            and user.parked is not None
            and look.seen_at(user.pid) > user.since
            and not user.parked.has_timeout
            and (user.parked.lock in locks or (user.pid, user.parked.root_user) in known)
        ]

    def _since(self, facts: Facts, sample: Sample, stuck: tuple[Stuck, ...]) -> float:
        if facts.start_over:
            return self._memory.began or sample.now
        if facts.standing is not None:
            return self._memory.progress_at
        if facts.loop_silent:
            return min(reading.loop_at for reading in attached(sample))
        if facts.grace_over:
            return self._memory.stop_at(sample) or sample.now
        if facts.no_end and not facts.stuck_for_certain:
            return self._memory.progress_at
        return min((user.since for user in stuck), default=self._memory.began or sample.now)


def _is_script(sample: Sample) -> bool:
    """Whether it is a program without Locust, which knows no users and no stop."""
    return any(reading.role is Role.SCRIPT for reading in sample.readings)
