"""What a matrix showed, computed from its cells: the smallest conditions that separate hung from clean.

    hangs when client=per-iteration and urllib3>=1.26.16 (1.26.15 clean); import_order makes no difference under
    launch=cli

is how `repro.presentation.matrix.matrix.conclusion` says it. A condition says nothing of levels that were not tried.
Where two explanations are equally small, the cells do not settle which one is true, and both are kept. Factors that
vary in lockstep are one.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.version import InvalidVersion, Version

from repro.core.experiment.factors.catalogue import STACK
from repro.core.intervals import could_have_missed, hazard
from repro.core.matrix.lockstep import Levels, Names, apart, lockstep, merged
from repro.model import (
    CellOutcome,
    CellResult,
    CellVerdict,
    CleanMeans,
    Conclusion,
    Condition,
    ConditionKind,
    Explanation,
    Level,
    NoEffect,
    Verdict,
)

MOST_CONDITIONS = 3
MOST_PARTS = 3
MOST_ATOMS = 150
MOST_EXPLANATIONS = 4
BESIDE_A_HANG = (CellVerdict.CRASH, CellVerdict.FAILING, CellVerdict.UNTESTABLE, CellVerdict.INCONCLUSIVE)


@dataclass(frozen=True)
class Choice:
    """A condition that may separate: the levels that satisfy it, and the clean level beyond its threshold."""

    names: Names
    levels: tuple[Levels, ...]
    kind: ConditionKind
    neighbour: Levels | None = None


Conjunction = tuple[Choice, ...]
Disjunction = tuple[Conjunction, ...]


@dataclass(frozen=True)
class JudgedCell:
    """A cell as the conclusion sees it: the level of each varied factor, and what it came to.

    ``trials`` and ``operations`` are those of its clean trials.
    """

    levels: Mapping[Names, Levels]
    verdict: CellVerdict
    trials: int = 0
    operations: int = 0


def conclude(
    results: Sequence[CellResult], varied: Sequence[str], *, explanations: Sequence[Explanation] = ()
) -> Conclusion:
    """The conclusion from a run's cells; ``varied`` names the factors with several levels, in the plan's order.

    ``explanations`` of the hangs that are known better than by what separates the cells stand in its place.
    """
    tried = [result for result in results if result.trials]
    groups = lockstep([_levels(result, varied) for result in tried], varied)
    rows = [_judged(result, varied, groups) for result in tried]
    factors = [names for names in groups if len({row.levels[names] for row in rows}) > 1]
    hung = [row for row in rows if row.verdict is CellVerdict.HANG]
    clean = [row for row in rows if row.verdict is CellVerdict.CLEAN]
    is_compared = bool(hung and clean)
    separating = _separate(hung, clean, rows, factors) if is_compared and not explanations else ()
    explained = tuple(explanations) or tuple(map(_explanation, separating))
    bounds = _bounds(results)
    return Conclusion(
        cells=len(rows),
        clean=len(clean),
        outcomes=(*_hang(hung, clean, explained), *_others(rows, factors)),
        bounded=len(bounds),
        bounded_s=max(bounds, default=0.0),
        no_effect=tuple(_without_effect(rows, factors, explained)) if is_compared else (),
        clean_means=_clean_means(clean),
        causes=_causes(results),
    )


def _levels(result: CellResult, varied: Sequence[str]) -> dict[str, Level]:
    return {name: result.cell.factors.get(name, "") for name in varied}


def _judged(result: CellResult, varied: Sequence[str], groups: Sequence[Names]) -> JudgedCell:
    clean = [trial for trial in result.trials if trial.verdict is Verdict.CLEAN]
    return JudgedCell(
        levels=merged(_levels(result, varied), groups),
        verdict=result.verdict,
        trials=result.rate.n - result.rate.hits if result.rate else 0,
        operations=sum(trial.operations.ended for trial in clean),
    )


def _hang(
    hung: Sequence[JudgedCell], clean: Sequence[JudgedCell], explanations: tuple[Explanation, ...]
) -> Iterator[CellOutcome]:
    if hung:
        yield CellOutcome(
            verdict=CellVerdict.HANG, cells=len(hung), of=len(hung) + len(clean), explanations=explanations
        )


def _explanation(parts: Disjunction) -> Explanation:
    return tuple(tuple(_condition(choice) for choice in part) for part in parts)


def _condition(choice: Choice) -> Condition:
    return Condition(
        kind=choice.kind,
        levels=tuple(apart(choice.names, levels) for levels in choice.levels),
        neighbour=None if choice.neighbour is None else apart(choice.names, choice.neighbour),
    )


def _bounds(results: Sequence[CellResult]) -> list[float]:
    """For each cell whose hangs all end by themselves, the longest that one lasts."""
    hung = [result for result in results if result.verdict is CellVerdict.HANG]
    lasting = [[trial.hang.bound.at_most_s for trial in result.trials if trial.hang] for result in hung]
    bounded = [[most for most in some if most is not None] for some in lasting if None not in some]
    return [max(some) for some in bounded if some]


def _causes(results: Sequence[CellResult]) -> dict[str, int]:
    hangs = [trial.hang for result in results for trial in result.trials if trial.hang]
    return dict(Counter(hang.cause for hang in hangs if hang.cause).most_common())


# The smallest conditions


def _separate(
    hung: Sequence[JudgedCell], clean: Sequence[JudgedCell], rows: Sequence[JudgedCell], factors: Sequence[Names]
) -> tuple[Disjunction, ...]:
    """The smallest explanations: one conjunction where that is enough, else several; all that are equally small."""
    conditions = [condition for names in factors for condition in _choices(names, rows, hung, clean)][:MOST_ATOMS]
    masks = [(_mask(condition, hung), _mask(condition, clean)) for condition in conditions]
    everything = (1 << len(hung)) - 1
    exact = []
    for size in range(1, MOST_CONDITIONS + 1):
        for indices in itertools.combinations(range(len(conditions)), size):
            covered, wrong = _both(indices, masks, everything, len(clean))
            if covered and not wrong and len({conditions[i].names for i in indices}) == size:
                exact.append((covered, tuple(conditions[i] for i in indices)))
        whole = [(found,) for covered, found in exact if covered == everything]
        if whole:
            return tuple(_distinct(whole))[:MOST_EXPLANATIONS]
    parts = _cover(exact, everything)
    return (parts,) if parts else ()


def _both(indices: Sequence[int], masks: Sequence[tuple[int, int]], everything: int, clean: int) -> tuple[int, int]:
    covered, wrong = everything, (1 << clean) - 1
    for index in indices:
        covered &= masks[index][0]
        wrong &= masks[index][1]
    return covered, wrong


def _cover(exact: Sequence[tuple[int, Conjunction]], everything: int) -> Disjunction:
    """Few conjunctions that together cover all that hung, chosen greedily; none when that takes too many."""
    left = everything
    chosen: list[Conjunction] = []
    while left and len(chosen) < MOST_PARTS and exact:
        covered, found = max(exact, key=lambda item: ((item[0] & left).bit_count(), -len(item[1])))
        if not covered & left:
            break
        chosen.append(found)
        left &= ~covered
    return () if left else tuple(chosen)


def _distinct(found: Sequence[Disjunction]) -> list[Disjunction]:
    """One explanation for each set of factors, the one with fewest levels: what it says beyond that was not seen."""
    best: dict[frozenset[Names], Disjunction] = {}
    for explanation in found:
        key = frozenset(condition.names for part in explanation for condition in part)
        size = sum(len(condition.levels) for part in explanation for condition in part)
        if key not in best or size < sum(len(condition.levels) for part in best[key] for condition in part):
            best[key] = explanation
    return list(best.values())


def _mask(condition: Choice, rows: Sequence[JudgedCell]) -> int:
    return sum(1 << index for index, row in enumerate(rows) if row.levels[condition.names] in condition.levels)


def _choices(
    names: Names, rows: Sequence[JudgedCell], hung: Sequence[JudgedCell], clean: Sequence[JudgedCell]
) -> Iterator[Choice]:
    """The conditions on one factor: the levels that hung, each level alone, thresholds where there is an order."""
    levels, is_ordered = ordered(names, {row.levels[names] for row in rows})
    hanging = {row.levels[names] for row in hung}
    candidates = [frozenset(hanging)] if len(hanging) < len(levels) else []
    candidates += [frozenset({level}) for level in levels if level in hanging and frozenset({level}) not in candidates]
    if is_ordered:
        cuts = [(frozenset(levels[i:]), frozenset(levels[:i])) for i in range(1, len(levels))]
        candidates += [half for pair in cuts for half in pair if half not in candidates]
    cleaned = {row.levels[names] for row in clean}
    has_thresholds = is_ordered and len(levels) > (1 if _is_version(levels[0][0]) else 2)
    for chosen in candidates:
        inside = tuple(level for level in levels if level in chosen)
        found = _threshold(names, inside, levels) if has_thresholds else None
        if found is None:
            kind = ConditionKind.EQUAL if len(inside) == 1 else ConditionKind.AMONG
            yield Choice(names, inside, kind)
        else:
            yield found if found.neighbour in cleaned else replace(found, neighbour=None)


def _threshold(names: Names, inside: tuple[Levels, ...], levels: Sequence[Levels]) -> Choice | None:
    """The levels as all from one on, or all up to one, with the one beyond; None where they are neither."""
    first, last = levels.index(inside[0]), levels.index(inside[-1])
    if last - first + 1 != len(inside):
        return None
    if last == len(levels) - 1 and first > 0:
        return Choice(names, inside, ConditionKind.AT_LEAST, levels[first - 1])
    if first == 0 and last < len(levels) - 1:
        return Choice(names, inside, ConditionKind.AT_MOST, levels[last + 1])
    return None


def ordered(names: Names, levels: set[Levels]) -> tuple[list[Levels], bool]:
    """The levels in order, and whether it means anything: the names of stacks look like days and are names."""
    order = None if names == (STACK,) or len(names) > 1 else _order([level for (level,) in levels])
    if order is None:
        return sorted(levels, key=lambda some: "/".join(map(str, some))), False
    return sorted(levels, key=lambda some: order(some[0])), True


def _order(levels: Sequence[Level]) -> Callable[[Level], Version | float] | None:
    """How the levels are ordered: versions, numbers; None where they have no order."""
    if all(isinstance(level, (int, float)) and not isinstance(level, bool) for level in levels):
        return float
    if all(_is_version(level) for level in levels):
        return lambda level: Version(str(level))
    return None


def _is_version(level: Level) -> bool:
    try:
        Version(str(level))
    except InvalidVersion:
        return False
    return isinstance(level, str)


# What makes no difference, and what else there was


def _without_effect(
    rows: Sequence[JudgedCell], factors: Sequence[Names], explanations: Sequence[Explanation]
) -> Iterator[NoEffect]:
    """The factors without effect: cells that differ in them alone came to the same, where anything hung at all."""
    used = {tuple(one.levels[0]) for parts in explanations for part in parts for one in part}
    for names in factors:
        pairs = [] if names in used else _pairs(rows, names, factors)
        if not any(CellVerdict.HANG in {row.verdict for row in pair} for pair in pairs):
            continue  # alike only where nothing hangs: that says nothing
        under = _under(pairs, names, factors, rows)
        if under is not None:
            yield NoEffect(factors=names, under=under, pairs=_count(pairs))


def _pairs(rows: Sequence[JudgedCell], names: Names, factors: Sequence[Names]) -> list[tuple[JudgedCell, ...]]:
    groups: dict[tuple[Levels, ...], list[JudgedCell]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.levels[other] for other in factors if other != names)].append(row)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _count(groups: Sequence[tuple[JudgedCell, ...]]) -> int:
    """How many pairs of cells there are that differ in one factor alone and came to the same."""
    return sum(one.verdict is other.verdict for group in groups for one, other in itertools.combinations(group, 2))


def _under(
    pairs: Sequence[tuple[JudgedCell, ...]], names: Names, factors: Sequence[Names], rows: Sequence[JudgedCell]
) -> tuple[Condition, ...] | None:
    """Where it makes no difference: everywhere (no condition), under levels of another factor, or nowhere (None)."""
    if all(_agree(pair) for pair in pairs):
        return tuple(_scope(pairs, names, factors, rows))
    for other in factors:
        levels = dict.fromkeys(pair[0].levels[other] for pair in pairs if other != names)
        alike = [level for level in levels if _is_alike([pair for pair in pairs if pair[0].levels[other] == level])]
        if alike:
            kind = ConditionKind.AMONG if len(alike) > 1 else ConditionKind.EQUAL
            return (_condition(Choice(other, tuple(alike), kind)),)
    return None


def _is_alike(pairs: Sequence[tuple[JudgedCell, ...]]) -> bool:
    """Whether each pair came to the same, a hang among them: alike where nothing hangs says nothing."""
    hangs = any(row.verdict is CellVerdict.HANG for pair in pairs for row in pair)
    return hangs and all(_agree(pair) for pair in pairs)


def _scope(
    pairs: Sequence[tuple[JudgedCell, ...]], names: Names, factors: Sequence[Names], rows: Sequence[JudgedCell]
) -> Iterator[Condition]:
    """Pairs may exist under one level of another factor only: then nothing is said of its other levels."""
    for other in factors:
        is_fixed = len({row.levels[other] for pair in pairs for row in pair}) == 1
        if other != names and is_fixed and len({row.levels[other] for row in rows}) > 1:
            yield _condition(Choice(other, (pairs[0][0].levels[other],), ConditionKind.EQUAL))


def _agree(pair: Sequence[JudgedCell]) -> bool:
    return len({row.verdict for row in pair}) == 1


def _others(rows: Sequence[JudgedCell], factors: Sequence[Names]) -> Iterator[CellOutcome]:
    """When cells crash, fail or cannot be tested; without clean neighbours, which are about hangs."""
    for verdict in BESIDE_A_HANG:
        inside = [row for row in rows if row.verdict is verdict]
        outside = [row for row in rows if row.verdict is not verdict]
        if inside:
            separating = _separate(inside, outside, rows, factors) if outside else ()
            explanations = tuple(_explanation(_alone(parts)) for parts in separating)
            yield CellOutcome(verdict=verdict, cells=len(inside), of=len(rows), explanations=explanations)


def _alone(parts: Disjunction) -> Disjunction:
    return tuple(tuple(replace(choice, neighbour=None) for choice in part) for part in parts)


def _clean_means(clean: Sequence[JudgedCell]) -> CleanMeans | None:
    """What every clean cell had at least; None where none had a trial that counts."""
    trials = min((row.trials for row in clean), default=0)
    if not trials:
        return None
    operations = min(row.operations for row in clean)
    return CleanMeans(
        trials=trials,
        operations=operations,
        could_have_missed=could_have_missed(trials),
        hazard_missed=hazard(0, operations).ruled_out if operations else None,
    )
