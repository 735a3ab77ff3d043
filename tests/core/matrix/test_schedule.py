"""The order of trials: interleaved over the cells, ended early, gone on with, and never blocked by one environment."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest

from repro.core.matrix.schedule import Schedule
from repro.model import Cell, EnvironmentSpec, Trial, Verdict

NAMES = "abcdefgh"


def cell(name: str) -> Cell:
    return Cell(id=name, label=name, scenario="s", factors={}, settings={}, environ={}, environment=EnvironmentSpec())


CELLS = [cell(name) for name in NAMES]


def trial(name: str, number: int, verdict: Verdict = Verdict.CLEAN) -> Trial:
    return Trial(cell_id=name, number=number, verdict=verdict, reason="", started=datetime.now(UTC), seconds=1)


def always(_: Cell) -> bool:
    return True


def run(
    schedule: Schedule,
    verdict: Callable[[str, int], Verdict] = lambda *_: Verdict.CLEAN,
    *,
    jobs: int = 1,
    seed: int = 0,
) -> list[tuple[str, int]]:
    """All trials in the order in which they began, ``jobs`` at a time, ending in any order."""
    rng = random.Random(seed)
    begun: list[tuple[str, int]] = []
    under_way: list[tuple[str, int]] = []
    while not schedule.is_over():
        while len(under_way) < jobs and (chosen := schedule.next_trial(always)) is not None:
            begun.append((chosen[0].id, chosen[1]))
            under_way.append(begun[-1])
        assert under_way, "nothing runs, nothing can begin, and it is not over"
        name, number = under_way.pop(rng.randrange(len(under_way)))
        schedule.record(trial(name, number, verdict(name, number)))
    return begun


def new(cells: list[Cell] = CELLS, *, trials: int = 3, seed: int = 1, finished: Iterable[Trial] = ()) -> Schedule:
    return Schedule(cells, trials=trials, seed=seed, finished=finished)


def test_trials_go_in_rounds_over_all_cells() -> None:
    begun = run(new())
    rounds = [begun[start : start + len(NAMES)] for start in range(0, len(begun), len(NAMES))]
    assert len(rounds) == 3
    for index, one in enumerate(rounds):
        assert sorted(one) == [(name, index + 1) for name in NAMES]


def test_every_round_has_another_order_and_the_seed_decides_it() -> None:
    orders = {"".join(name for name, number in run(new(trials=5)) if number == one) for one in range(1, 6)}
    assert len(orders) == 5
    assert run(new(seed=7)) == run(new(seed=7)) != run(new(seed=8))


def test_the_first_round_is_shuffled_too() -> None:
    assert len({run(new(seed=seed))[0][0] for seed in range(50)}) == len(NAMES)


@pytest.mark.parametrize("jobs", [2, 3, 8, 20])
def test_side_by_side_every_trial_is_made_once(jobs: int) -> None:
    begun = run(new(), jobs=jobs, seed=jobs)
    assert sorted(begun) == [(name, number) for name in NAMES for number in (1, 2, 3)]


def test_a_cell_runs_twice_at_a_time_only_when_nothing_else_is_left() -> None:
    schedule = new(trials=2)
    first = [schedule.next_trial(always) for _ in NAMES]
    assert len({chosen[0].id for chosen in first if chosen}) == len(NAMES)
    again = schedule.next_trial(always)
    assert again is not None
    assert again[1] == 2


def test_a_hang_ends_its_cell_and_no_other() -> None:
    counts = Counter(name for name, _ in run(new(), lambda name, _: Verdict.HANG if name == "c" else Verdict.CLEAN))
    assert counts == {name: 1 if name == "c" else 3 for name in NAMES}


@pytest.mark.parametrize(("verdict", "made"), [(Verdict.UNTESTABLE, 1), (Verdict.CRASH, 2), (Verdict.FAILING, 2)])
def test_what_is_settled_is_not_tried_again(verdict: Verdict, made: int) -> None:
    assert len(run(new([cell("a")], trials=9), lambda *_: verdict)) == made


def test_a_trial_without_a_verdict_is_one_of_the_cells_own() -> None:
    assert len(run(new([cell("a")]), lambda *_: Verdict.BACKEND)) == 3


def test_what_is_not_ready_is_passed_over_and_made_later() -> None:
    schedule = new(trials=1)
    for _ in range(len(NAMES) - 1):
        chosen = schedule.next_trial(lambda one: one.id != "a")
        assert chosen is not None
        assert chosen[0].id != "a"
        schedule.record(trial(*((chosen[0].id, chosen[1]))))
    assert schedule.next_trial(lambda one: one.id != "a") is None
    assert not schedule.is_over()
    assert [one.id for one in schedule._order if schedule._is_open(one)] == ["a"]
    assert run(schedule) == [("a", 1)]


def test_an_environment_that_is_late_does_not_hold_up_the_others_rounds() -> None:
    schedule = new()
    for _ in range(3 * (len(NAMES) - 1)):
        chosen = schedule.next_trial(lambda one: one.id != "a")
        assert chosen is not None
        schedule.record(trial(chosen[0].id, chosen[1]))
    assert run(schedule) == [("a", 1), ("a", 2), ("a", 3)]


def test_it_is_over_only_when_nothing_runs() -> None:
    schedule = new([cell("a")], trials=1)
    assert schedule.next_trial(always) == (CELLS[0], 1)
    assert schedule.next_trial(always) is None
    assert not schedule.is_over()
    assert schedule.trials_left() == 1
    schedule.record(trial("a", 1))
    assert schedule.is_over()
    assert schedule.trials_left() == 0


def test_finished_trials_count_and_those_of_other_cells_do_not() -> None:
    finished = [trial("a", 1), trial("a", 2), trial("b", 1, Verdict.HANG), trial("z", 1)]
    schedule = new(finished=finished)
    assert schedule.trials_left() == 1 + 0 + 3 * 6
    begun = run(schedule)
    assert sorted(begun) == [("a", 3), *((name, number) for name in "cdefgh" for number in (1, 2, 3))]
    assert ("a", 3) in begun[-7:]  # those with the fewest come first


def test_an_interrupted_trial_is_made_anew_under_its_own_number() -> None:
    """Two at a time, the second of three interrupted: were it made as the fourth, the second would stay so."""
    finished = [trial("a", 1), trial("a", 3)]
    assert run(new([cell("a")], finished=finished)) == [("a", 2)]


def test_a_finished_run_is_over_at_once() -> None:
    schedule = new(finished=[trial(name, number) for name in NAMES for number in (1, 2, 3)])
    assert schedule.is_over()
    assert schedule.next_trial(always) is None
