"""The faulty combination of a run: its cells as rows of levels, trials tallied by exposure, causes as conditions."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from repro.core.faulty.belief import Tally
from repro.core.faulty.causes import MOST_LEVELS, Axis, Row
from repro.core.faulty.search import CauseSearch, FoundCause
from repro.core.matrix.conclusion import conclude, ordered
from repro.core.matrix.hazards import at_risk, chance_of
from repro.core.matrix.lockstep import Levels, Names, apart, lockstep, merged
from repro.core.search.change_point import PARTS
from repro.model import (
    Cell,
    CellResult,
    Chance,
    Clause,
    Conclusion,
    Condition,
    ConditionKind,
    Explanation,
    Faulty,
    FaultyCombination,
    Level,
    Plan,
    Trial,
    Verdict,
)

MOST_SUSPECTED = 4
LEAST_SUSPECTED = 0.03
MOST_WEIGHT = 3
CellOf = Callable[[Mapping[str, Level]], Cell | None]
"""The cell of an experiment with these levels of the factors that vary; None where its rules leave none."""


@dataclass(frozen=True)
class Field:
    """The factors that vary, those in lockstep as one, and their levels in order: what a row's numbers stand for."""

    names: tuple[Names, ...]
    levels: tuple[tuple[Levels, ...], ...]
    axes: tuple[Axis, ...]

    def row(self, factors: Mapping[str, Level]) -> Row:
        """The row of a cell."""
        own = merged({name: factors.get(name, "") for names in self.names for name in names}, self.names)
        return tuple(levels.index(own[names]) for names, levels in zip(self.names, self.levels, strict=True))

    def factors(self, row: Row) -> dict[str, Level]:
        """The levels of a row."""
        places = zip(self.names, self.levels, row, strict=True)
        return {name: level for names, levels, at in places for name, level in apart(names, levels[at]).items()}

    def condition(self, axis: int, mask: int) -> Condition:
        """The clause on a factor as a condition."""
        names, levels = self.names[axis], self.levels[axis]
        chosen = tuple(apart(names, level) for at, level in enumerate(levels) if mask >> at & 1)
        kind, beyond = _kind(mask, self.axes[axis])
        neighbour = None if beyond is None else apart(names, levels[beyond])
        return Condition(kind=kind, levels=chosen, neighbour=neighbour)


def field_of(cells: Sequence[Cell], varied: Sequence[str]) -> Field:
    """The field of a plan's cells."""
    rows = [{name: cell.factors.get(name, "") for name in varied} for cell in cells]
    groups = lockstep(rows, varied)
    found = [(names, *ordered(names, {merged(row, groups)[names] for row in rows})) for names in groups]
    kept = [(names, tuple(levels), is_ordered) for names, levels, is_ordered in found if 1 < len(levels) <= MOST_LEVELS]
    return Field(
        names=tuple(names for names, _, _ in kept),
        levels=tuple(levels for _, levels, _ in kept),
        axes=tuple(Axis(len(levels), is_ordered) for _, levels, is_ordered in kept),
    )


def _kind(mask: int, axis: Axis) -> tuple[ConditionKind, int | None]:
    """How a clause reads, and the level beyond its threshold."""
    inside = [at for at in range(axis.size) if mask >> at & 1]
    if axis.is_ordered and axis.size > 2 and len(inside) > 1:
        if inside[-1] == axis.size - 1:
            return ConditionKind.AT_LEAST, inside[0] - 1
        if inside[0] == 0:
            return ConditionKind.AT_MOST, inside[-1] + 1
    return (ConditionKind.EQUAL if len(inside) == 1 else ConditionKind.AMONG), None


def tallied(results: Sequence[CellResult], field: Field) -> dict[Row, Tally]:
    """The trials of the cells, by their rows; a clean one counts by its exposure beside the usual one."""
    trials = [trial for result in results for trial in result.trials]
    chance = chance_of([trial.hang for trial in trials if trial.hang])
    chances = [_chances(trial, chance) for trial in trials if trial.verdict is Verdict.CLEAN]
    usual = statistics.median(chances) if chances else 0.0
    found: dict[Row, Tally] = {}
    for result in results:
        own = [_tally(trial, chance, usual) for trial in result.trials if trial.verdict.counts_in_rate]
        if own:
            row = field.row(result.cell.factors)
            found[row] = sum(own, found.get(row, Tally()))
    return found


def _tally(trial: Trial, chance: Chance, usual: float) -> Tally:
    if trial.verdict is Verdict.HANG:
        return Tally(hangs=1)
    count = _chances(trial, chance)
    weight = count / usual if usual and count else 1.0
    return Tally(cleans=max(1, min(round(PARTS * weight), PARTS * MOST_WEIGHT)))


def _chances(trial: Trial, chance: Chance) -> float:
    exposure = at_risk(trial)
    return float(exposure.stops or 0.0) if chance is Chance.STOP else float(exposure.operations)


def search_of(
    results: Sequence[CellResult], field: Field, *, confidence: float, cell_of: CellOf | None = None
) -> CauseSearch:
    """The search for the causes, as far as the trials have come; without ``cell_of`` every cell could be tried."""
    in_vain = {field.row(result.cell.factors) for result in results if _is_in_vain(result)}

    def is_allowed(row: Row) -> bool:
        return row not in in_vain and (cell_of is None or cell_of(field.factors(row)) is not None)

    return CauseSearch(field.axes, tallied(results, field), is_allowed, confidence)


def _is_in_vain(result: CellResult) -> bool:
    return bool(result.trials) and not any(trial.verdict.counts_in_rate for trial in result.trials)


def concluded(results: Sequence[CellResult], plan: Plan, *, cell_of: CellOf | None = None) -> Conclusion:
    """The conclusion of a run, with the combination that hangs where it was sought."""
    faulty = _faulty(results, plan, cell_of) if plan.confirm else None
    found = conclude(results, plan.varied, explanations=tuple(_explanations(faulty)) if faulty else ())
    return replace(found, faulty=faulty)


def _faulty(results: Sequence[CellResult], plan: Plan, cell_of: CellOf | None) -> Faulty | None:
    assert plan.confirm is not None  # noqa: S101  # the caller's own check
    field = field_of([result.cell for result in results], plan.varied)
    search = search_of(results, field, confidence=plan.confirm.confidence, cell_of=cell_of)
    if not field.axes or not any(tally.hangs for tally in search.rows.values()):
        return None
    suspected = search.suspected(MOST_SUSPECTED)
    likely = [one for one in suspected if one.probability >= LEAST_SUSPECTED] or suspected[:1]
    counted = [trial for result in results for trial in result.trials if trial.verdict.counts_in_rate]
    return Faulty(
        found=tuple(_combination(one, field) for one in search.found),
        suspected=tuple(_combination(one, field) for one in likely),
        something_else=search.something_else,
        confidence=plan.confirm.confidence,
        cells=len(search.rows),
        trials=len(counted),
    )


def _combination(found: FoundCause, field: Field) -> FaultyCombination:
    clauses = [
        Clause(condition=field.condition(axis, found.cause[axis]), is_shown=is_shown)
        for axis, is_shown in found.shown.clauses.items()
    ]
    return FaultyCombination(clauses=tuple(clauses), probability=found.probability, is_enough=found.shown.is_enough)


def _explanations(faulty: Faulty) -> Iterator[Explanation]:
    """What was found; with each of the suspected ones beside it. That every cell hangs explains nothing."""
    found = tuple(one.conditions for one in faulty.found)
    if faulty.is_settled:
        wholes = [found]
    else:
        wholes = [(*found, one.conditions) for one in faulty.suspected if faulty.something_else <= 1 / 2]
    yield from (whole for whole in wholes if all(whole))
