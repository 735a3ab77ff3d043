"""What is known at a sample is a view of its own: whatever the trial does next, it stays."""

from __future__ import annotations

from repro.core.judge.memory import Memory
from repro.core.judge.now import Load
from repro.core.judge.samples import Examination, Parked, ParkedOn, Reading, Role, Sample, Slot
from repro.model import Limits

PID = 7


def slot(number: int, now: float) -> Slot:
    return Slot(
        number=number, is_user=True, busy=False, operation="Get", began=now - 0.2, last_end=now - 0.1, begun=3, ended=3,
        failed=0, poll_s=0, attempt_s=60, ceiling_s=300, born=0.5, killed=0, greenlet=number,
    )  # fmt: skip


def sample(now: float, *, users: int, ended: int) -> Sample:
    reading = Reading(
        pid=PID, parent=1, phase=2, role=Role.LOCAL, started=0.1, native_at=now, loop_beats=int(now * 5), loop_at=now,
        load_at=0.5, stop_at=0.0, begun=ended, ended=ended, failed=0, budget_refusals=0, error="",
        slots=tuple(slot(number, now) for number in range(1, users + 1)),
    )  # fmt: skip
    return Sample(now=now, readings=(reading,), cpu_s={PID: now / 2})


def memory() -> Memory:
    return Memory(Limits(), Load(seconds=5, users=3))


def test_a_view_knows_what_was_known_and_nothing_that_came_later() -> None:
    kept = memory()
    first = kept.at(sample(1.0, users=3, ended=10))
    kept.learn(Examination(at=1.5, parked={(PID, 1): Parked(on=ParkedOn.TIMER)}))
    kept.ask_stop(1.6)
    later = kept.at(sample(3.0, users=1, ended=50))
    # Asked only now: what is found lazily is found from that moment.
    assert [user.slot.number for user in first.users] == [1, 2, 3]
    assert (first.progress.ended, first.stop_at, first.looks.last) == (10, None, None)
    assert (len(later.users), later.progress.ended, later.stop_at, later.crowd.fell_at) == (1, 50, 1.6, 3.0)
    assert later.users[0].parked == Parked(on=ParkedOn.TIMER)


def test_who_is_there_when_the_load_has_had_its_time_is_called_once() -> None:
    kept = memory()
    assert kept.at(sample(5.0, users=2, ended=10)).last_call is None
    called = kept.at(sample(6.0, users=2, ended=20)).last_call
    assert called is not None
    assert set(called) == {(PID, 1), (PID, 2)}
    assert kept.at(sample(7.0, users=3, ended=30)).last_call == called


def test_a_mean_needs_a_second_and_an_operation_that_ended() -> None:
    kept = memory()
    assert kept.at(sample(1.0, users=3, ended=0)).progress.mean_s(30) == 0.0
    assert kept.at(sample(1.5, users=3, ended=10)).progress.mean_s(30) == 0.0
    assert kept.at(sample(3.0, users=3, ended=20)).progress.mean_s(30) == 3.0  # thirty in flight, ten end each second
