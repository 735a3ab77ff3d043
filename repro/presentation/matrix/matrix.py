"""The cells of a run arranged as a picture: which factors go down, which go across, and who stands where.

Of all ways to part the factors the one is taken that leaves the fewest holes and fits a screen; within the rows and
columns the factor comes first whose levels differ most in how often they hang, so that what hangs stands together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

from repro.core.experiment.factors import level_text
from repro.model import CellVerdict, Level

MOST_ACROSS = 8
MOST_LEVEL = 100
MOST_FACTORS = 8
"""Beyond this many factors the parting is not searched: the cells stand below one another."""

Levels = tuple[str, ...]
Group = tuple[str, ...]
"""Factors that change together only: a timeout for connecting and one for reading, say."""


class Placed(Protocol):
    """What stands in the picture: a cell with its levels and its verdict."""

    @property
    def factors(self) -> Mapping[str, Level]:
        """Its level of every factor."""

    @property
    def verdict(self) -> CellVerdict:
        """What its trials came to."""


@dataclass(frozen=True)
class Head:
    """A level in a heading: how many rows or columns it spans; 0 where the one before it still stands."""

    text: str
    span: int


@dataclass(frozen=True)
class Line:
    """A row: its headings, one for each factor that goes down, and the indexes of the cells in each of its columns."""

    heads: tuple[Head, ...]
    places: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Matrix:
    """The picture. ``across`` and ``down`` are names of factors, those that change together joined.

    ``tops`` holds a row of headings for each of ``across``, ``columns`` the levels of each column in the order of
    ``across``.
    """

    across: tuple[str, ...]
    down: tuple[str, ...]
    tops: tuple[tuple[Head, ...], ...]
    columns: tuple[Levels, ...]
    lines: tuple[Line, ...]


def shown(level: Level) -> str:
    """A level as people read it, a long one shortened."""
    text = level_text.shown(level)
    return text if len(text) <= MOST_LEVEL else text[: MOST_LEVEL - 1] + "…"


def varied_of(cells: Sequence[Placed], names: Sequence[str]) -> tuple[str, ...]:
    """Those of the factors that differ between these cells; where they tell none apart, all that do."""
    chosen = _differing(cells, names)
    if len({_levels(cell, [chosen]) for cell in cells}) == len(cells):
        return chosen
    every = list(dict.fromkeys([*names, *(name for cell in cells for name in cell.factors)]))
    return _differing(cells, every)


def arrange(cells: Sequence[Placed], varied: Sequence[str]) -> Matrix:
    """The picture of the cells by the factors of ``varied``; those that only change together share a heading."""
    groups = _groups(cells, varied)
    chosen = _across(cells, groups)
    ordered = sorted(groups, key=lambda group: -_spread(cells, group))
    across = [group for group in ordered if group in chosen]
    down = [group for group in ordered if group not in chosen]
    columns, rows = _combined(cells, across), _combined(cells, down)
    places: dict[tuple[Levels, Levels], list[int]] = {}
    for index, cell in enumerate(cells):
        places.setdefault((_levels(cell, down), _levels(cell, across)), []).append(index)
    heads = list(zip(*_heads(rows), strict=True)) if down else [()] * len(rows)
    lines = tuple(
        Line(tuple(heads[number]), tuple(tuple(places.get((row, column), ())) for column in columns))
        for number, row in enumerate(rows)
    )
    names = [tuple(", ".join(group) for group in groups) for groups in (across, down)]
    return Matrix(across=names[0], down=names[1], tops=_heads(columns), columns=columns, lines=lines)


def _differing(cells: Sequence[Placed], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if len({_level(cell, (name,)) for cell in cells}) > 1)


def _groups(cells: Sequence[Placed], names: Sequence[str]) -> list[Group]:
    """The factors, those that part the cells in the same way together."""
    found: dict[tuple[int, ...], Group] = {}
    for name in names:
        levels = [_level(cell, (name,)) for cell in cells]
        parting = tuple(levels.index(level) for level in levels)
        found[parting] = (*found.get(parting, ()), name)
    return list(found.values())


def _level(cell: Placed, group: Group) -> str:
    return ", ".join(shown(cell.factors.get(name, "")) for name in group)


def _levels(cell: Placed, groups: Sequence[Group]) -> Levels:
    return tuple(_level(cell, group) for group in groups)


def _combined(cells: Sequence[Placed], groups: Sequence[Group]) -> tuple[Levels, ...]:
    """The combinations of levels that there are, in the order that the experiment gives the levels of each."""
    orders = [
        {level: at for at, level in enumerate(dict.fromkeys(_level(cell, group) for cell in cells))} for group in groups
    ]
    found = {_levels(cell, groups) for cell in cells}
    return tuple(sorted(found, key=lambda levels: [order[level] for order, level in zip(orders, levels, strict=True)]))


def _across(cells: Sequence[Placed], groups: Sequence[Group]) -> tuple[Group, ...]:
    if len(groups) > MOST_FACTORS:
        return ()
    ways = [some for size in range(1, len(groups) + 1) for some in combinations(groups, size)]
    rated = []
    for some in ways:
        columns = len({_levels(cell, some) for cell in cells})
        rows = len({_levels(cell, [group for group in groups if group not in some]) for cell in cells})
        if columns <= MOST_ACROSS:
            holes = columns * rows / len(cells)
            rated.append(((columns + rows) * holes, columns, some))
    return min(rated)[2] if rated else ()


def _spread(cells: Sequence[Placed], group: Group) -> float:
    """How much the levels of a factor differ in the share of their cells that hang; few cells count for little."""
    hung: dict[str, list[bool]] = {}
    for cell in cells:
        hung.setdefault(_level(cell, group), []).append(cell.verdict is CellVerdict.HANG)
    mean = sum(map(sum, hung.values())) / len(cells)
    return sum(len(some) * (sum(some) / len(some) - mean) ** 2 for some in hung.values())


def _heads(combined: Sequence[Levels]) -> tuple[tuple[Head, ...], ...]:
    """For each factor a heading for each of the combined levels; equal ones under an equal heading are one."""
    depth = len(combined[0]) if combined else 0
    return tuple(_spanned([levels[: at + 1] for levels in combined]) for at in range(depth))


def _spanned(prefixes: Sequence[Levels]) -> tuple[Head, ...]:
    heads: list[Head] = []
    first = 0
    for number, prefix in enumerate(prefixes):
        if number and prefix == prefixes[number - 1]:
            heads.append(Head(prefix[-1], 0))
            heads[first] = Head(prefix[-1], heads[first].span + 1)
        else:
            first = number
            heads.append(Head(prefix[-1], 1))
    return tuple(heads)
