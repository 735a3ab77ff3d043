"""What a matrix showed, in one sentence computed from its cells: the smallest conditions that separate hung from clean.

    hangs when client=per-iteration and urllib3>=1.26.16 (1.26.15 clean); import_order makes no difference under launch=cli

A condition says nothing of levels that were not tried. Where two explanations are equally small, the cells do not settle
which one is true, and the sentence says so. Factors that vary in lockstep are one.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.version import InvalidVersion, Version

from repro.core.experiment.catalogue import STACK
from repro.core.experiment.level_text import shown
from repro.core.experiment.levels import equal, lockstep, merged
from repro.core.intervals import could_have_missed
from repro.core.matrix.timeouts import bounds_in_words, waits_in_words
from repro.model import CellResult, CellVerdict, Level

MOST_CONDITIONS = 3
MOST_PARTS = 3
MOST_ATOMS = 150
MOST_ALTERNATIVES = 3
OUTCOMES = {
    CellVerdict.CRASH: "crashes",
    CellVerdict.FAILING: "fails",
    CellVerdict.UNTESTABLE: "cannot be tested",
    CellVerdict.INCONCLUSIVE: "is inconclusive",
}


@dataclass(frozen=True)
class Condition:
    """One condition on a factor: which levels satisfy it, and how it reads."""

    factor: str
    levels: frozenset[Level]
    text: str


@dataclass(frozen=True)
class JudgedCell:
    """A cell as the conclusion sees it: the level of each varied factor, and what it came to."""

    levels: Mapping[str, Level]
    verdict: CellVerdict
    clean_trials: int = 0


@dataclass(frozen=True)
class Conclusion:
    """The sentence, and what it is made of: the alternatives, each a disjunction of conjunctions of conditions."""

    text: str
    alternatives: tuple[tuple[tuple[Condition, ...], ...], ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether just one smallest explanation separates hung from clean."""
        return len(self.alternatives) == 1


def conclude(results: Sequence[CellResult], varied: Sequence[str]) -> Conclusion:
    """The conclusion from a run's cells; ``varied`` names the factors with several levels, in the experiment's order."""
    rows = [_row(result, varied) for result in results if result.trials]
    groups = lockstep([row.levels for row in rows], varied)
    rows = [replace(row, levels=merged(row.levels, groups)) for row in rows]
    factors = [name for name in groups if len({row.levels[name] for row in rows}) > 1]
    hung = [row for row in rows if row.verdict is CellVerdict.HANG]
    clean = [row for row in rows if row.verdict is CellVerdict.CLEAN]
    alternatives = _separate(hung, clean, rows, factors) if hung and clean else ()
    parts = [_when(hung, clean, rows, alternatives), bounds_in_words(results)]
    if hung and clean:
        parts += _indifferent(rows, factors, alternatives)
    parts += _others(rows, factors)
    parts += waits_in_words(results, varied)
    parts += _doubt(clean)
    return Conclusion("; ".join(part for part in parts if part), alternatives)


def _row(result: CellResult, varied: Sequence[str]) -> JudgedCell:
    clean = result.rate.n - result.rate.hits if result.rate else 0
    return JudgedCell({name: result.cell.factors.get(name, "") for name in varied}, result.verdict, clean)


# The smallest conditions


def _separate(
    hung: Sequence[JudgedCell], clean: Sequence[JudgedCell], rows: Sequence[JudgedCell], factors: Sequence[str]
) -> tuple[tuple[tuple[Condition, ...], ...], ...]:
    """The smallest explanations: one conjunction where that is enough, else several; all that are equally small."""
    conditions = [condition for name in factors for condition in _conditions(name, rows, hung, clean)][:MOST_ATOMS]
    masks = [(_mask(condition, hung), _mask(condition, clean)) for condition in conditions]
    everything = (1 << len(hung)) - 1
    exact = []
    for size in range(1, MOST_CONDITIONS + 1):
        for indices in itertools.combinations(range(len(conditions)), size):
            covered, wrong = _both(indices, masks, everything, len(clean))
            if covered and not wrong and len({conditions[i].factor for i in indices}) == size:
                exact.append((covered, tuple(conditions[i] for i in indices)))
        whole = [(found,) for covered, found in exact if covered == everything]
        if whole:
            return tuple(_distinct(whole))[: MOST_ALTERNATIVES + 1]
    parts = _cover(exact, everything)
    return (parts,) if parts else ()


def _both(indices: Sequence[int], masks: Sequence[tuple[int, int]], everything: int, clean: int) -> tuple[int, int]:
    covered, wrong = everything, (1 << clean) - 1
    for index in indices:
        covered &= masks[index][0]
        wrong &= masks[index][1]
    return covered, wrong


def _cover(exact: Sequence[tuple[int, tuple[Condition, ...]]], everything: int) -> tuple[tuple[Condition, ...], ...]:
    """Few conjunctions that together cover all that hung, chosen greedily; none when that takes too many."""
    left = everything
    chosen: list[tuple[Condition, ...]] = []
    while left and len(chosen) < MOST_PARTS and exact:
        covered, found = max(exact, key=lambda item: ((item[0] & left).bit_count(), -len(item[1])))
        if not covered & left:
            break
        chosen.append(found)
        left &= ~covered
    return () if left else tuple(chosen)


def _distinct(found: Sequence[tuple[tuple[Condition, ...], ...]]) -> list[tuple[tuple[Condition, ...], ...]]:
    """One explanation for each set of factors, the one with fewest levels: what it says beyond that was not seen."""
    best: dict[frozenset[str], tuple[tuple[Condition, ...], ...]] = {}
    for explanation in found:
        key = frozenset(condition.factor for part in explanation for condition in part)
        size = sum(len(condition.levels) for part in explanation for condition in part)
        if key not in best or size < sum(len(condition.levels) for part in best[key] for condition in part):
            best[key] = explanation
    return list(best.values())


def _mask(condition: Condition, rows: Sequence[JudgedCell]) -> int:
    return sum(1 << index for index, row in enumerate(rows) if row.levels[condition.factor] in condition.levels)


def _conditions(
    name: str, rows: Sequence[JudgedCell], hung: Sequence[JudgedCell], clean: Sequence[JudgedCell]
) -> Iterator[Condition]:
    """The conditions on one factor: the levels that hung, each level alone, and thresholds where levels have an order."""
    levels, is_ordered = _ordered(name, {row.levels[name] for row in rows})
    hanging = {row.levels[name] for row in hung}
    candidates = [frozenset(hanging)] if len(hanging) < len(levels) else []
    candidates += [frozenset({level}) for level in levels if level in hanging and frozenset({level}) not in candidates]
    if is_ordered:
        cuts = [(frozenset(levels[i:]), frozenset(levels[:i])) for i in range(1, len(levels))]
        candidates += [half for pair in cuts for half in pair if half not in candidates]
    cleaned = {row.levels[name] for row in clean}
    for chosen in candidates:
        yield Condition(name, chosen, _text(name, chosen, levels, cleaned, is_ordered=is_ordered))


def _text(name: str, chosen: frozenset[Level], levels: Sequence[Level], clean: set[Level], *, is_ordered: bool) -> str:
    inside = [level for level in levels if level in chosen]
    if is_ordered and len(levels) > 2 - (_is_version(levels[0])):
        first, last = levels.index(inside[0]), levels.index(inside[-1])
        is_run = last - first + 1 == len(inside)
        if is_run and last == len(levels) - 1 and first > 0:
            before = levels[first - 1]
            return f"{name}>={shown(inside[0])}" + (f" ({shown(before)} clean)" if before in clean else "")
        if is_run and first == 0 and last < len(levels) - 1:
            after = levels[last + 1]
            return f"{name}<={shown(inside[-1])}" + (f" ({shown(after)} clean)" if after in clean else "")
    if len(inside) == 1:
        return equal(name, inside[0])
    return f"{name} in {', '.join(shown(level) for level in inside)}"


def _ordered(name: str, levels: set[Level]) -> tuple[list[Level], bool]:
    """The levels in order, and whether it means anything: the names of stacks look like days and are names."""
    key = None if name == STACK else _order(list(levels))
    return (sorted(levels, key=key), True) if key else (sorted(levels, key=str), False)


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


# The sentence


def _when(
    hung: Sequence[JudgedCell],
    clean: Sequence[JudgedCell],
    rows: Sequence[JudgedCell],
    alternatives: Sequence[Sequence[Sequence[Condition]]],
) -> str:
    if not hung:
        return (
            f"no hang in {len(clean)} of {len(rows)} cells that could be judged" if clean else "no cell could be judged"
        )
    if not clean:
        noun = (
            "the one cell that was judged hangs" if len(hung) == 1 else f"all {len(hung)} cells that were judged hang"
        )
        return f"{noun}: nothing among them is clean, so the cells do not show what it depends on"
    if not alternatives:
        return f"hangs in {len(hung)} of {len(hung) + len(clean)} cells, and no condition on up to {MOST_CONDITIONS} factors separates them from the clean ones: the cells do not settle it, try more trials"
    texts = [_explanation(alternative) for alternative in alternatives[:MOST_ALTERNATIVES]]
    if len(texts) == 1:
        return f"hangs when {texts[0]}"
    return f"hangs when {', or when '.join(texts)}: these cells do not settle which, cross those factors"


def _explanation(parts: Sequence[Sequence[Condition]]) -> str:
    texts = [" and ".join(condition.text for condition in part) for part in parts]
    return texts[0] if len(texts) == 1 else ", and when ".join(texts)


def _indifferent(
    rows: Sequence[JudgedCell],
    factors: Sequence[str],
    alternatives: Sequence[Sequence[Sequence[Condition]]],
) -> list[str]:
    """The factors that make no difference: cells that differ in them alone came to the same, where anything hung at all."""
    used = {condition.factor for alternative in alternatives for part in alternative for condition in part}
    found = []
    for name in factors:
        pairs = [] if name in used else _pairs(rows, name, factors)
        if not any(CellVerdict.HANG in {row.verdict for row in pair} for pair in pairs):
            continue  # alike only where nothing hangs: that says nothing
        under = _under(pairs, name, factors, rows)
        if under is not None:
            verb = "make" if " and " in name else "makes"
            found.append(f"{name} {verb} no difference{under}")
    return found


def _pairs(rows: Sequence[JudgedCell], name: str, factors: Sequence[str]) -> list[tuple[JudgedCell, ...]]:
    groups: dict[tuple[Level, ...], list[JudgedCell]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.levels[other] for other in factors if other != name)].append(row)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _under(
    pairs: Sequence[tuple[JudgedCell, ...]], name: str, factors: Sequence[str], rows: Sequence[JudgedCell]
) -> str | None:
    """Where it makes no difference: everywhere (empty), under some levels of another factor, or nowhere (None)."""
    if all(_agree(pair) for pair in pairs):
        return _scope(pairs, name, factors, rows)
    for other in factors:
        levels = dict.fromkeys(pair[0].levels[other] for pair in pairs if other != name)
        alike = [level for level in levels if _is_alike([pair for pair in pairs if pair[0].levels[other] == level])]
        if alike:
            texts = ", ".join(shown(level) for level in alike)
            return f" under {other} in {texts}" if len(alike) > 1 else f" under {equal(other, alike[0])}"
    return None


def _is_alike(pairs: Sequence[tuple[JudgedCell, ...]]) -> bool:
    """Whether each pair came to the same, a hang among them: alike where nothing hangs says nothing."""
    hangs = any(row.verdict is CellVerdict.HANG for pair in pairs for row in pair)
    return hangs and all(_agree(pair) for pair in pairs)


def _scope(
    pairs: Sequence[tuple[JudgedCell, ...]], name: str, factors: Sequence[str], rows: Sequence[JudgedCell]
) -> str:
    """Pairs may exist under one level of another factor only: then nothing is said of its other levels."""
    told = [
        equal(other, pairs[0][0].levels[other])
        for other in factors
        if other != name
        and len({row.levels[other] for pair in pairs for row in pair}) == 1
        and len({row.levels[other] for row in rows}) > 1
    ]
    return f" under {' and '.join(told)}" if told else ""


def _agree(pair: Sequence[JudgedCell]) -> bool:
    return len({row.verdict for row in pair}) == 1


def _others(rows: Sequence[JudgedCell], factors: Sequence[str]) -> list[str]:
    """When cells crash, fail or cannot be tested, in the same terms."""
    found = []
    for verdict, verb in OUTCOMES.items():
        inside = [row for row in rows if row.verdict is verdict]
        outside = [row for row in rows if row.verdict is not verdict]
        if not inside:
            continue
        alternatives = _separate(inside, outside, rows, factors) if outside else ()
        plain = [_explanation(_plain(alternative)) for alternative in alternatives[:1]]
        found.append(f"{verb} when {plain[0]}" if plain else f"{verb} in {len(inside)} of {len(rows)} cells")
    return found


def _plain(parts: Sequence[Sequence[Condition]]) -> list[list[Condition]]:
    """Without the word of clean neighbours, which is about hangs."""
    return [[Condition(c.factor, c.levels, c.text.partition(" (")[0]) for c in part] for part in parts]


def _doubt(clean: Sequence[JudgedCell]) -> list[str]:
    fewest = min((row.clean_trials for row in clean), default=0)
    if not fewest:
        return []
    trials = "1 trial" if fewest == 1 else f"{fewest} trials"
    return [
        f"a clean cell had at least {trials}, which could have missed a hang rate of up to {could_have_missed(fewest):.0%}"
    ]
