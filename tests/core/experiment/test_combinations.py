"""Which cells of a matrix are run when few are to cover the others: rules, stacks, rows that must be there."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest

from repro.core.experiment.assignments import override
from repro.core.experiment.combinations import CoverRequest
from repro.core.experiment.experiment import ScenarioInfo
from repro.core.experiment.file import parse
from repro.core.experiment.plan import Planned, make_plan
from repro.errors import ExperimentError
from repro.model import Cell, Level

SCENARIO = ScenarioInfo(name="s", requires=("locust",))
MATRIX = """
[packages]
urllib3 = ["1.26.15", "1.26.16", "2.2.1"]
gevent = ["22.10.2", "24.2.1", "25.9.1"]
[settings]
client = ["shared", "per-user", "per-iteration"]
launch = ["cli", "library"]
tls = [true, false]
users = 3
"""
STACKS = """
[stacks]
old = { as_of = 2023-02-15, locust = "2.14.2" }
new = { as_of = 2024-03-15, locust = "2.24.0", configargparse = "1.7" }
"""


def planned(text: str, strength: int | None, *sets: str, seed: int = 0, done: Sequence[Cell] = ()) -> Planned:
    experiment = override(parse(f'scenario = "s"\n{text}', SCENARIO, source="my.toml", name="my"), sets, SCENARIO)
    rows = tuple(cell.factors for cell in done)
    return make_plan(
        experiment,
        SCENARIO,
        cover=CoverRequest(strength=strength, seed=seed, done=rows) if strength else None,
    )


def combinations(found: Planned, strength: int) -> set[tuple[tuple[str, Level], ...]]:
    levels = [[(name, cell.factors[name]) for name in found.plan.varied] for cell in found.plan.cells]
    return set(itertools.chain.from_iterable(itertools.combinations(one, strength) for one in levels))


@pytest.mark.parametrize("strength", [2, 3])
@pytest.mark.parametrize(
    "rules",
    [
        "",
        '[[exclude]]\nclient = "shared"\nlaunch = ["library"]',
        '[[exclude]]\nlocust = "2.14.2"\nclient = "per-user"\n[[exclude]]\ngevent = "25.9.1"\ntls = true',
        '[[include]]\nclient = "per-iteration"\n[[include]]\nlaunch = "cli"\nconfigargparse = "1.7"',
    ],
)
def test_every_combination_of_the_whole_matrix_is_in_a_cell_of_it(rules: str, strength: int) -> None:
    whole, few = (planned(f"{MATRIX}{STACKS}{rules}", asked) for asked in (None, strength))
    assert combinations(few, strength) == combinations(whole, strength)
    order = [cell.id for cell in whole.plan.cells]
    assert [cell.id for cell in few.plan.cells] == [
        name for name in order if name in {one.id for one in few.plan.cells}
    ]
    assert few.plan.cover is not None
    assert few.plan.cover.of == len(order) > 2 * len(few.plan.cells)
    assert few.plan.cover.combinations == len(combinations(whole, strength))
    assert {cell.label for cell in few.plan.cells} <= {cell.label for cell in whole.plan.cells}


def test_a_stack_keeps_its_bundle() -> None:
    for cell in planned(f"{MATRIX}{STACKS}", 2).plan.cells:
        bundle = {"old": ("2.14.2", "2023-02-15"), "new": ("2.24.0", "2024-03-15")}[str(cell.factors["stack"])]
        assert (cell.factors["locust"], cell.factors["as_of"]) == bundle


def test_what_no_cell_can_have_is_named_by_its_smallest_part() -> None:
    cover = planned(f'{MATRIX}[[exclude]]\nclient = "shared"\nlaunch = "library"', 3).plan.cover
    assert cover is not None
    assert cover.impossible == ({"client": "shared", "launch": "library"},)
    assert cover.ruled_out == 3 + 3 + 2, "with each level of the three other factors"


def test_a_cell_that_an_include_names_in_full_is_run_beside_the_others() -> None:
    row: Mapping[str, Level] = {
        "urllib3": "2.2.1", "gevent": "24.2.1", "client": "per-iteration", "launch": "library", "tls": True,
    }  # fmt: skip
    block = "\n".join(f"{name} = {'true' if level is True else repr(level)}" for name, level in row.items())
    for seed in range(5):
        found = planned(f"{MATRIX}[[include]]\n[[include]]\n{block}", 2, seed=seed)
        assert row in [{name: cell.factors[name] for name in row} for cell in found.plan.cells]
        assert combinations(found, 2) == combinations(planned(MATRIX, None), 2)


def test_an_include_that_names_several_cells_has_one_of_them() -> None:
    block = '[[include]]\nclient = "shared"\nurllib3 = "2.2.1"\ngevent = "25.9.1"\nlaunch = "library"'
    for seed in range(5):
        cells = planned(f"{MATRIX}[[include]]\n{block}", 2, seed=seed).plan.cells
        wanted = ("shared", "2.2.1", "25.9.1", "library")
        assert wanted in [tuple(c.factors[n] for n in ("client", "urllib3", "gevent", "launch")) for c in cells]


def test_a_run_is_extended_by_what_it_lacks() -> None:
    pairs = planned(MATRIX, 2)
    assert planned(MATRIX, 2, seed=7, done=pairs.plan.cells).plan.cells == pairs.plan.cells
    triples = planned(MATRIX, 3, done=pairs.plan.cells)
    assert {cell.id for cell in pairs.plan.cells} < {cell.id for cell in triples.plan.cells}
    assert combinations(triples, 3) == combinations(planned(MATRIX, None), 3)
    other = planned('[settings]\nclient = ["shared", "per-user"]\ntls = [true, false]\nlaunch = ["cli", "library"]', 2)
    assert not {cell.id for cell in other.plan.cells} & {cell.id for cell in triples.plan.cells}
    assert planned(MATRIX, 2, done=other.plan.cells).plan == pairs.plan, "a cell of another matrix is none of this one"


def test_all_cells_are_run_where_no_more_factors_vary() -> None:
    found = planned(MATRIX, 5)
    assert (len(found.plan.cells), found.plan.cover) == (3 * 3 * 3 * 2 * 2, None)
    assert found.notices == ("--cover 5: 5 of the factors vary, so that all cells are run",)


def test_a_matrix_that_is_too_large_to_be_run_is_covered() -> None:
    text = "[settings]\nusers = [1, 2, 3, 4, 5]\nmessages = [1, 2, 3, 4, 5]\nseconds = [1, 2, 3, 4, 5]\n"
    text += "\n".join(f"{name} = [1, 2, 3, 4, 5]" for name in ("read_timeout", "connect_timeout", "think_time"))
    text += "\n[env]\nA = ['1', '2', '3', '4', '5', '6', '7', '8']"
    with pytest.raises(ExperimentError, match="run few that cover the others by --cover 2"):
        planned(text, None)
    cover = planned(text, 2).plan.cover
    assert cover is not None
    assert cover.of == 125_000
    with pytest.raises(
        ExperimentError, match=r"--cover 6: .* more than 50,000; give a smaller --cover, or fewer levels"
    ):
        planned(text, 6)


def test_a_level_of_the_command_line_is_covered_too() -> None:
    found = planned(f'{MATRIX}[[include]]\ngevent = ["22.10.2", "24.2.1"]', 2, "gevent=24.2.1,26.9.0")
    whole = planned(f'{MATRIX}[[include]]\ngevent = ["22.10.2", "24.2.1"]', None, "gevent=24.2.1,26.9.0")
    assert combinations(found, 2) == combinations(whole, 2)


def test_rules_that_leave_no_cell_say_so() -> None:
    with pytest.raises(ExperimentError, match="rules leave no cell"):
        planned(f"{MATRIX}[[exclude]]\ntls = [true, false]", 2)
