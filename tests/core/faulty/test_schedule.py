"""The trials of a run's cells, then those that settle which levels hang together, as a runner asks for them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime

from repro.core.faulty.conclusion import concluded
from repro.core.faulty.schedule import ConfirmingSchedule
from repro.core.matrix.hazards import result_of
from repro.core.matrix.schedule import Schedule
from repro.model import (
    Bound,
    Cell,
    Confirm,
    EnvironmentSpec,
    Exposure,
    Hang,
    HangClass,
    Level,
    Limits,
    Plan,
    Trial,
    Verdict,
)

NAMES = ("a", "b", "c", "d")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
HANG = Hang(hang_class=HangClass.FROZEN, users_stuck=1, users=1, stuck_since_s=1.0, bound=Bound(at_most_s=None))
COVERING = ("0000", "0111", "1011", "1101", "1110")


def cell(levels: str) -> Cell:
    factors: dict[str, Level] = dict(zip(NAMES, levels, strict=True))
    return Cell(
        id=levels, label=levels, scenario="s", factors=factors, settings={}, environ={}, environment=EnvironmentSpec()
    )


def cell_of(levels: Mapping[str, Level]) -> Cell | None:
    return cell("".join(str(levels[name]) for name in NAMES))


class Run:
    """A run whose cells hang where ``a`` and ``c`` are 1; cells of ``broken`` come to nothing."""

    def __init__(self, *, most_trials: int = 50, broken: frozenset[str] = frozenset()) -> None:
        self.plan = Plan(
            experiment="e", scenario="s", cells=tuple(map(cell, COVERING)), varied=NAMES, trials=2, limits=Limits(),
            confirm=Confirm(confidence=0.95, most_trials=most_trials),
        )  # fmt: skip
        self.broken = broken
        self.added: list[str] = []
        self.trials: list[Trial] = []

    def make(self, cell_id: str, number: int) -> Trial:
        hangs = cell_id[0] == cell_id[2] == "1"
        verdict = Verdict.HANG if hangs else Verdict.CLEAN
        return Trial(
            cell_id=cell_id, number=number, verdict=Verdict.UNTESTABLE if cell_id in self.broken else verdict,
            started=BEGAN, seconds=1.0, hang=HANG if hangs else None, exposure=Exposure(operations=100, seconds=1.0),
            at_hang=Exposure(operations=10, seconds=0.5),
        )  # fmt: skip

    def go(self, finished: tuple[Trial, ...] = (), slots: int = 2) -> None:
        first = Schedule(self.plan.cells, trials=self.plan.trials, seed=0, finished=finished)
        schedule = ConfirmingSchedule(
            first, self.plan, cell_of=cell_of, on_cell=lambda one: self.added.append(one.id), finished=finished
        )
        for _ in itertools.repeat(None, 500):
            if schedule.is_over():
                return
            chosen = [one for _ in range(slots) if (one := schedule.next_trial(lambda _: True))]
            for one, number in chosen:
                trial = self.make(one.id, number)
                self.trials.append(trial)
                schedule.record(trial)
        raise AssertionError("it never ends")

    @property
    def numbers(self) -> list[tuple[str, int]]:
        return [(trial.cell_id, trial.number) for trial in self.trials]


def test_cells_are_added_until_the_combination_is_shown() -> None:
    run = Run()
    run.go()
    first = [cell_id for cell_id, _ in run.numbers[:8]]
    assert set(first) == set(COVERING), "the cells of the plan first"
    assert run.added
    assert not set(run.added) & set(COVERING)
    assert len(set(run.numbers)) == len(run.numbers), "no trial is numbered twice"
    cells = [cell(one) for one in dict.fromkeys([*COVERING, *run.added])]
    results = [result_of(one, [trial for trial in run.trials if trial.cell_id == one.id]) for one in cells]
    faulty = concluded(results, run.plan, cell_of=cell_of).faulty
    assert faulty is not None
    assert faulty.is_settled
    (found,) = faulty.found
    assert [dict(clause.condition.levels[0]) for clause in found.clauses] == [{"a": "1"}, {"c": "1"}]
    assert found.is_enough
    assert all(clause.is_shown for clause in found.clauses)


def test_it_ends_with_the_trials_that_it_may_make() -> None:
    run = Run(most_trials=2)
    run.go(slots=1)
    assert len(run.trials) - len([one for one in run.trials if one.cell_id in COVERING]) <= 2


def test_what_cannot_be_tested_is_not_tried_again() -> None:
    everything = frozenset("".join(levels) for levels in itertools.product("01", repeat=4)) - set(COVERING)
    run = Run(broken=everything)
    run.go()
    assert len([one for one in run.trials if one.cell_id in everything]) == len(set(run.added)), "each once"


def test_a_run_goes_on_where_it_was() -> None:
    whole = Run()
    whole.go()
    again = Run()
    finished = tuple(trial for trial in whole.trials if trial.cell_id in COVERING)
    again.go(finished=finished)
    assert all(one.cell_id not in COVERING or one.number > 1 for one in again.trials)
    assert len(again.trials) <= len(whole.trials) - len({one.cell_id for one in finished})
