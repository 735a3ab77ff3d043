"""Each row of the table of graces: which ends it is for, and when their time is over."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from repro.core.judge.memory import Memory
from repro.core.judge.now import Load
from repro.core.judge.samples import Reading, Role, Sample, Slot
from repro.core.judge.stop import GRACE_TABLE, GRACES, Stop
from repro.model import Limits

LIMITS = Limits(stop_grace_s=2, start_s=20)
ASKED = 10.0
PERIOD_S = 0.5


@dataclass(frozen=True)
class Ending:
    """Three users under load for ten seconds: how many outlive the stop, were told of it, and what burns meanwhile."""

    left: int = 3
    is_told: bool = False
    cores: float = 0.0

    def sample(self, now: float) -> Sample:
        is_stopped = now > ASKED
        slots = tuple(
            Slot(
                number=number, is_user=True, busy=False, operation="", began=now, last_end=now, begun=1, ended=1,
                failed=0, poll_s=0, attempt_s=0, ceiling_s=0, born=1,
                killed=now if is_stopped and self.is_told else 0, greenlet=1,
            )
            for number in range(self.left if is_stopped else 3)
        )  # fmt: skip
        reading = Reading(
            pid=7, parent=1, phase=2, role=Role.LOCAL, started=0, native_at=now, loop_beats=int(now * 10), loop_at=now,
            load_at=1, stop_at=0, begun=1, ended=1, failed=0, budget_refusals=0, error="", slots=slots,
        )  # fmt: skip
        return Sample(now=now, readings=(reading,), cpu_s={7: now * self.cores})

    def stop(self, now: float) -> Stop:
        """The stop so many seconds of the clock on."""
        memory = Memory(LIMITS, Load(seconds=5, users=3))
        view = memory.at(self.sample(1.0))
        at = 1.0
        while at < now:
            at += PERIOD_S
            view = memory.at(self.sample(at))
            if at == ASKED:
                memory.ask_stop(at)
        return Stop(view)


@pytest.mark.parametrize(
    ("row", "ending", "ends_at"),
    [
        (0, Ending(left=0, cores=0.5), ASKED + PERIOD_S + GRACES * 2),
        (1, Ending(left=0), ASKED + PERIOD_S + 2),
        (2, Ending(is_told=True), ASKED + 2),
        (3, Ending(cores=0.5), ASKED + 20),
        (4, Ending(), ASKED + GRACES * 2),
    ],
)
def test_each_end_has_its_own_time(row: int, ending: Ending, ends_at: float) -> None:
    stop = ending.stop(ends_at)
    assert next(number for number, one in enumerate(GRACE_TABLE) if one.applies(stop)) == row
    assert not stop.is_grace_over
    assert ending.stop(ends_at + PERIOD_S).is_grace_over


def test_there_is_no_grace_before_the_stop() -> None:
    assert not Ending().stop(ASKED).is_grace_over
