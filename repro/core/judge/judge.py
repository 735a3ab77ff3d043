"""The judge: takes the samples of a trial one by one, and says what to do next or what the trial came to.

    sample ──▶ Judge.observe ──▶ GO_ON · EXAMINE (stacks are needed to decide) · ASK_STOP (the load is over) · Decision
                    │
                 Memory.at ──▶ Now ──▶ Suspects · Silence · Stop ──▶ Facts ──▶ the table's row

Pure: it has no clock but the samples'. ``Now`` is a frozen view of all that is known at a sample; the parts behind it
only read it. The load continues past its time until everybody has moved, sleeps, or is judged: `clean` means that every
user was seen to make progress.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from repro.core.judge.memory import Memory
from repro.core.judge.now import BURNS_FOR_S, Load, Now, Stuck
from repro.core.judge.samples import Examination, ParkedOn, Sample
from repro.core.judge.silence import Silence
from repro.core.judge.stop import Stop
from repro.core.judge.suspects import StuckOn, Suspects
from repro.core.judge.table import TABLE, Facts, Row, decide
from repro.findings import Phase
from repro.model import Limits

EXAMINE_EVERY_S = 1.0
DIED_FOR_S = 2.0
"""Seconds after the death of those who start users, or of the last user, in which others may yet begin."""
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

    @property
    def users_stuck(self) -> int:
        """How many users they are: who helps one counts for it, together with it."""
        return len({(user.pid, user.slot.owner or user.slot.number) for user in self.stuck})


class Judge:
    """Decides one trial. Feed it ``observe`` with samples and ``learn`` with the examinations that it asks for."""

    def __init__(self, limits: Limits, load: Load, *, table: Sequence[Row] = TABLE) -> None:
        self._memory = Memory(limits, load)
        self._table = table

    def observe(self, sample: Sample) -> Step | Decision:
        """What to do now, or the verdict."""
        hearing = Hearing(self._memory.at(sample))
        row = decide(hearing.facts, self._table)
        if row is not None:
            return hearing.decision(row)
        step = hearing.step
        if step is Step.ASK_STOP:
            self._memory.ask_stop(sample.now)
        return step

    def learn(self, examination: Examination) -> None:
        """Take an examination's result."""
        self._memory.learn(examination)


class Hearing:
    """One sample, heard: the facts, and what follows from them."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._suspects = Suspects(now)
        self._silence = Silence(now)
        self._stop = Stop(now)

    @cached_property
    def facts(self) -> Facts:
        """What the table decides on."""
        now, readings = self._now, self._now.sample.readings
        kinds = Counter(kind for _, kind in self._suspects.certain)
        return Facts(
            phase=now.phase,
            exit_code=self._stop.exit_code,
            load_s=now.load_s,
            is_script=now.is_script,
            start_over=self._silence.is_start_over,
            loop_turns=now.is_loop_turning,
            loop_silent=now.is_loop_silent,
            native_silent=self._is_native_silent,
            cores=self._cores(is_turning=StuckOn.TURNING in kinds),
            users=len(now.crowd.users),
            locked=kinds[StuckOn.LOCKED],
            unread=kinds[StuckOn.UNREAD],
            unanswered=kinds[StuckOn.UNANSWERED],
            queued=len(self._suspects.queued),
            unserved=len(self._suspects.unserved),
            waited_out=self._stop.is_waited_out,
            unmoved=len(self._suspects.waited_for),
            turning=kinds[StuckOn.TURNING],
            no_end=now.is_quiet_in(now.standing) if now.standing else now.is_all_quiet,
            grace_over=self._stop.is_grace_over,
            ended=now.progress.ended,
            failed=sum(reading.failed for reading in readings),
            failing_share=now.limits.failing_share,
            iterations=sum(reading.iterations for reading in readings),
            iteration_errors=sum(reading.iteration_errors for reading in readings),
            starters_died=self._have_starters_died,
            users_died=self._have_users_died,
            by_signal=self._stop.is_cut_short,
            is_exit_asked=self._stop.is_exit_asked,
            may_end=now.is_script or now.is_program or self._stop.is_load_ended,
            own_end_s=self._stop.own_end_s,
            is_left_running=self._stop.is_left_running,
            left_s=self._stop.left_s,
            standing=self._silence.standing,
            is_faulted=now.load.is_faulted,
            backend_alive=now.sample.backend.is_alive,
            logged=now.sample.backend.requests or 0,
            backend_answering=now.sample.backend.is_answering,
            overflows=now.overflows,
        )

    @cached_property
    def step(self) -> Step:
        """What to do where no row holds."""
        suspects = self._suspects
        is_urgent = bool(suspects.overdue or suspects.waited_for or self._silence.since is not None)
        if (suspects.found or is_urgent) and self._may_examine(is_urgent=is_urgent):
            return Step.EXAMINE
        is_due = self._stop.is_due(is_somebody_waited_for=bool(suspects.waited_for))
        return Step.ASK_STOP if is_due else Step.GO_ON

    def decision(self, row: Row) -> Decision:
        """The verdict by this row, and who is stuck since when."""
        stuck = self._stuck
        return Decision(row, self.facts, stuck, self._now.at, self._since(stuck))

    def _may_examine(self, *, is_urgent: bool) -> bool:
        last = self._now.looks.last
        if last is None:
            return True
        every_s = EXAMINE_EVERY_S if is_urgent else max(EXAMINE_EVERY_S, self._now.limits.stall_after_s / 4)
        return self._now.at - last.at >= max(every_s, LOOK_SPARES * last.took_s)

    # The facts

    @property
    def _is_native_silent(self) -> bool:
        natives = [reading.native_at for reading in self._now.attached if reading.native_at]
        return any(self._now.own_cell_s(native_at) > self._now.limits.beat_s for native_at in natives)

    def _cores(self, *, is_turning: bool) -> float:
        """What burns since nothing ends any more: of the processes that stand, where some do."""
        now = self._now
        idle_since = now.at - BURNS_FOR_S if is_turning else now.progress.at
        since = min((reading.loop_at for reading in now.standing), default=idle_since)
        return now.cores(since, pids=[reading.pid for reading in now.standing])

    @property
    def _have_starters_died(self) -> bool:
        died_at = self._now.starters_died_at
        return self._now.phase is Phase.START and died_at is not None and self._now.own_cell_s(died_at) > DIED_FOR_S

    @property
    def _have_users_died(self) -> bool:
        now = self._now
        if now.phase is not Phase.LOAD or now.crowd.users or now.asked_stop is not None:
            return False
        since = max(now.crowd.fell_at, now.load_at or 0.0)  # all may have gone before the first look at them
        return now.own_cell_s(since) > DIED_FOR_S and any(reading.deaths.users for reading in now.sample.readings)

    # The decision

    @property
    def _stuck(self) -> tuple[Stuck, ...]:
        """Who is stuck for certain, and who waits behind them; else all users, or those of the processes that stand."""
        standing = {reading.pid for reading in self._now.standing}
        if self.facts.stuck_for_certain and not standing:
            stuck = tuple(user for user, _ in self._suspects.certain)
            return (*stuck, *self._behind(stuck))
        if self.facts.is_at_capacity:
            return self._suspects.queued
        if self.facts.is_waited_in_vain and not standing:
            return self._suspects.waited_for
        return tuple(user for user in self._now.users if user.pid in standing or not standing)

    def _behind(self, stuck: Sequence[Stuck]) -> list[Stuck]:
        """The users that wait for the same lock as a stuck one, or for a lock that it holds, if not yet for as long."""
        known = {user.key for user in stuck}
        locks = {user.parked.lock for user in stuck if user.parked and user.parked.on is ParkedOn.LOCK}
        look = self._now.looks.latest[-1]
        return [
            user
            for user in self._now.users
            if user.key not in known
            and user.parked is not None
            and look.seen_at(user.pid) > user.since
            and not user.parked.has_timeout
            and (user.parked.lock in locks or (user.pid, user.parked.root_user) in known)
        ]

    def _since(self, stuck: Sequence[Stuck]) -> float:
        now, facts = self._now, self.facts
        if facts.start_over:
            return now.began
        if facts.standing is not None:
            return now.progress.at
        if facts.loop_silent:
            return min(reading.loop_at for reading in now.attached)
        if facts.grace_over:
            return self._stop.told_at
        if facts.no_end and not facts.stuck_for_certain:
            return now.progress.at
        return min((user.since for user in stuck), default=now.began)
