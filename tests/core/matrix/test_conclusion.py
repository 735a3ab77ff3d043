"""The conclusion is computed from the cells: the smallest conditions, what makes no difference, what is not settled."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import pytest

from repro.core.matrix.conclusion import conclude
from repro.model import CellOutcome, CellResult, CellVerdict, CleanMeans, Condition, ConditionKind, Level, NoEffect

CLEAN, HANG, CRASH = CellVerdict.CLEAN, CellVerdict.HANG, CellVerdict.CRASH
MakeCells = Callable[..., list[CellResult]]


def equal(**levels: Level) -> Condition:
    return Condition(kind=ConditionKind.EQUAL, levels=(levels,))


def test_thresholds_name_the_clean_level_beyond_them(judged_cells: MakeCells) -> None:
    factors = {"gevent": ["22.10.2", "24.2.1", "25.9.1"], "urllib3": ["1.26.15", "1.26.16"], "locust": ["1", "2"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        return HANG if levels["gevent"] != "25.9.1" and levels["urllib3"] != "1.26.15" else CLEAN

    found = conclude(judged_cells(factors, rule, ended=50), list(factors))
    gevent = Condition(
        kind=ConditionKind.AT_MOST,
        levels=({"gevent": "22.10.2"}, {"gevent": "24.2.1"}),
        neighbour={"gevent": "25.9.1"},
    )
    urllib3 = Condition(kind=ConditionKind.AT_LEAST, levels=({"urllib3": "1.26.16"},), neighbour={"urllib3": "1.26.15"})
    assert found.outcomes == (CellOutcome(verdict=HANG, cells=4, of=12, explanations=(((gevent, urllib3),),)),)
    assert found.no_effect == (NoEffect(factors=("locust",), pairs=6),)
    assert (found.cells, found.clean) == (12, 8)
    assert found.clean_means == CleanMeans(
        trials=3,
        operations=50,
        could_have_missed=pytest.approx(0.632, abs=0.001),
        hazard_missed=pytest.approx(2.996 / 50, abs=0.001),
    )


def test_no_difference_is_claimed_only_where_it_was_seen(judged_cells: MakeCells) -> None:
    factors = {
        "client": ["shared", "per-iteration"],
        "order": ["a", "b"],
        "launch": ["cli", "library", "distributed"],
    }

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        if levels["launch"] == "library" and levels["order"] == "b":
            return CRASH
        return HANG if levels["client"] == "per-iteration" else CLEAN

    found = conclude(judged_cells(factors, rule), list(factors))
    launches = Condition(kind=ConditionKind.AMONG, levels=({"launch": "cli"}, {"launch": "distributed"}))
    assert NoEffect(factors=("order",), under=(launches,), pairs=4) in found.no_effect
    assert NoEffect(factors=("launch",), under=(equal(order="a"),), pairs=8) in found.no_effect
    crash = CellOutcome(verdict=CRASH, cells=2, of=12, explanations=(((equal(order="b"), equal(launch="library")),),))
    assert found.outcome(CRASH) == crash
    assert found.outcome(CellVerdict.FAILING) is None


def test_factors_in_lockstep_are_one(judged_cells: MakeCells) -> None:
    factors = {"connect_timeout": [60, 5], "read_timeout": [60, 10], "client": ["shared", "per-iteration"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict | None:
        if (levels["connect_timeout"] == 60) != (levels["read_timeout"] == 60):
            return None
        return HANG if levels["client"] == "per-iteration" else CLEAN

    found = conclude(judged_cells(factors, rule), list(factors))
    assert found.no_effect == (NoEffect(factors=("connect_timeout", "read_timeout"), pairs=2),)


def test_two_equally_small_explanations_are_not_settled(judged_cells: MakeCells) -> None:
    factors = {"a": ["x", "y"], "b": ["x", "y"]}
    verdicts = {("x", "x"): CLEAN, ("y", "y"): HANG, ("x", "y"): CRASH, ("y", "x"): CRASH}
    found = conclude(judged_cells(factors, lambda levels: verdicts[levels["a"], levels["b"]]), list(factors))
    hang = found.outcome(HANG)
    assert hang is not None
    assert hang.explanations == (((equal(a="y"),),), ((equal(b="y"),),))


def test_a_disjunction_is_found_when_no_single_condition_separates(judged_cells: MakeCells) -> None:
    factors = {"a": ["1", "2", "3"], "b": ["p", "q"], "c": ["p", "q"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        is_first, is_second = (levels["a"], levels["b"]) == ("1", "p"), (levels["a"], levels["c"]) == ("3", "q")
        return HANG if is_first or is_second else CLEAN

    hang = conclude(judged_cells(factors, rule), list(factors)).outcome(HANG)
    assert hang is not None
    assert len(hang.explanations[0]) == 2


def test_without_a_hang_or_without_a_clean_cell_nothing_is_explained(judged_cells: MakeCells) -> None:
    factors = {"a": ["x", "y"]}
    clean = conclude(judged_cells(factors, lambda _: CLEAN), ["a"])
    assert (clean.outcomes, clean.no_effect, clean.clean) == ((), (), 2)
    hung = conclude(judged_cells(factors, lambda _: HANG), ["a"])
    assert hung.outcomes == (CellOutcome(verdict=HANG, cells=2, of=2),)
    assert hung.clean_means is None


@pytest.mark.parametrize("seed", range(40))
def test_whatever_rule_made_the_cells_the_explanation_separates_them(seed: int, judged_cells: MakeCells) -> None:
    chance = random.Random(seed)
    factors = {f"f{i}": [f"l{j}" for j in range(chance.randint(2, 4))] for i in range(4)}
    wanted = {name: set(chance.sample(levels, 1)) for name, levels in list(factors.items())[: chance.randint(1, 3)]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        return HANG if all(levels[name] in allowed for name, allowed in wanted.items()) else CLEAN

    cells = judged_cells(factors, rule)
    hang = conclude(cells, list(factors)).outcome(HANG)
    assert hang is not None
    assert len(hang.explanations) == 1, seed
    for result in cells:
        told = any(all(_holds(one, result) for one in part) for part in hang.explanations[0])
        assert told == (result.verdict is HANG), seed


def _holds(condition: Condition, result: CellResult) -> bool:
    return any(all(result.cell.factors[name] == level for name, level in one.items()) for one in condition.levels)
