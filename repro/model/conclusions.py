"""What the cells of a run show together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from repro.model.exposure import Exposure, Hazard
from repro.model.plans import Cell, Level
from repro.model.trials import Trial
from repro.model.verdicts import CellVerdict


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A share with its 95 % interval: ``hits`` of ``n``, between ``low`` and ``high``."""

    hits: int
    n: int
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """A cell with its trials, its verdict, and its hang rate (None when no trial counts in a rate).

    ``exposure`` is that of the trials that count, of a hung one as much as had passed when it hung; ``hazard`` is the
    hangs in it, None as the rate is.
    """

    cell: Cell
    trials: tuple[Trial, ...]
    verdict: CellVerdict
    rate: Interval | None
    exposure: Exposure = field(default_factory=Exposure)
    hazard: Hazard | None = None


class ConditionKind(StrEnum):
    """How a condition's levels were chosen among those that were tried."""

    EQUAL = "equal"
    AMONG = "among"
    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition on a factor, or on several in lockstep: the levels that satisfy it, in their order.

    ``neighbour`` is the level beyond a threshold, where some cell with it was clean.
    """

    kind: ConditionKind
    levels: tuple[Mapping[str, Level], ...]
    neighbour: Mapping[str, Level] | None = None


Explanation = tuple[tuple[Condition, ...], ...]
"""When something happens: under all the conditions of one of these parts."""


@dataclass(frozen=True, kw_only=True)
class CellOutcome:
    """What ``cells`` of the ``of`` cells that tell anything about it came to, and its smallest explanations.

    Several explanations are equally small: the cells do not settle which one is true.
    """

    verdict: CellVerdict
    cells: int
    of: int
    explanations: tuple[Explanation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NoEffect:
    """A factor, or several in lockstep, that made no difference where all the conditions of ``under`` hold.

    ``pairs`` of cells that differ in it alone came to the same; 0 where an older version did not count them.
    """

    factors: tuple[str, ...]
    under: tuple[Condition, ...] = ()
    pairs: int = 0


@dataclass(frozen=True, kw_only=True)
class CleanMeans:
    """What a clean cell was given the chance to hang in, at least.

    ``could_have_missed`` is a share of its trials, ``hazard_missed`` hangs for each operation: a hang that comes less
    often than these could have been missed. None where no operation ended.
    """

    trials: int
    operations: int
    could_have_missed: float
    hazard_missed: float | None = None


@dataclass(frozen=True, kw_only=True)
class Clause:
    """A condition of a combination; ``is_shown``: a cell that hung was clean once this factor alone was changed."""

    condition: Condition
    is_shown: bool


@dataclass(frozen=True, kw_only=True)
class FaultyCombination:
    """Levels that hang together, and how likely that is.

    ``is_enough``: a clean cell hung once all of them were added.
    """

    clauses: tuple[Clause, ...]
    probability: float
    is_enough: bool

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All its conditions."""
        return tuple(clause.condition for clause in self.clauses)


@dataclass(frozen=True, kw_only=True)
class Faulty:
    """Which combinations of levels hang: those ``found``, each as certain as was asked, for each independent cause.

    ``suspected`` are the likeliest of a hang that is not settled, ``something_else`` how likely none of a few levels
    explains it. ``trials`` are those that count, of ``cells``.
    """

    found: tuple[FaultyCombination, ...]
    suspected: tuple[FaultyCombination, ...]
    something_else: float
    confidence: float
    cells: int
    trials: int

    @property
    def is_settled(self) -> bool:
        """Whether every hang that was seen has its cause."""
        return not self.suspected


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """What a run's cells showed: when they hang, when they come to something else, and what a clean one means.

    ``cells`` are those that were tried. ``outcomes`` are those other than clean, a hang first. ``bounded`` cells that
    hang do so no longer than ``bounded_s``. ``causes`` maps the id of each known cause to the trials that show it.
    ``faulty`` is the combination that hangs, None where it was not sought.
    """

    cells: int
    clean: int
    outcomes: tuple[CellOutcome, ...] = ()
    bounded: int = 0
    bounded_s: float = 0.0
    no_effect: tuple[NoEffect, ...] = ()
    clean_means: CleanMeans | None = None
    causes: Mapping[str, int] = field(default_factory=dict)
    faulty: Faulty | None = None

    def outcome(self, verdict: CellVerdict) -> CellOutcome | None:
        """The outcome of that verdict, None when no cell came to it."""
        return next((one for one in self.outcomes if one.verdict is verdict), None)
