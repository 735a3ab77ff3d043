"""Cells that hung only under an amplification, beside the natural cell that is like them in all else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repro.core.course.amplified import NO_KNOB
from repro.core.hang.same import is_same_hang
from repro.model import CellResult, CellVerdict

FACTOR = "amplify"


@dataclass(frozen=True)
class AmplifiedPair:
    """A cell that hung under an amplification, and its natural neighbour.

    ``is_same``: whether the natural one hung in the same way; None where it did not hang.
    """

    knob: str
    amplified: CellResult
    natural: CellResult
    is_same: bool | None


def amplified_pairs(results: Sequence[CellResult]) -> Iterator[AmplifiedPair]:
    """The cells that hung amplified, each with the natural cell that was tried beside it."""
    natural = {_others(one): one for one in results if _knob(one) == NO_KNOB and one.rate}
    for result in results:
        beside = natural.get(_others(result))
        if _knob(result) != NO_KNOB and result.verdict is CellVerdict.HANG and beside is not None:
            yield AmplifiedPair(_knob(result), result, beside, _is_same(result, beside))


def _knob(result: CellResult) -> str:
    return str(result.cell.factors.get(FACTOR, NO_KNOB))


def _others(result: CellResult) -> tuple[tuple[str, object], ...]:
    return tuple(sorted((name, level) for name, level in result.cell.factors.items() if name != FACTOR))


def _is_same(one: CellResult, other: CellResult) -> bool | None:
    hangs, natural = ([trial.hang for trial in cell.trials if trial.hang] for cell in (one, other))
    return any(is_same_hang(first, second) for first in natural for second in hangs) if natural else None
