"""How long a cell is tried: until it is settled, all trials, so many seconds of load, until something is ruled out."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from repro.core.matrix.effort import KEPT_CLEAN, Tried, forecast, is_enough, is_kept_whole, thinned, trials_left
from repro.core.matrix.schedule import Schedule
from repro.model import Cell, Effort, EnvironmentSpec, Exposure, Trial, Until, Verdict

CELL = Cell(
    id="a", label="a", scenario="s", factors={}, settings={"seconds": 8}, environ={}, environment=EnvironmentSpec()
)
CLEAN = Trial(
    cell_id="a",
    number=1,
    verdict=Verdict.CLEAN,
    started=datetime(2026, 1, 1, tzinfo=UTC),
    seconds=12.0,
    exposure=Exposure(operations=100, seconds=8.0),
)
HANG, CRASH = Verdict.HANG, Verdict.CRASH
SOAK, RULE_OUT = Effort(soak_s=100), Effort(rule_out=1 / 5000)


def made(*verdicts: Verdict, operations: int = 2000, seconds: float = 8.0) -> list[Tried]:
    return [Tried(verdict, Exposure(operations=operations, seconds=seconds)) for verdict in verdicts]


def test_all_makes_every_trial_whatever_they_come_to() -> None:
    effort = Effort(until=Until.ALL)
    assert not is_enough(made(HANG, CRASH, CRASH, CRASH), effort, trials=5)
    assert is_enough(made(HANG, HANG, HANG), effort, trials=3)
    assert is_enough(made(Verdict.UNTESTABLE), effort, trials=3)
    assert is_enough(made(HANG), Effort(), trials=3)


@pytest.mark.parametrize(("effort", "enough"), [(SOAK, 13), (RULE_OUT, 8), (Effort(soak_s=100, rule_out=1 / 5000), 13)])
def test_a_soak_takes_as_many_trials_as_it_takes(effort: Effort, enough: int) -> None:
    clean = Verdict.CLEAN
    assert not is_enough(made(*[clean] * (enough - 1)), effort, trials=3)
    assert is_enough(made(*[clean] * enough), effort, trials=3)
    assert trials_left(made(*[clean] * 3), effort, trials=3, trial_s=8, operations_s=0) == enough - 3
    beside = [*made(*[clean] * (enough - 1)), *made(Verdict.BACKEND)]  # what does not count is made again
    assert not is_enough(beside, effort, trials=3)


def test_a_hang_ends_a_soak_unless_all_of_it_was_asked_for() -> None:
    assert is_enough(made(Verdict.CLEAN, HANG), SOAK, trials=3)
    assert not is_enough(made(Verdict.CLEAN, HANG), Effort(soak_s=100, until=Until.ALL), trials=3)


def test_a_soak_is_bounded_by_the_trials_that_were_given_and_by_those_that_bring_nothing() -> None:
    assert is_enough(made(*[Verdict.CLEAN] * 4), Effort(soak_s=100, most_trials=4), trials=4)
    assert is_enough(made(*[Verdict.BACKEND] * 3), SOAK, trials=3)
    assert is_enough(made(*[Verdict.CLEAN] * 3, operations=0), RULE_OUT, trials=3)
    assert not is_enough(made(*[Verdict.CLEAN] * 3, operations=0), SOAK, trials=3)


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_schedule_soaks_a_cell_and_makes_no_trial_more_than_it_takes(jobs: int) -> None:
    chance = random.Random(jobs)
    schedule = Schedule([CELL], trials=3, seed=1, effort=SOAK)
    begun: list[int] = []
    under_way: list[int] = []
    while not schedule.is_over():
        while len(under_way) < jobs and (chosen := schedule.next_trial(lambda _: True)) is not None:
            under_way.append(chosen[1])
            begun.append(chosen[1])
        number = under_way.pop(chance.randrange(len(under_way)))
        exposure = Exposure(operations=100, seconds=8.0)
        schedule.record(Trial(**{**vars(CLEAN), "number": number, "exposure": exposure}))
    assert sorted(begun) == list(range(1, 14))


def test_what_a_soak_will_take_is_known_before_it_and_of_operations_by_what_the_backend_carries() -> None:
    found = forecast([CELL, CELL], SOAK, trials=3, jobs=2, carries_s=250)
    assert (found.trials, found.seconds) == (26, 156)
    by_operations = forecast([CELL], RULE_OUT, trials=3, jobs=1, carries_s=250)
    assert (by_operations.trials, by_operations.seconds, by_operations.operations_s) == (8, 96, 250)
    assert forecast([CELL], RULE_OUT, trials=3, jobs=1, carries_s=float("inf")).seconds is None


def test_of_a_soaks_clean_trials_few_are_kept_whole() -> None:
    late = Trial(**{**vars(CLEAN), "number": KEPT_CLEAN + 1, "evidence": "evidence/a-4", "versions": {"x": "1"}})
    hung = Trial(**{**vars(late), "verdict": HANG})
    assert [is_kept_whole(one, SOAK) for one in (CLEAN, late, hung)] == [True, False, True]
    assert is_kept_whole(late, Effort())
    assert (thinned(late).evidence, thinned(late).versions, thinned(late).exposure) == ("", {}, CLEAN.exposure)
