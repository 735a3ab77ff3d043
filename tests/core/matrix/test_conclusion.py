"""The sentence is computed from the cells: the smallest conditions, what makes no difference, what is not settled."""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence

import pytest

from repro.core.intervals import interval
from repro.core.matrix.conclusion import conclude
from repro.model import Cell, CellResult, CellVerdict, EnvironmentSpec, Level, Trial, Verdict

CLEAN, HANG, CRASH = CellVerdict.CLEAN, CellVerdict.HANG, CellVerdict.CRASH
Rule = Callable[[Mapping[str, Level]], CellVerdict | None]


def results(factors: Mapping[str, Sequence[Level]], rule: Rule, *, trials: int = 3) -> list[CellResult]:
    found = []
    for index, values in enumerate(itertools.product(*factors.values())):
        levels = dict(zip(factors, values, strict=True))
        verdict = rule(levels)
        if verdict is None:
            continue
        cell = Cell(
            id=str(index),
            label="",
            scenario="s",
            factors=levels,
            settings={},
            environ={},
            environment=EnvironmentSpec(),
        )
        rate = {CLEAN: interval(0, trials), HANG: interval(1, 1)}.get(verdict)
        found.append(CellResult(cell=cell, trials=(TRIAL,), verdict=verdict, rate=rate))
    return found


TRIAL = Trial(
    cell_id="", number=1, verdict=Verdict.CLEAN, reason="", started=__import__("datetime").datetime.now(), seconds=1
)
CROSSED = {
    "locust": ["2.14.2", "2.24.0"],
    "gevent": ["22.10.2", "24.2.1", "25.9.1"],
    "urllib3": ["1.26.15", "1.26.16", "2.2.1"],
}


def text(factors: Mapping[str, Sequence[Level]], rule: Rule, **kwargs: int) -> str:
    return conclude(results(factors, rule, **kwargs), list(factors)).text


def test_the_crossed_experiment_names_gevent_and_urllib3_and_acquits_locust() -> None:
    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        return HANG if levels["gevent"] != "25.9.1" and levels["urllib3"] != "1.26.15" else CLEAN

    assert text(CROSSED, rule) == (
        "hangs when gevent<=24.2.1 (25.9.1 clean) and urllib3>=1.26.16 (1.26.15 clean); locust makes no difference; "
        "a clean cell had at least 3 trials, which could have missed a hang rate of up to 63%"
    )


def test_no_difference_is_claimed_only_where_it_was_seen() -> None:
    factors = {
        "client": ["shared", "per-iteration"],
        "import_order": ["locust-first", "boto3-first"],
        "launch": ["cli", "library"],
    }

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        if levels["launch"] == "library" and levels["import_order"] == "boto3-first":
            return CRASH
        return HANG if levels["client"] == "per-iteration" else CLEAN

    said = text(factors, rule)
    assert said.startswith("hangs when client=per-iteration; import_order makes no difference under launch=cli; ")
    assert "launch makes no difference under import_order=locust-first" in said
    assert "crashes when import_order=boto3-first and launch=library" in said


def test_all_levels_under_which_it_makes_no_difference_are_named() -> None:
    factors = {"client": ["shared", "per-iteration"], "order": ["a", "b"], "launch": ["cli", "library", "distributed"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        if levels["launch"] == "library" and levels["order"] == "b":
            return CRASH
        return HANG if levels["client"] == "per-iteration" else CLEAN

    assert "order makes no difference under launch in cli, distributed; " in text(factors, rule)


def test_factors_in_lockstep_are_one() -> None:
    factors = {"connect_timeout": [60, 5], "read_timeout": [60, 10], "client": ["shared", "per-iteration"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict | None:
        if (levels["connect_timeout"] == 60) != (levels["read_timeout"] == 60):
            return None
        return HANG if levels["client"] == "per-iteration" else CLEAN

    assert "connect_timeout and read_timeout make no difference" in text(factors, rule)


def test_two_equally_small_explanations_are_not_settled() -> None:
    factors = {"gevent": ["24.2.1", "25.9.1"], "urllib3": ["1.26.15", "2.2.1"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict | None:
        both = (levels["gevent"], levels["urllib3"])
        return {
            ("24.2.1", "2.2.1"): HANG,
            ("25.9.1", "1.26.15"): CLEAN,
            ("24.2.1", "1.26.15"): None,
            ("25.9.1", "2.2.1"): None,
        }[both]

    found = conclude(results({**factors, "client": ["a", "b"]}, rule), [*factors, "client"])
    assert "hangs when gevent and urllib3" not in found.text  # in lockstep here: one factor, spelt out
    assert "gevent=24.2.1 and urllib3=2.2.1" in found.text


def test_unsettled_is_said() -> None:
    factors = {"a": ["x", "y"], "b": ["x", "y"]}
    verdicts = {("x", "x"): CLEAN, ("y", "y"): HANG, ("x", "y"): CRASH, ("y", "x"): CRASH}
    found = conclude(results(factors, lambda levels: verdicts[levels["a"], levels["b"]]), list(factors))
    assert not found.is_settled
    assert "or when" in found.text
    assert "do not settle which" in found.text


def test_a_disjunction_is_found_when_no_single_condition_separates() -> None:
    factors = {"a": ["1", "2", "3"], "b": ["p", "q"], "c": ["p", "q"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        return (
            HANG
            if (levels["a"] == "1" and levels["b"] == "p") or (levels["a"] == "3" and levels["c"] == "q")
            else CLEAN
        )

    found = conclude(results(factors, rule), list(factors))
    assert len(found.alternatives[0]) == 2
    assert ", and when " in found.text


def test_nothing_hung_says_what_could_have_been_missed() -> None:
    assert text(CROSSED, lambda _: CLEAN, trials=5).startswith("no hang in 18 of 18 cells")
    assert "up to 45%" in text(CROSSED, lambda _: CLEAN, trials=5)


def test_all_hung_explains_nothing() -> None:
    assert "do not show what it depends on" in text(CROSSED, lambda _: HANG)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_rule_made_the_cells_the_explanation_separates_them(seed: int) -> None:
    chance = random.Random(seed)
    factors = {f"f{i}": [f"l{j}" for j in range(chance.randint(2, 4))] for i in range(4)}
    wanted = {name: set(chance.sample(levels, 1)) for name, levels in list(factors.items())[: chance.randint(1, 3)]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        return HANG if all(levels[name] in allowed for name, allowed in wanted.items()) else CLEAN

    cells = results(factors, rule)
    found = conclude(cells, list(factors))
    assert found.is_settled, seed
    for result in cells:
        told = any(all(result.cell.factors[c.factor] in c.levels for c in part) for part in found.alternatives[0])
        assert told == (result.verdict is HANG), seed
