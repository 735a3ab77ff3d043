"""The different hangs of a run: those with the same class and fingerprint are one kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from repro.model import Cell, CellResult, Hang, HangClass, Trial


@dataclass(frozen=True)
class HungTrial:
    """A hang as it was seen: where, in which trial."""

    cell: Cell
    trial: Trial
    hang: Hang


@dataclass(frozen=True)
class HangKind:
    """Hangs that are one, in the order in which they were seen."""

    hang_class: HangClass
    fingerprint: str
    seen: tuple[HungTrial, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells in which it was seen, each once."""
        return tuple({one.cell.id: one.cell for one in self.seen}.values())

    @property
    def telling(self) -> HungTrial:
        """The one to show: the first whose cause is known, else the first."""
        return next((one for one in self.seen if one.hang.cause), self.seen[0])


def hang_kinds(results: Iterable[CellResult]) -> tuple[HangKind, ...]:
    """The kinds of hang, the most frequent first; of equal ones the one that was seen first."""
    found: dict[tuple[HangClass, str], list[HungTrial]] = {}
    for result in results:
        for trial in result.trials:
            if trial.hang is not None:
                key = trial.hang.hang_class, trial.hang.fingerprint
                found.setdefault(key, []).append(HungTrial(result.cell, trial, trial.hang))
    kinds = [HangKind(hang_class, fingerprint, tuple(seen)) for (hang_class, fingerprint), seen in found.items()]
    return tuple(sorted(kinds, key=lambda kind: -len(kind.seen)))


def is_same_hang(one: Hang, other: Hang) -> bool:
    """Whether two hangs are one: by their known causes, else by their fingerprints, else by their classes.

    Each tells only where both have it: one defect freezes this trial and makes the next unstoppable.
    """
    if one.cause and other.cause:
        return one.cause == other.cause
    if one.fingerprint and other.fingerprint:
        return one.fingerprint == other.fingerprint
    return one.hang_class == other.hang_class
