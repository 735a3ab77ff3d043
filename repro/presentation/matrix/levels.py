"""Factors, levels and conditions on them, as people read them everywhere in a report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from repro.core.experiment.factors.level_text import shown
from repro.core.matrix.lockstep import lockstep
from repro.core.matrix.timeouts import CONNECT, READ
from repro.model import Condition, ConditionKind, Level

SIGNS = {ConditionKind.AT_LEAST: ">=", ConditionKind.AT_MOST: "<="}

TIMEOUTS = frozenset({CONNECT, READ})
MOST_LEVEL = 60


@dataclass(frozen=True)
class ToldApart:
    """Cells by the ``factors`` in which they differ, those in lockstep together.

    ``shared`` are the levels that all cells have of the others, as text.
    """

    factors: tuple[tuple[str, ...], ...]
    shared: str

    @property
    def names(self) -> tuple[str, ...]:
        """A heading for each of the factors."""
        return tuple(short_factors_text(names).replace(" and ", ", ") for names in self.factors)

    def levels_of(self, cell: Labelled) -> tuple[str, ...]:
        """A cell's level of each of the factors: once where it is the same of all in lockstep."""
        return tuple(_levels_of(names, cell) for names in self.factors)

    def label_of(self, cell: Labelled) -> str:
        """``client=shared launch=cli``; of a cell alone its whole label."""
        if not self.factors:
            return cell.label
        pairs = ((name, cell.factors.get(name, "")) for names in self.factors for name in names)
        return " ".join(f"{name}={shown(level)}" for name, level in pairs)


class Labelled(Protocol):
    """A cell with its levels."""

    @property
    def label(self) -> str:
        """All its levels that the plan names, as text."""

    @property
    def factors(self) -> Mapping[str, Level]:
        """Its level of every factor."""


def told_apart(cells: Sequence[Labelled], varied: Sequence[str]) -> ToldApart:
    """How these cells are told apart by the factors that the plan varies."""
    levels = [{name: cell.factors.get(name, "") for name in varied} for cell in cells]
    groups = lockstep(levels, varied)
    factors = tuple(names for names in groups if len({one[names[0]] for one in levels}) > 1)
    if not factors:
        return ToldApart((), next((cell.label for cell in cells), ""))
    differing = {name for names in factors for name in names}
    return ToldApart(factors, " ".join(f"{name}={shown(levels[0][name])}" for name in varied if name not in differing))


def _levels_of(names: Sequence[str], cell: Labelled) -> str:
    texts = [shown(cell.factors.get(name, "")) for name in names]
    text = texts[0] if len(set(texts)) == 1 else ", ".join(texts)
    return text if len(text) <= MOST_LEVEL else f"{text[: MOST_LEVEL - 1]}…"


def levels_text(levels: Mapping[str, Level]) -> str:
    """``name=level``; of several factors in lockstep each."""
    return " and ".join(f"{name}={shown(level)}" for name, level in levels.items())


def condition_text(condition: Condition) -> str:
    """``gevent<=24.2.1 (25.9.1 clean)``, ``launch in cli, library``."""
    if condition.kind is ConditionKind.EQUAL:
        return levels_text(condition.levels[0])
    name = factors_text(condition.levels[0])
    if condition.kind is ConditionKind.AMONG:
        return f"{name} in {', '.join(_joined(levels) for levels in condition.levels)}"
    end = condition.levels[0] if condition.kind is ConditionKind.AT_LEAST else condition.levels[-1]
    beyond = f" ({_joined(condition.neighbour)} clean)" if condition.neighbour else ""
    return f"{name}{SIGNS[condition.kind]}{_joined(end)}{beyond}"


def short_condition_text(condition: Condition) -> str:
    """The same, with both timeouts of a client as ``timeouts=60``, or ``timeouts=5/10`` where they differ."""
    if condition.kind is ConditionKind.EQUAL and set(condition.levels[0]) == TIMEOUTS:
        return f"timeouts={'/'.join(dict.fromkeys(shown(level) for level in condition.levels[0].values()))}"
    return condition_text(condition)


def factors_text(names: Iterable[str]) -> str:
    """Factors in lockstep as one."""
    return " and ".join(names)


def short_factors_text(names: Collection[str]) -> str:
    """The same, with both timeouts of a client as ``timeouts``."""
    return "timeouts" if set(names) == TIMEOUTS else factors_text(names)


def _joined(levels: Mapping[str, Level]) -> str:
    return "/".join(shown(level) for level in levels.values())
