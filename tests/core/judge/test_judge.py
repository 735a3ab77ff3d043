"""The judge over made-up samples: when it looks, when it stops the load, when it is certain and when it must wait."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from repro.core.judge.judge import Decision, Judge, Step
from repro.core.judge.now import Load
from repro.core.judge.samples import (
    BackendHealth,
    Deaths,
    Examination,
    Parked,
    ParkedOn,
    Reading,
    Role,
    Sample,
    Slot,
    Standing,
)
from repro.findings import Holder, RowName, Whom
from repro.model import HangClass, Limits, Verdict

PID = 100
PERIOD_S = 0.5
LIMITS = Limits(stall_after_s=3, stop_grace_s=2, beat_s=2, start_s=20)
USER = Slot(
    number=1, is_user=True, busy=False, operation="ReceiveMessage", began=0, last_end=0, begun=1, ended=0, failed=0,
    poll_s=0, attempt_s=60, ceiling_s=300, born=0.5, killed=0, greenlet=7,
)  # fmt: skip


@dataclass
class Cell:
    """A made-up cell: ``users`` at a moment, what they are parked on, and the loop's last turn."""

    users: int = 3
    stuck: int = 0
    stuck_from: float = 2.0
    stuck_until: float = float("inf")
    parked: Parked = field(default_factory=lambda: Parked(on=ParkedOn.SOCKET))
    is_busy: bool = True
    poll_s: float = 0.0
    attempt_s: float = 60.0
    ceiling_s: float = 300.0
    loop_stands_from: float = float("inf")
    nothing_ends_from: float = float("inf")
    cores: float = 0.1
    lives_on: int = 0
    hand_over_s: float = float("inf")
    exits_with: int | None = None
    backend: BackendHealth = field(default_factory=BackendHealth)
    asked: float | None = None
    beats_a_second: float = 5.0

    def sample(self, now: float) -> Sample:
        stopping_s = 0.0 if self.asked is None else now - self.asked
        alive = self.users if stopping_s < 0.5 else self.lives_on
        has_ended = self.asked is not None and stopping_s >= 1 and alive == 0
        slots = tuple(self._slot(number, now) for number in range(1, alive + 1))
        ends = min(now, self.nothing_ends_from)
        slots = slots[:-1] + tuple(replace(slot, ended=int(ends * 100)) for slot in slots[-1:])  # it did them all
        reading = Reading(
            pid=PID, parent=1, phase=2, role=Role.LOCAL, started=0.1, native_at=now,
            loop_beats=int(now * self.beats_a_second), loop_at=min(now, self.loop_stands_from), load_at=0.5,
            stop_at=self.asked or 0.0,
            begun=int(ends * 100) + 3, ended=int(ends * 100), failed=0, budget_refusals=0, error="", slots=slots,
        )  # fmt: skip
        exit_code = self.exits_with if self.exits_with is not None and now > 2 else 0 if has_ended else None
        cpu_s = {PID: now * self.cores} if exit_code is None else {}
        return Sample(now=now, readings=(reading,), cpu_s=cpu_s, exit_code=exit_code, backend=self.backend)

    def _slot(self, number: int, now: float) -> Slot:
        if number <= self.stuck and self.stuck_from < now < self.stuck_until:
            return replace(
                USER, number=number, busy=self.is_busy, began=self.stuck_from, last_end=self.stuck_from - 0.1,
                poll_s=self.poll_s, attempt_s=self.attempt_s, ceiling_s=self.ceiling_s,
            )  # fmt: skip
        last = min(now, self.nothing_ends_from)
        return replace(USER, number=number, busy=False, began=last - 0.05, last_end=last, killed=self.asked or 0.0)

    def look(self, now: float) -> Examination:
        if now // self.hand_over_s % 2:  # whoever holds it by now
            return self._looked(now, replace(self.parked, holder=Holder(Whom.USER, 9)))
        return self._looked(now, self.parked)

    def _looked(self, now: float, parked: Parked) -> Examination:
        awake = {(PID, number): Parked(on=ParkedOn.TIMER) for number in range(self.stuck + 1, self.users + 1)}
        return Examination(
            at=now,
            parked={**awake, **{(PID, number): self._left(parked, now) for number in range(1, self.stuck + 1)}},
            beats={PID: int(now * self.beats_a_second)},
        )

    def _left(self, parked: Parked, now: float) -> Parked:
        """What is left of times that were given for the moment at which the users got stuck."""
        gone_s = now - self.stuck_from
        return replace(parked, left_s=max(0, parked.left_s - gone_s), root_left_s=max(0, parked.root_left_s - gone_s))


def judged(cell: Cell, *, seconds: float = 5, limit_s: float = 400, is_faulted: bool = False) -> Decision:
    judge = Judge(LIMITS, Load(seconds=seconds, users=cell.users, is_faulted=is_faulted))
    now = 0.6
    while now < limit_s:
        step = judge.observe(cell.sample(now))
        if isinstance(step, Decision):
            return step
        if step is Step.EXAMINE:
            judge.learn(cell.look(now))
        elif step is Step.ASK_STOP:
            cell.asked = now
        now += PERIOD_S
    raise AssertionError("never decided")


LOCK = Parked(on=ParkedOn.LOCK, lock="100:1")


def test_a_load_that_runs_and_ends_is_clean() -> None:
    decision = judged(Cell())
    assert decision.row.verdict is Verdict.CLEAN
    assert decision.at == pytest.approx(7, abs=1)


@pytest.mark.parametrize("is_busy", [True, False])
def test_users_on_a_lock_that_nobody_gets_are_deadlocked_soon(*, is_busy: bool) -> None:
    decision = judged(Cell(stuck=2, parked=LOCK, is_busy=is_busy))
    assert decision.row.hang_class is HangClass.DEADLOCKED
    assert [user.slot.number for user in decision.stuck] == [1, 2]
    assert decision.since == 2.0
    assert decision.at < 2 + LIMITS.stall_after_s + 2.1


def test_a_lock_whose_holder_may_be_in_a_long_poll_is_waited_for() -> None:
    decision = judged(Cell(stuck=2, parked=LOCK, poll_s=20))
    assert decision.row.hang_class is HangClass.DEADLOCKED
    assert decision.at > 2 + 20 + LIMITS.stall_after_s


def test_a_wait_with_a_time_limit_is_no_deadlock_while_others_get_on() -> None:
    assert (
        judged(Cell(stuck=1, is_busy=False, parked=replace(LOCK, has_timeout=True)), limit_s=300).row.verdict
        is not Verdict.HANG
    )


def test_a_holder_that_sleeps_for_a_while_is_waited_for() -> None:
    held = replace(LOCK, holder=Holder(Whom.USER, 3), root=ParkedOn.TIMER, root_user=3, root_left_s=40)
    recovering = Cell(stuck=2, parked=held, is_busy=False, stuck_until=42)
    assert judged(recovering, seconds=41).row.verdict is Verdict.CLEAN
    late = judged(Cell(stuck=2, parked=held, is_busy=False), seconds=41)
    assert late.row.hang_class is HangClass.DEADLOCKED
    assert late.at > 42
    for_ever = judged(Cell(stuck=2, parked=replace(held, root_left_s=3600), is_busy=False), seconds=41)
    assert for_ever.at < 2 + LIMITS.stall_after_s + 2.1


@pytest.mark.parametrize(
    "held", [replace(LOCK, root=ParkedOn.ELSEWHERE), replace(LOCK, root=ParkedOn.TIMER, root_left_s=1, inside=3)]
)
def test_a_holder_that_may_get_on_is_waited_for_until_long_after_the_load(held: Parked) -> None:
    assert judged(Cell(stuck=2, parked=held, is_busy=False, stuck_until=20), seconds=19).row.verdict is Verdict.CLEAN
    for_ever = judged(Cell(stuck=2, parked=held, is_busy=False), seconds=19)
    assert for_ever.row.hang_class is HangClass.DEADLOCKED
    assert for_ever.at > 19


def test_a_lock_that_goes_from_hand_to_hand_is_no_deadlock() -> None:
    for root in (None, ParkedOn.SOCKET):
        parked = replace(LOCK, holder=Holder(Whom.USER, 1), root=root)
        queueing = Cell(stuck=2, parked=parked, is_busy=False, hand_over_s=1.2, stuck_until=20)
        assert judged(queueing, seconds=10).row.verdict is Verdict.CLEAN


def test_who_waits_for_a_user_that_waits_for_an_answer_is_what_that_one_is() -> None:
    held = replace(LOCK, holder=Holder(Whom.USER, 2), root=ParkedOn.SOCKET, root_user=2)

    class Chain(Cell):
        def look(self, now: float) -> Examination:
            return Examination(at=now, parked={(PID, 1): held, (PID, 2): Parked(on=ParkedOn.SOCKET)})

    decision = judged(Chain(users=2, stuck=2, attempt_s=8, ceiling_s=8))
    assert decision.row.hang_class is HangClass.UNANSWERED
    assert decision.at - 2 > LIMITS.stall_after_s + 8
    assert len(decision.stuck) == 2


def test_who_waits_for_a_backend_that_has_not_read_the_request_is_not_hung() -> None:
    waiting = Cell(stuck=2, parked=Parked(on=ParkedOn.SOCKET, is_unserved=True))
    assert judged(waiting).row.name is RowName.NO_ANSWER_BACKEND_OVERRUN
    assert judged(Cell(stuck=2)).row.name is RowName.NO_ANSWER


def test_a_wait_of_all_users_is_given_its_own_time_out() -> None:
    class InTime(Cell):
        def sample(self, now: float) -> Sample:
            if now > self.stuck_until:
                self.nothing_ends_from = float("inf")
            return super().sample(now)

    parked = replace(LOCK, has_timeout=True, left_s=12)
    cell = InTime(stuck=3, is_busy=False, nothing_ends_from=2, parked=parked, stuck_until=13.5)
    assert judged(cell, seconds=10).row.verdict is Verdict.CLEAN


def test_a_wait_that_begins_again_whenever_its_time_is_out_is_a_deadlock() -> None:
    class Again(Cell):
        def _left(self, parked: Parked, now: float) -> Parked:
            return replace(parked, left_s=1.0 - now % 1.0)

    decision = judged(Again(stuck=3, is_busy=False, nothing_ends_from=2, parked=replace(LOCK, has_timeout=True)))
    assert decision.row.hang_class is HangClass.DEADLOCKED


EVENT = Parked(on=ParkedOn.EVENT, lock="100:2")


@pytest.mark.parametrize(
    ("parked", "hang_class"),
    [
        (EVENT, HangClass.DEADLOCKED),
        (Parked(on=ParkedOn.ELSEWHERE), HangClass.DEADLOCKED),
        (Parked(on=ParkedOn.SOCKET), HangClass.UNANSWERED),
        (Parked(on=ParkedOn.RUNNING), HangClass.SPINNING),
    ],
)
def test_one_that_has_not_got_on_by_long_after_the_load_is_stuck(parked: Parked, hang_class: HangClass) -> None:
    decision = judged(Cell(stuck=1, is_busy=False, parked=parked, cores=0.9), seconds=6)
    assert decision.row.hang_class is hang_class
    assert len(decision.stuck) == 1
    assert decision.at >= 6.5


def test_one_that_slept_when_it_was_looked_at_and_waits_by_the_end_of_the_load_is_stuck() -> None:
    class Woken(Cell):
        """User 1 sleeps at 5.1 s and waits for an event by 5.6 s; user 2 is the reason for a look then, and moves on."""

        def _slot(self, number: int, now: float) -> Slot:
            slot = super()._slot(number, now)
            if number == 1 and now > 5.0:
                return replace(slot, busy=False, began=4.9, last_end=5.0)
            return replace(slot, busy=True, began=2.0, last_end=1.9) if number == 2 and 2 < now < 5.2 else slot

        def look(self, now: float) -> Examination:
            first = Parked(on=ParkedOn.TIMER, left_s=0.1) if now < 5.2 else EVENT
            return Examination(at=now, parked={(PID, 1): first, (PID, 2): Parked(on=ParkedOn.SOCKET)})

    decision = judged(Woken(), seconds=5)
    assert decision.row.hang_class is HangClass.DEADLOCKED
    assert len(decision.stuck) == 1


def test_one_that_only_sleeps_to_the_end_and_beyond_is_not_waited_for() -> None:
    for left_s in (0.1, 60.0):
        asleep = Cell(stuck=1, is_busy=False, parked=Parked(on=ParkedOn.TIMER, left_s=left_s))
        assert judged(asleep, seconds=4).row.verdict is Verdict.CLEAN


@pytest.mark.parametrize("parked", [EVENT, Parked(on=ParkedOn.SOCKET), Parked(on=ParkedOn.RUNNING)])
def test_one_that_gets_on_after_the_load_was_not_stuck(parked: Parked) -> None:
    cell = Cell(stuck=1, is_busy=False, parked=parked, cores=0.9, stuck_from=4, stuck_until=8)
    assert judged(cell, seconds=6).row.verdict is Verdict.CLEAN


@pytest.mark.parametrize("stirring", [frozenset[int](), frozenset({PID})])
def test_an_event_of_all_users_is_waited_for_while_somebody_might_set_it(stirring: frozenset[int]) -> None:
    class Bystander(Cell):
        def look(self, now: float) -> Examination:
            return replace(super().look(now), stirring=stirring)

    decision = judged(Bystander(stuck=3, is_busy=False, nothing_ends_from=2, parked=EVENT), seconds=20)
    assert decision.row.hang_class is HangClass.DEADLOCKED
    assert (decision.at > 20) == bool(stirring)


def test_one_that_never_did_anything_but_listen_is_not_waited_for() -> None:
    class Listening(Cell):
        def _slot(self, number: int, now: float) -> Slot:
            return replace(super()._slot(number, now), begun=0 if number == 1 else 5)

    decision = judged(Listening(stuck=1, is_busy=False, parked=Parked(on=ParkedOn.SOCKET)), seconds=6)
    assert decision.row.verdict is Verdict.CLEAN
    assert decision.at < 10


class Helped(Cell):
    """Who is stuck waits for two greenlets of its own, which are in an operation from ``began`` on, until ``ends``."""

    began = 2.0
    ends = float("inf")
    attempt_s: float = float("inf")

    def sample(self, now: float) -> Sample:
        self.nothing_ends_from = 4 if now < self.ends < float("inf") else float("inf")
        sample = super().sample(now)
        (reading,) = sample.readings
        slots = reading.slots
        is_busy = self.began < now < self.ends and bool(slots)
        helpers = [replace(USER, number=1_000_001 + at, is_user=False, owner=1) for at in range(2 * is_busy)]
        busy = [
            replace(slot, busy=True, began=self.began, last_end=0, poll_s=self.poll_s, attempt_s=self.attempt_s)
            for slot in helpers
        ]
        return replace(sample, readings=(replace(reading, slots=(*slots, *busy)),))

    def look(self, now: float) -> Examination:
        look = super().look(now)
        helpers = {(PID, 1_000_001 + at): Parked(on=ParkedOn.SOCKET) for at in range(2)}
        return replace(look, parked={**look.parked, **helpers})


def test_one_that_waits_for_its_helpers_long_poll_is_not_stuck() -> None:
    cell = Helped(stuck=1, is_busy=False, parked=EVENT, poll_s=20, stuck_until=24, attempt_s=60)
    cell.ends = 23.0
    decision = judged(cell, seconds=30)
    assert decision.row.verdict is Verdict.CLEAN


def test_helpers_that_are_stuck_are_their_user() -> None:
    decision = judged(Helped(stuck=1, is_busy=False, parked=EVENT, ceiling_s=float("inf")))
    assert decision.row.hang_class is HangClass.UNANSWERED
    assert {user.slot.owner for user in decision.stuck} == {1}
    assert decision.users_stuck == 1


def test_the_helpers_of_another_user_help_that_one_alone() -> None:
    class Others(Cell):
        def sample(self, now: float) -> Sample:
            sample = super().sample(now)
            (reading,) = sample.readings
            done = int(now * 10)
            slots = tuple(replace(slot, helped=done if slot.number == 2 else 0) for slot in reading.slots)
            return replace(sample, readings=(replace(reading, slots=slots, ended=reading.ended + done),))

    decision = judged(Others(stuck=1, is_busy=False, parked=EVENT), seconds=6)
    assert decision.row.hang_class is HangClass.DEADLOCKED
    assert decision.users_stuck == 1


def test_one_that_waits_for_helpers_who_get_on_is_not_waited_for() -> None:
    class Helped(Cell):
        def sample(self, now: float) -> Sample:
            sample = super().sample(now)
            (reading,) = sample.readings
            slots = tuple(replace(slot, ended=5) for slot in reading.slots)  # what the users did; helpers did the rest
            return replace(sample, readings=(replace(reading, slots=slots),))

    decision = judged(Helped(stuck=1, is_busy=False, parked=EVENT), seconds=6)
    assert decision.row.verdict is Verdict.CLEAN
    assert decision.at < 10


def test_an_answer_that_lies_unread_twice_is_a_deadlock() -> None:
    decision = judged(Cell(stuck=1, parked=Parked(on=ParkedOn.SOCKET, unread=99)))
    assert decision.row.name == RowName.UNREAD


@pytest.mark.parametrize(
    ("attempt_s", "ceiling_s", "bound_s"), [(60, 600, 60), (2, 12, 12), (2, 40, 30), (float("inf"), float("inf"), 0)]
)
def test_an_unanswered_request_is_waited_for_until_its_own_time_out(
    attempt_s: float, ceiling_s: float, bound_s: float
) -> None:
    decision = judged(Cell(stuck=1, attempt_s=attempt_s, ceiling_s=ceiling_s))
    assert decision.row.hang_class is HangClass.UNANSWERED
    silent_s = decision.at - 2
    assert LIMITS.stall_after_s + bound_s <= silent_s <= LIMITS.stall_after_s + bound_s + 2


def test_an_unanswered_request_to_a_silent_backend_is_the_backends() -> None:
    silent = BackendHealth(is_answering=False, reason="refused")
    assert judged(Cell(stuck=1, attempt_s=2, ceiling_s=2, backend=silent)).row.verdict is Verdict.BACKEND


def test_a_dead_backend_is_said_at_once() -> None:
    assert judged(Cell(backend=BackendHealth(is_alive=False))).row.verdict is Verdict.BACKEND


def test_a_long_poll_is_waited_for_and_clean() -> None:
    decision = judged(Cell(stuck=3, poll_s=20, stuck_until=22, parked=Parked(on=ParkedOn.SOCKET)), seconds=15)
    assert decision.row.verdict is Verdict.CLEAN
    assert decision.at > 22


def test_sleepers_are_not_waited_for() -> None:
    decision = judged(Cell(stuck=3, is_busy=False, parked=Parked(on=ParkedOn.TIMER)), seconds=15)
    assert decision.row.verdict is Verdict.CLEAN
    assert decision.at < 19


@pytest.mark.parametrize("stuck_from", [3.0, 5.2])
def test_who_gets_stuck_shortly_before_the_end_of_the_load_is_seen_too(stuck_from: float) -> None:
    decision = judged(Cell(stuck=1, stuck_from=stuck_from, parked=LOCK), seconds=5)
    assert decision.row.hang_class is HangClass.DEADLOCKED


def test_a_loop_that_stands_is_frozen_and_one_that_burns_is_spinning() -> None:
    frozen = judged(Cell(loop_stands_from=3, nothing_ends_from=3, cores=0.01))
    assert (frozen.row.hang_class, frozen.since) == (HangClass.FROZEN, 3)
    spinning = judged(Cell(loop_stands_from=3, nothing_ends_from=3, cores=1.0))
    assert spinning.row.hang_class is HangClass.SPINNING


@pytest.mark.parametrize(
    ("cores", "loop_stands_from", "hang_class"),
    [
        (1.0, 1.0, HangClass.SPINNING),
        (0.01, 1.0, HangClass.FROZEN),
        (1.0, float("inf"), HangClass.SPINNING),
        (0.01, float("inf"), None),  # a loop that turns is not frozen, and nothing shows why nobody begins
    ],
)
def test_a_program_has_its_time_to_prepare_before_the_first_user(
    cores: float, loop_stands_from: float, hang_class: HangClass | None
) -> None:
    class Preparing(Cell):
        def sample(self, now: float) -> Sample:
            sample = super().sample(now)
            (reading,) = sample.readings
            making = replace(
                USER, number=1_000_001, is_user=False, busy=True, began=0.5, operation="create_client", attempt_s=0
            )
            return replace(sample, readings=(replace(reading, load_at=0.0, slots=(making,), ended=0, begun=0),))

        def look(self, now: float) -> Examination:
            parked = Parked(on=ParkedOn.RUNNING if cores < 1 else ParkedOn.UNKNOWN)
            return Examination(at=now, parked={(PID, 1_000_001): parked}, answered=cores < 1)

    decision = judged(Preparing(users=0, loop_stands_from=loop_stands_from, cores=cores))
    assert decision.row.hang_class is hang_class
    assert decision.row.name in {RowName.NEVER_BEGAN, RowName.NEVER_BEGAN_BURNING, RowName.NEVER_BEGAN_UNEXPLAINED}
    assert decision.at - decision.since == pytest.approx(LIMITS.start_s, abs=2 * PERIOD_S)


def test_a_loop_that_did_not_turn_before_the_first_user_has_its_time_from_there() -> None:
    class Late(Cell):
        def sample(self, now: float) -> Sample:
            sample = super().sample(now)
            (reading,) = sample.readings
            slots = tuple(replace(slot, born=10.0, began=0.0, last_end=0.0) for slot in reading.slots)
            late = replace(reading, load_at=10.0 if now >= 10 else 0.0, slots=slots if now >= 10 else (), ended=0)
            return replace(sample, readings=(late,))

    decision = judged(Late(loop_stands_from=2.0, cores=1.0), limit_s=40)
    assert decision.row.hang_class is HangClass.SPINNING
    assert decision.at > 10 + LIMITS.stall_after_s


def test_a_loop_that_turns_and_burns_while_nothing_ends_is_spinning() -> None:
    decision = judged(Cell(nothing_ends_from=3, cores=1.0))
    assert decision.row.hang_class is HangClass.SPINNING
    assert decision.since == pytest.approx(3, abs=0.2)


def test_users_that_outlive_the_stop_are_unstoppable_when_the_grace_is_over() -> None:
    cell = Cell(lives_on=2)
    decision = judged(cell)
    assert decision.row.name == RowName.USERS_OUTLIVE_THE_STOP
    assert len(decision.stuck) == 2
    assert decision.since == cell.asked
    assert decision.at - decision.since < LIMITS.stop_grace_s + 1.1


def test_a_starved_loop_has_its_time_to_hand_over_what_stops_its_users() -> None:
    cell = Cell(lives_on=2, beats_a_second=1)
    decision = judged(cell)
    assert decision.row.name == RowName.USERS_OUTLIVE_THE_STOP
    assert LIMITS.stop_grace_s + 1.1 < decision.at - decision.since <= 6.1  # five beats, and no three graces


@pytest.mark.parametrize(("cores", "longest_s"), [(1.0, LIMITS.start_s), (0.01, 3 * LIMITS.stop_grace_s)])
def test_users_that_nobody_tells_to_stop_are_unstoppable_all_the_same(cores: float, longest_s: float) -> None:
    class Untold(Cell):
        def sample(self, now: float) -> Sample:
            sample = super().sample(now)
            (reading,) = sample.readings
            slots = tuple(replace(slot, killed=0.0) for slot in reading.slots)
            return replace(sample, readings=(replace(reading, slots=slots),))

    decision = judged(Untold(lives_on=2, cores=cores))
    assert decision.row.name == RowName.USERS_OUTLIVE_THE_STOP
    assert decision.at - decision.since == pytest.approx(longest_s, abs=2 * PERIOD_S)


def test_bytes_lie_unread_only_when_the_loop_has_often_turned_past_the_same_ones() -> None:
    unread = Parked(on=ParkedOn.SOCKET, unread=99)
    prompt, starved = (judged(Cell(stuck=1, parked=unread, beats_a_second=beats)) for beats in (5, 0.5))
    assert prompt.row.name == starved.row.name == RowName.UNREAD
    assert prompt.at < 2 + LIMITS.stall_after_s + 1.1
    assert starved.at > 2 + LIMITS.stall_after_s + 4

    class Streaming(Cell):
        def look(self, now: float) -> Examination:
            self.parked = replace(unread, unread=int(now * 10))
            return super().look(now)

    assert judged(Streaming(stuck=1), is_faulted=True).row.name != RowName.UNREAD


def test_helpers_that_live_on_are_no_users_that_do() -> None:
    class Helped(Cell):
        def sample(self, now: float) -> Sample:
            sample = super().sample(now)
            (reading,) = sample.readings
            helper = replace(USER, number=1_000_001, is_user=False, busy=True, began=now - 0.1)
            is_exiting = sample.exit_code is None and self.asked is not None and now - self.asked < 3
            readings = (replace(reading, slots=(*reading.slots, helper)),)
            if self.asked is None or not is_exiting:
                return replace(sample, readings=readings)
            return replace(sample, readings=readings, cpu_s={PID: now * self.cores}, exit_code=None)

    decision = judged(Helped())
    assert decision.row.name != RowName.USERS_OUTLIVE_THE_STOP


def test_the_process_has_a_grace_of_its_own_once_all_users_have_gone() -> None:
    class Slow(Cell):
        users_take_s: float = 1.8

        def sample(self, now: float) -> Sample:
            is_asked = self.asked is not None
            self.lives_on = self.users if is_asked and now - (self.asked or 0) < self.users_take_s else 0
            sample = super().sample(now)
            ends_at = (self.asked or now) + self.users_take_s + 1.5
            if not is_asked or now >= ends_at:
                return sample
            return replace(sample, exit_code=None, cpu_s={PID: now * self.cores})

    assert judged(Slow()).row.verdict is Verdict.CLEAN
    slower = Slow()
    slower.users_take_s = 30
    assert judged(slower).row.name == RowName.USERS_OUTLIVE_THE_STOP


@pytest.mark.parametrize(("cores", "verdict"), [(0.5, Verdict.CLEAN), (0.0, Verdict.HANG)])
def test_a_process_that_works_is_on_its_way_out_longer_than_one_that_does_nothing(
    cores: float, verdict: Verdict
) -> None:
    class Leaving(Cell):
        def sample(self, now: float) -> Sample:
            sample = super().sample(now)
            if self.asked is None or now >= self.asked + 5:
                return sample
            return replace(sample, exit_code=None, cpu_s={PID: self.asked + (now - self.asked) * cores})

    assert judged(Leaving()).row.verdict is verdict


@pytest.mark.parametrize(("code", "verdict"), [(0, Verdict.CRASH), (1, Verdict.CRASH), (-11, Verdict.CRASH)])
def test_a_process_that_ends_by_itself_is_never_clean(code: int, verdict: Verdict) -> None:
    assert judged(Cell(exits_with=code)).row.verdict is verdict


@pytest.mark.parametrize(("read_s_before", "is_certain"), [(0.0, True), (1.8, False)])
def test_stacks_that_were_read_before_the_user_moved_decide_nothing(read_s_before: float, *, is_certain: bool) -> None:
    """A starved machine is slow to hand over a look: by then the user may have got its answer, and wait for a lock."""
    cell = Cell(users=1, stuck=1, stuck_from=2.0, is_busy=False, nothing_ends_from=2.0)
    judge = Judge(LIMITS, Load(seconds=60, users=1))
    for now in (1.0, 2.5, 3.0):
        assert not isinstance(judge.observe(cell.sample(now)), Decision)
    judge.learn(replace(cell.look(3.7), read_at={PID: 3.7 - read_s_before}))
    decided = judge.observe(cell.sample(5.6))
    assert isinstance(decided, Decision) is is_certain


@dataclass
class Crowd(Cell):
    """A healthy crowd behind a slow server: each user's operation takes ``turn_s``, and one ends after the other."""

    users: int = 400
    turn_s: float = 20.0
    stands_from: float = float("inf")

    def _slot(self, number: int, now: float) -> Slot:
        phase_s = number * self.turn_s / self.users
        rounds = int((min(now, self.stands_from) + phase_s) / self.turn_s)
        began = max(0.5, rounds * self.turn_s - phase_s)
        return replace(USER, number=number, busy=True, began=began, last_end=began, killed=self.asked or 0.0)

    def sample(self, now: float) -> Sample:
        sample = super().sample(now)
        (reading,) = sample.readings
        ended = int(min(now, self.stands_from) * self.users / self.turn_s)
        slots = tuple(replace(slot, ended=0) for slot in reading.slots)
        return replace(sample, readings=(replace(reading, slots=slots, ended=ended),))

    def look(self, now: float) -> Examination:
        """They all wait for one semaphore, and the looks come too seldom to see it change hands."""
        return replace(self._looked(now, self.parked), parked={(PID, n): self.parked for n in range(1, self.users + 1)})


def test_a_crowd_that_waits_its_turn_is_not_deadlocked_and_one_whose_queue_stands_still_is() -> None:
    assert judged(Crowd(parked=LOCK), seconds=6).row.verdict is Verdict.CLEAN
    stuck = judged(Crowd(parked=LOCK, stands_from=8.0), seconds=30)
    assert stuck.row.hang_class is HangClass.DEADLOCKED


def test_a_lock_queue_that_moves_too_slowly_to_reach_everybody_is_not_clean() -> None:
    decision = judged(Crowd(users=200, parked=LOCK, turn_s=400.0), seconds=6)
    assert (decision.row.name, decision.row.verdict) == (RowName.WAITED_IN_VAIN, Verdict.INCONCLUSIVE)
    assert 0 < len(decision.stuck) < 200


def test_a_loop_has_turned_when_a_user_has_ended_an_operation_though_its_own_beat_is_late() -> None:
    class LateBeat(Cell):
        def sample(self, now: float) -> Sample:
            sample = super().sample(now)
            (reading,) = sample.readings
            return replace(sample, readings=(replace(reading, loop_at=1.0),))

    assert judged(LateBeat()).row.verdict is Verdict.CLEAN


@dataclass
class Script(Cell):
    """A program without Locust, users or loop: its operations end up to ``works_until``, itself at ``ends_at``."""

    users: int = 0
    works_until: float = 1.0
    standing: Standing = Standing.BLOCKED
    ends_at: float = float("inf")

    def sample(self, now: float) -> Sample:
        reading = Reading(
            pid=PID, parent=1, phase=2, role=Role.SCRIPT, started=0.1, native_at=now, loop_beats=0, loop_at=0.0,
            load_at=0.5, stop_at=0.0, begun=6, ended=int(min(now, self.works_until) * 10), failed=0, budget_refusals=0,
            error="", slots=(),
        )  # fmt: skip
        has_ended = now >= self.ends_at
        return Sample(
            now=now,
            readings=(reading,),
            cpu_s={} if has_ended else {PID: now * self.cores},
            exit_code=0 if has_ended else None,
        )

    def look(self, now: float) -> Examination:
        return Examination(at=now, parked={}, standing={PID: self.standing})


@pytest.mark.parametrize(
    ("cell", "verdict", "hang_class"),
    [
        (Script(standing=Standing.LOCKED), Verdict.HANG, HangClass.FROZEN),
        (Script(standing=Standing.PARKED), Verdict.HANG, HangClass.DEADLOCKED),
        (Script(standing=Standing.UNSERVED), Verdict.HANG, HangClass.FROZEN),
        (Script(standing=Standing.BLOCKED), Verdict.INCONCLUSIVE, None),
        (Script(standing=Standing.WAITING), Verdict.INCONCLUSIVE, None),
        (Script(standing=Standing.RUNNING, cores=1.0), Verdict.INCONCLUSIVE, None),
        (Script(works_until=1000.0), Verdict.CLEAN, None),  # it works to the end
        (Script(ends_at=5.0), Verdict.CLEAN, None),  # it ended
        (Script(standing=Standing.LOCKED, ends_at=8.0), Verdict.CLEAN, None),  # late, but it ended
    ],
)
def test_a_script_that_does_nothing_any_more_is_never_clean_unless_it_ends(
    cell: Script, verdict: Verdict, hang_class: HangClass | None
) -> None:
    decision = judged(cell, seconds=6)
    assert (decision.row.verdict, decision.row.hang_class) == (verdict, hang_class)


def test_two_looks_that_differ_settle_nothing_of_a_script() -> None:
    class Changing(Script):
        def look(self, now: float) -> Examination:
            kinds = [Standing.LOCKED, Standing.RUNNING]
            return Examination(at=now, parked={}, standing={PID: kinds[int(now) % 2]})

    assert judged(Changing(), seconds=6).row.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("deaths", "load_at", "name"),
    [
        (Deaths(others=1, starting_users=1), 0.0, RowName.NO_USER_STARTED),
        (Deaths(users=3), 0.5, RowName.ALL_USERS_DIED),
    ],
)
def test_users_that_cannot_be_made_or_started_are_a_crash_at_once(
    deaths: Deaths, load_at: float, name: RowName
) -> None:
    class Unmade(Cell):
        def sample(self, now: float) -> Sample:
            sample = super().sample(now)
            (reading,) = sample.readings
            gone = replace(reading, slots=(), load_at=load_at, ended=0, begun=0, deaths=deaths)
            return replace(sample, readings=(gone,))

    decision = judged(Unmade(users=0), seconds=100)
    assert decision.row.name is name
    assert decision.row.verdict is Verdict.CRASH
    assert decision.at < 5


@pytest.mark.parametrize(("stop_at", "verdict"), [(2.0, Verdict.CRASH), (6.0, Verdict.CLEAN)])
def test_a_load_that_a_signal_cut_short_is_not_clean(stop_at: float, verdict: Verdict) -> None:
    class Told(Cell):
        def sample(self, now: float) -> Sample:
            if now >= stop_at:
                self.asked = stop_at
            sample = super().sample(now)
            (reading,) = sample.readings
            return replace(sample, readings=(replace(reading, stopped_by_signal=now >= stop_at),))

    assert judged(Told(), seconds=5).row.verdict is verdict


class OwnEnd(Cell):
    """A load that ends before its time: ``how`` its reading then differs, and whether its process ends with it."""

    how: dict[str, float | int | bool]
    ends_at = 3.0
    stays_until = 3.5

    def sample(self, now: float) -> Sample:
        sample = super().sample(now)
        (reading,) = sample.readings
        has_ended = now >= self.ends_at
        slots = () if has_ended else reading.slots
        told = {key: value for key, value in self.how.items() if has_ended or key == "is_program"}
        seen = replace(reading, slots=slots, **told)
        has_gone = now >= self.stays_until
        return replace(sample, readings=(seen,), exit_code=self.exits_with or 0 if has_gone else None, cpu_s={PID: now})


def own_end(exits_with: int | None = None, **how: float | bool) -> OwnEnd:
    cell = OwnEnd(exits_with=exits_with)
    cell.how = {key: cell.ends_at if value is True and key.endswith("_at") else value for key, value in how.items()}
    return cell


@pytest.mark.parametrize(
    ("cell", "verdict"),
    [
        (own_end(stop_at=True), Verdict.CLEAN),  # a time limit of its own, a shape's end
        (own_end(load_ended_at=True), Verdict.CLEAN),  # it stopped its users, and did not quit
        (own_end(is_program=True), Verdict.CLEAN),  # a program ends when it likes
        (own_end(), Verdict.CRASH),  # the command never does
        (own_end(exits_with=1, stop_at=True), Verdict.CRASH),
        (own_end(exits_with=1, stop_at=True, exit_asked=1), Verdict.CLEAN),
        (own_end(exits_with=1, stop_at=True, exit_asked=3), Verdict.CRASH),
    ],
)
def test_a_load_that_ends_by_itself_is_clean_where_that_is_its_own_doing(cell: OwnEnd, verdict: Verdict) -> None:
    decision = judged(cell, seconds=10)
    assert decision.row.verdict is verdict
    assert decision.at < 6
    if "stop_at" in cell.how:
        assert decision.facts.own_end_s == 2.5


def test_a_program_whose_runner_has_quit_may_go_on_until_its_time_is_over() -> None:
    cell = own_end(is_program=True, stop_at=True, quit_done_at=True)
    cell.stays_until = 300
    decision = judged(cell, seconds=20)
    assert (decision.row.verdict, decision.facts.own_end_s) == (Verdict.CLEAN, 2.5)
    assert decision.facts.is_left_running
    assert 20 < decision.at < 25


def test_a_program_whose_runner_does_not_get_through_its_quit_is_unstoppable() -> None:
    cell = own_end(is_program=True, stop_at=True)
    cell.stays_until = 300
    assert judged(cell, seconds=20).row.name is RowName.PROCESS_OUTLIVES_THE_STOP


def test_users_that_have_all_gone_while_the_process_idles_are_told() -> None:
    class Left(Cell):
        def sample(self, now: float) -> Sample:
            self.users = 0 if now >= 3 else 3
            return super().sample(now)

    decision = judged(Left(), seconds=10)
    assert decision.row.verdict is Verdict.CLEAN
    assert decision.facts.left_s == pytest.approx(2.5, abs=PERIOD_S)
    assert judged(Cell(), seconds=10).facts.left_s == 0
