"""Cells that hung only under an amplification, beside the natural cell like them in all else, and their neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repro.core.course.amplified import NO_KNOB
from repro.core.experiment.factors.amplification import AMPLIFY
from repro.core.hang.same import is_same_hang
from repro.model import CellResult, CellVerdict, Level


@dataclass(frozen=True)
class Neighbour:
    """A cell under the same amplification, by the same seeds, that differs in one factor: its level there."""

    factor: str
    level: Level
    result: CellResult

    @property
    def has_hung(self) -> bool:
        """Whether it hung under the amplification too."""
        return self.result.verdict is CellVerdict.HANG


@dataclass(frozen=True)
class AmplifiedPair:
    """A cell that hung under an amplification, its natural neighbour, and those that were amplified alike.

    ``is_same``: whether the natural one hung in the same way; None where it did not hang.
    """

    knob: str
    amplified: CellResult
    natural: CellResult
    is_same: bool | None
    neighbours: tuple[Neighbour, ...] = ()

    @property
    def is_withdrawn(self) -> bool:
        """Whether nothing tells it from a hang of the amplification's own making.

        It never came naturally, and no neighbour stayed clean under the same seeds.
        """
        hung = [one.has_hung for one in self.neighbours]
        return self.is_same is None and bool(hung) and all(hung)


def amplified_pairs(results: Sequence[CellResult]) -> Iterator[AmplifiedPair]:
    """The cells that hung amplified, each with the natural cell that was tried beside it."""
    natural = {_others(one): one for one in results if knob_of(one) == NO_KNOB and one.rate}
    for result in results:
        beside = natural.get(_others(result))
        if knob_of(result) != NO_KNOB and result.verdict is CellVerdict.HANG and beside is not None:
            neighbours = tuple(_neighbours(result, results))
            yield AmplifiedPair(knob_of(result), result, beside, _is_same(result, beside), neighbours)


def knob_of(result: CellResult) -> str:
    """The cell's level of ``amplify``."""
    return str(result.cell.factors.get(AMPLIFY, NO_KNOB))


def is_alike(one: CellResult, other: CellResult) -> bool:
    """Whether two cells differ in their amplification at most."""
    return _others(one) == _others(other)


def hung_alike(one: CellResult, other: CellResult) -> bool:
    """Whether any hang of one is one of the other's."""
    return bool(_is_same(one, other))


def _neighbours(result: CellResult, results: Sequence[CellResult]) -> Iterator[Neighbour]:
    own = result.cell.factors
    for other in results:
        levels = other.cell.factors
        differing = [name for name in {**own, **levels} if own.get(name, "") != levels.get(name, "")]
        if len(differing) == 1 and differing[0] != AMPLIFY and other.rate:
            yield Neighbour(differing[0], levels.get(differing[0], ""), other)


def _others(result: CellResult) -> tuple[tuple[str, object], ...]:
    return tuple(sorted((name, level) for name, level in result.cell.factors.items() if name != AMPLIFY))


def _is_same(one: CellResult, other: CellResult) -> bool | None:
    hangs, natural = ([trial.hang for trial in cell.trials if trial.hang] for cell in (one, other))
    return any(is_same_hang(first, second) for first in natural for second in hangs) if natural else None
