"""The picture's parting: every cell is in it once, headings span what they stand over, what hangs stands together."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import pytest

from repro.model import CellVerdict, Level
from repro.presentation.matrix.matrix import MOST_ACROSS, arrange, shown, varied_of


@dataclass(frozen=True)
class PlacedCell:
    factors: Mapping[str, Level]
    verdict: CellVerdict


def cell(verdict: str = "clean", **factors: Level) -> PlacedCell:
    return PlacedCell(factors, CellVerdict(verdict))


def placed(matrix) -> list[int]:
    return sorted(index for line in matrix.lines for place in line.places for index in place)


@pytest.mark.parametrize("seed", range(30))
def test_every_cell_is_there_once_under_its_own_levels(seed: int) -> None:
    dice = random.Random(seed)
    names = [f"f{number}" for number in range(dice.randint(1, 5))]
    every = list(product(*(range(dice.randint(1, 4)) for _ in names)))
    cells = [
        cell(dice.choice(("hang", "clean")), **dict(zip(names, levels, strict=True)))
        for levels in dice.sample(every, dice.randint(1, len(every)))
    ]
    varied = varied_of(cells, names)
    matrix = arrange(cells, varied)
    assert placed(matrix) == list(range(len(cells)))
    assert len(matrix.columns) <= MOST_ACROSS
    standing = [""] * len(matrix.down)
    for line in matrix.lines:
        standing = [head.text if head.span else above for head, above in zip(line.heads, standing, strict=True)]
        for column, place in zip(matrix.columns, line.places, strict=True):
            for index in place:
                levels = {name: shown(cells[index].factors[name]) for name in varied}
                names = ", ".join((*matrix.across, *matrix.down)).split(", ") if varied else []
                assert levels == dict(zip(names, ", ".join((*column, *standing)).split(", "), strict=False))


def test_a_whole_crossing_has_no_hole() -> None:
    cells = [cell(locust=a, gevent=b, urllib3=c) for a, b, c in product("12", "123", "123")]
    matrix = arrange(cells, ["locust", "gevent", "urllib3"])
    assert all(place for line in matrix.lines for place in line.places)
    assert len(matrix.across) + len(matrix.down) == 3


def test_a_heading_spans_the_rows_it_stands_over() -> None:
    cells = [cell(a=a, b=b, c=c) for a, b, c in product("12", "12", "123")]
    matrix = arrange(cells, ["a", "b", "c"])
    spans = [[head.span for head in line.heads] for line in matrix.lines]
    for at in range(len(matrix.down)):
        assert sum(row[at] for row in spans) == len(matrix.lines)
    assert all(sum(head.span for head in heads) == len(matrix.columns) for heads in matrix.tops)


def test_the_factor_that_tells_most_comes_first() -> None:
    cells = [
        cell("hang" if client == "new" else "clean", users=users, client=client, order=order)
        for users, order, client in product("123456789", "ab", ("old", "new"))
    ]
    matrix = arrange(cells, ["users", "order", "client"])
    assert "client" in {matrix.across[0], *matrix.down[:1]}
    hung = [any(cells[index].verdict is CellVerdict.HANG for index in place) for place in matrix.lines[0].places]
    assert hung == sorted(hung)


def test_factors_that_change_together_share_a_heading() -> None:
    cells = [
        cell(connect=connect, read=read, client=client) for connect, read in ((60, 60), (5, 10)) for client in "ab"
    ]
    matrix = arrange(cells, ["connect", "read", "client"])
    assert {*matrix.across, *matrix.down} == {"connect, read", "client"}
    assert {levels[0] for levels in matrix.columns} in ({"60, 60", "5, 10"}, {"a", "b"})


def test_factors_that_tell_nothing_apart_give_way_to_those_that_do() -> None:
    cells = [cell(stack="x", gevent="1"), cell(stack="x", gevent="2")]
    assert varied_of(cells, ["stack"]) == ("gevent",)
    assert placed(arrange(cells, ("gevent",))) == [0, 1]


def test_very_many_factors_are_not_tried_in_every_way() -> None:
    names = [f"f{number}" for number in range(40)]
    cells = [cell(**{name: (number >> at) % 2 for at, name in enumerate(names)}) for number in range(50)]
    matrix = arrange(cells, varied_of(cells, names))
    assert placed(matrix) == list(range(50))


def test_one_cell_and_no_cell_are_pictures_too() -> None:
    assert placed(arrange([cell(a=1)], varied_of([cell(a=1)], ["a"]))) == [0]
    assert arrange([], ()).lines == ()
