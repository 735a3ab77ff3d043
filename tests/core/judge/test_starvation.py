"""The judge on a machine that has no processor to give: what is denied one has not hung, and what asks for none has."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from repro.core.judge.judge import Decision, Judge, Step
from repro.core.judge.now import Load
from repro.core.judge.samples import Examination, Parked, ParkedOn, Reading, Role, Sample, Slot
from repro.core.judge.stop import LONGEST_EXTENSION_S
from repro.core.judge.table import RowName
from repro.core.judge.tracks import MOST_DENIED, Starvation
from repro.model import HangClass, Limits, Verdict

PID, BACKEND = 100, 200
PERIOD_S = 0.5
LIMITS = Limits(stall_after_s=2, stop_grace_s=2, beat_s=2, start_s=20)
SOCKET = Parked(on=ParkedOn.SOCKET)
SLOT = Slot(
    number=1, is_user=True, busy=True, operation="SendMessage", began=1, last_end=0, begun=1, ended=0, failed=0,
    poll_s=0, attempt_s=3, ceiling_s=10, born=1, killed=0, greenlet=1,
)  # fmt: skip


@dataclass
class Machine:
    """A trial whose processes wait for so much of the time for a core: the cell's, and the backend's.

    ``served_s`` is how long each operation takes, one user after the other; the first ``lost`` are never answered.
    ``attempt_s`` is how long a request may take. A process without users goes ``exits_after_s`` after the stop.
    """

    users: int = 5
    denied: float = 0.0
    denied_beside: float = 0.0
    served_s: float = 0.5
    lost: int = 0
    attempt_s: float = 3.0
    exits_after_s: float = 0.5
    asked: float | None = None

    def sample(self, now: float) -> Sample:
        is_over = self.asked is not None and now - self.asked > self.exits_after_s
        everybody = tuple(self._slot(number, min(now, self.asked or now)) for number in range(self.users))
        ended = sum(slot.ended for slot in everybody)
        reading = Reading(
            pid=PID, parent=1, phase=2, role=Role.LOCAL, started=0.1, native_at=now, loop_beats=int(now * 10),
            loop_at=now, load_at=1, stop_at=self.asked or 0, begun=ended + self.users, ended=ended, failed=0,
            budget_refusals=0, error="", slots=everybody if self.asked is None else (),
        )  # fmt: skip
        return Sample(
            now=now,
            readings=(reading,),
            cpu_s={} if is_over else {PID: now * 0.01},
            exit_code=0 if is_over else None,
            denied_s={PID: now * self.denied},
            denied_beside_s={BACKEND: now * self.denied_beside},
        )

    def _slot(self, number: int, now: float) -> Slot:
        """A user who is answered every ``served_s``, each of them at a moment of its own."""
        if number < self.lost:
            return replace(SLOT, number=number, attempt_s=self.attempt_s)
        first = (number + 1) / self.users
        turns = max(0, int((now - 1) / self.served_s + 1 - first))
        began = 1 + (turns - 1 + first) * self.served_s if turns else 1
        own = replace(SLOT, attempt_s=self.attempt_s)
        return replace(own, number=number, began=began, last_end=began if turns else 0, begun=turns + 1, ended=turns)

    def look(self, now: float) -> Examination:
        parked = {(PID, number): SOCKET for number in range(self.users)}
        return Examination(at=now, parked=parked, beats={PID: int(now * 10)})


def judged(machine: Machine, *, seconds: float = 5, limit_s: float = 3000) -> Decision:
    judge, now = Judge(LIMITS, Load(seconds=seconds, users=machine.users)), 1.0
    while now < limit_s:
        step = judge.observe(machine.sample(now))
        if isinstance(step, Decision):
            return step
        if step is Step.EXAMINE:
            judge.learn(machine.look(now))
        elif step is Step.ASK_STOP:
            machine.asked = now
        now += PERIOD_S
    raise AssertionError("never decided")


def test_a_process_that_is_denied_a_processor_has_its_time_to_exit() -> None:
    assert judged(Machine(denied=0.9, exits_after_s=15)).row.verdict is Verdict.CLEAN


@pytest.mark.parametrize(("denied", "until_s"), [(0.0, 3), (0.9, 70)])
def test_a_process_that_never_exits_is_found_on_a_starved_machine_too(denied: float, until_s: float) -> None:
    machine = Machine(denied=denied, exits_after_s=float("inf"))
    decision = judged(machine)
    assert decision.row.hang_class is HangClass.UNSTOPPABLE
    assert machine.asked is not None
    assert decision.at - machine.asked <= until_s


def test_the_last_thread_of_a_process_that_ends_is_waited_for() -> None:
    judge, machine = Judge(LIMITS, Load(seconds=1, users=5)), Machine()
    for now in (1.0, 1.5, 2.0):
        judge.observe(machine.sample(now))
    machine.asked, machine.exits_after_s = 2.5, 0.0
    for now in (2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5):
        assert judge.observe(replace(machine.sample(now), cpu_s={}, exit_code=None)) is Step.GO_ON
    assert isinstance(judge.observe(machine.sample(6.0)), Decision)


@pytest.mark.parametrize("side", ["denied", "denied_beside"])
def test_users_of_a_starved_cell_or_backend_are_waited_for(side: str) -> None:
    starved = replace(Machine(served_s=12), **{side: 0.9})
    assert judged(starved, seconds=30).row.verdict is Verdict.CLEAN


@pytest.mark.parametrize(("denied_beside", "until_s"), [(0.0, 20), (0.9, 200)])
def test_users_that_are_never_answered_are_found_on_a_starved_machine_too(denied_beside: float, until_s: float) -> None:
    decision = judged(Machine(lost=2, denied_beside=denied_beside))
    assert decision.row.hang_class is HangClass.UNANSWERED
    assert [user.slot.number for user in decision.stuck] == [0, 1]
    assert decision.at <= until_s


def test_a_queue_that_moves_too_slowly_to_be_waited_for_is_the_backends() -> None:
    decision = judged(Machine(users=300, served_s=200))
    assert (decision.row.name, decision.row.verdict) == (RowName.AT_CAPACITY, Verdict.BACKEND)
    assert decision.at > LONGEST_EXTENSION_S


def test_who_waits_far_longer_than_others_in_a_slow_queue_is_unanswered() -> None:
    decision = judged(Machine(users=300, served_s=30, lost=3, attempt_s=40))
    assert decision.row.hang_class is HangClass.UNANSWERED
    assert len(decision.stuck) == 3


def test_who_waits_in_a_queue_that_is_longer_than_a_timeout_has_not_hung() -> None:
    """Every attempt times out before its turn and begins again at the end: who is answered has been lucky."""
    decision = judged(Machine(users=300, served_s=30, lost=3, attempt_s=20))
    assert (decision.row.name, decision.row.verdict) == (RowName.AT_CAPACITY, Verdict.BACKEND)


def test_all_of_a_crowd_that_waits_for_ever_are_unanswered() -> None:
    decision = judged(Machine(users=300, lost=300))
    assert decision.row.hang_class is HangClass.UNANSWERED
    assert decision.at < 30


def test_the_time_before_a_request_left_does_not_count_as_waiting_for_its_answer() -> None:
    """A user stands in line for half a minute for a name to be resolved, and is then first seen at a socket."""
    machine = Machine(lost=1)
    judge, now = Judge(LIMITS, Load(seconds=100, users=5)), 1.0
    in_line = Parked(on=ParkedOn.LOCK, lock="100:1", root=ParkedOn.ELSEWHERE)
    while now < 40:
        step = judge.observe(machine.sample(now))
        assert not isinstance(step, Decision)
        look = machine.look(now)
        judge.learn(replace(look, parked={**look.parked, (PID, 0): in_line if now < 30 else SOCKET}))
        now += PERIOD_S


def test_starvation_is_let_off_up_to_most_of_the_time() -> None:
    starvation = Starvation()
    for now in range(1, 101):
        starvation = starvation.after(float(now), {PID: 0.5 * now, BACKEND: 0.1 * now})
    assert starvation.own_s(50.0, 100.0) == pytest.approx(25, abs=1)
    assert starvation.own_s(100.0, 100.0) == 0
    for now in range(101, 201):
        starvation = starvation.after(float(now), {PID: 50.0 + 2 * (now - 100)})
    assert starvation.own_s(100.0, 200.0) == pytest.approx(100 * (1 - MOST_DENIED))
