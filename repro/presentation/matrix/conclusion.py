"""A run's conclusion in English, from its record: as the lines of an answer, for people, and as sentences, for JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from repro.core.matrix.conclusion import MOST_CONDITIONS
from repro.core.matrix.hosts import host_effects
from repro.core.matrix.timeouts import timeout_worth
from repro.findings import CauseMatch
from repro.model import (
    Cell,
    CellOutcome,
    CellResult,
    CellVerdict,
    CleanMeans,
    Conclusion,
    Condition,
    Explanation,
    Level,
    NoEffect,
    StoredRun,
    Trial,
)
from repro.presentation.cover import covered_text
from repro.presentation.hunt.answers import hunt_lines, sentence_of
from repro.presentation.lines import AnswerLine
from repro.presentation.matrix.amplified import amplified_lines
from repro.presentation.matrix.faulty import faulty_lines, faulty_sentences
from repro.presentation.matrix.hosts import effect_text, host_lines
from repro.presentation.matrix.levels import condition_text, factors_text, short_condition_text, short_factors_text
from repro.presentation.matrix.timeouts import worth_sentences
from repro.presentation.rates import fewer_than

MOST_EXPLANATIONS = 3
VERBS = {
    CellVerdict.HANG: "hangs",
    CellVerdict.CRASH: "crashes",
    CellVerdict.FAILING: "fails",
    CellVerdict.UNTESTABLE: "cannot be tested",
    CellVerdict.INCONCLUSIVE: "is inconclusive",
}
HEADS = {
    CellVerdict.HANG: "HANGS",
    CellVerdict.CRASH: "CRASHES",
    CellVerdict.FAILING: "FAILS",
    CellVerdict.UNTESTABLE: "UNTESTED",
    CellVerdict.INCONCLUSIVE: "UNCLEAR",
}
_THREAD = re.compile(r"^https://github\.com/[^/]+/([^/]+)/(?:issues|pull|discussions)/(\d+)$")
_REQUIREMENT = re.compile(r"^([\w.-]+)(>=|<=|==|<|>)([\w.]+)$")

# The lines of the answer


def answer_lines(run: StoredRun) -> tuple[AnswerLine, ...]:
    """The lines of the answer: first when it hangs, then how sure that is, then what helps. Empty without a result."""
    if run.hunt is not None:
        return hunt_lines(run.hunt)
    return tuple(_lines(run, run.conclusion)) if run.conclusion else ()


def _lines(run: StoredRun, conclusion: Conclusion) -> Iterator[AnswerLine]:
    tried = [result for result in run.cells if result.trials]
    hang = conclusion.outcome(CellVerdict.HANG)
    if hang:
        yield from _hang_lines(conclusion, hang, tried)
    elif conclusion.clean or not conclusion.outcomes:
        yield _no_hang_line(conclusion)
    if hang and conclusion.faulty:
        yield from faulty_lines(conclusion.faulty)
    yield from (_outcome_line(one, tried) for one in conclusion.outcomes if one is not hang)
    if hang and conclusion.bounded:
        count = f"{conclusion.bounded} of {_cells(hang.cells)}"
        yield AnswerLine("Ends:", f"it gives up after at most {conclusion.bounded_s:.0f} s", count)
    if conclusion.no_effect:
        *others, last = map(_no_effect, conclusion.no_effect)
        first, *rest = [*(f"{one}," for one in others), last]
        yield AnswerLine("No effect:", first, rest=tuple(rest))
    yield from amplified_lines(run, tried)
    yield from host_lines(run)
    if run.plan.cover:
        yield AnswerLine("Covered:", covered_text(len(run.plan.cells), run.plan.cover))
    if conclusion.clean_means:
        yield AnswerLine("Clean:", _clean(conclusion.clean, conclusion.clean_means))
    yield from _cause_lines(tried)


def _hang_lines(conclusion: Conclusion, hang: CellOutcome, tried: Sequence[CellResult]) -> Iterator[AnswerLine]:
    """When cells hang; where the cells leave several explanations, all of them, and what to run to see which it is."""
    some = f"{hang.cells} of {_cells(hang.of)}"
    if not conclusion.clean:
        yield AnswerLine(
            "HANGS", "in every cell that was judged" if hang.of > 1 else "in the cell that was judged", some
        )
        yield AnswerLine(
            "Do:", "vary a factor (`repro list factors`): comparing with a clean cell shows what the hang needs"
        )
    elif not hang.explanations:
        yield AnswerLine("HANGS", f"in some cells; no {MOST_CONDITIONS} or fewer factors explain which", some)
        yield AnswerLine("Do:", "try more trials: a cell that looks clean may only have been lucky")
    elif len(hang.explanations) == 1:
        yield _outcome_line(hang, tried)
    else:
        shown = hang.explanations[:MOST_EXPLANATIONS]
        yield AnswerLine(
            "HANGS", "when one of these holds; the cells do not show which", some, items=tuple(map(_alternative, shown))
        )
        yield AnswerLine("Do:", f"run every combination of {_listed(_factors(shown))}")


def _alternative(explanation: Explanation) -> str:
    return ", or ".join(map(_part_text, explanation))


def _part_text(part: Sequence[Condition]) -> str:
    return " and ".join(condition_text(one) for one in part)


def _factors(explanations: Sequence[Explanation]) -> Iterator[str]:
    """The names of the factors in them, each once."""
    conditions = (condition for one in explanations for part in one for condition in part)
    yield from dict.fromkeys(short_factors_text(condition.levels[0]) for condition in conditions)


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _outcome_line(outcome: CellOutcome, tried: Sequence[CellResult]) -> AnswerLine:
    """When cells come to something, and how many of those that meet the condition do."""
    head = HEADS[outcome.verdict]
    if not outcome.explanations:
        where = "in every cell" if outcome.cells == outcome.of else "in some cells"
        return AnswerLine(head, where, f"{outcome.cells} of {_cells(outcome.of)}")
    meant = [result for result in tried if _is_met(outcome.explanations[0], result.cell)]
    came = sum(result.verdict is outcome.verdict for result in meant)
    count = f"{came} of {_cells(len(meant))}" if came else f"{outcome.cells} of {_cells(outcome.of)}"
    text, items = _when(outcome.explanations[0])
    return AnswerLine(head, text, count, items=items)


def _when(explanation: Explanation) -> tuple[str, tuple[str, ...]]:
    """The condition in one line; of several parts, each of which is enough, what they share and then each part.

    ``when client=shared``; ``when stack=2024-03 and one of these`` with ``client=shared`` and ``launch=cli``.
    """
    if len(explanation) == 1:
        return f"when {_part_text(explanation[0])}", ()
    shared = [one for one in explanation[0] if all(one in part for part in explanation)]
    parts = [[one for one in part if one not in shared] for part in explanation]
    if not shared and all(len(part) == 1 for part in parts):
        return f"when {' or '.join(map(_part_text, parts))}", ()
    return f"when {_part_text(shared)}{' and ' if shared else ''}one of these holds", tuple(map(_part_text, parts))


def _no_hang_line(conclusion: Conclusion) -> AnswerLine:
    if not conclusion.clean:
        return AnswerLine("UNKNOWN", "no cell could be judged", f"0 of {_cells(conclusion.cells)}")
    where = "in the cell that was judged" if conclusion.clean == 1 else "in the cells that were judged"
    return AnswerLine("NO HANG", where, f"{conclusion.clean} of {_cells(conclusion.cells)}")


def _is_met(explanation: Explanation, cell: Cell) -> bool:
    return any(all(_has(condition, cell) for condition in part) for part in explanation)


def _has(condition: Condition, cell: Cell) -> bool:
    def has(levels: Mapping[str, Level]) -> bool:
        return all(cell.factors.get(name, "") == level for name, level in levels.items())

    return any(map(has, condition.levels))


def _no_effect(found: NoEffect) -> str:
    """``launch (tested with import_order=locust-first)``, ``timeouts (1 pair of cells)``."""
    name = short_factors_text(found.factors)
    if found.under:
        return f"{name} (tested with {' and '.join(short_condition_text(one) for one in found.under)})"
    pairs = "1 pair" if found.pairs == 1 else f"{found.pairs} pairs"
    return f"{name} ({pairs} of cells)" if found.pairs else name


def _clean(cells: int, means: CleanMeans) -> str:
    each = " each" if cells > 1 else ""
    trials = "1 trial" if means.trials == 1 else f"{means.trials} trials"
    return (
        f"{_cells(cells)}, at least {trials} and {means.operations:,} operations{each}. "
        f"A hang in {_missed(means)} could have been missed (95 %)."
    )


def _missed(means: CleanMeans) -> str:
    """``fewer than 63 % of trials``, with the hazard before it where operations ended."""
    share = f"{means.could_have_missed * 100:.0f} % of trials"
    if means.hazard_missed is None:
        return f"fewer than {share}"
    return f"{fewer_than(means.hazard_missed)} operations or {share}"


def _cause_lines(tried: Sequence[CellResult]) -> Iterator[AnswerLine]:
    """Each known cause that was seen, and whether there are hangs without one."""
    trials = [trial for result in tried for trial in result.trials]
    known = {cause.id: cause for trial in trials if (cause := _cause(trial))}
    yield from map(_cause_line, known.values())
    if new := sum(trial.hang is not None and not trial.hang.cause and not _cause(trial) for trial in trials):
        hangs = "1 hang" if new == 1 else f"{new} hangs"
        yield AnswerLine("Cause:", f"unknown for {hangs}; `repro list causes` lists the known ones")


def _cause(trial: Trial) -> CauseMatch | None:
    return trial.findings.cause if trial.findings else None


def _cause_line(cause: CauseMatch) -> AnswerLine:
    """``gevent#1957 (known): a finalizer switches greenlets.  Fix: gevent >= 25.4.1, or urllib3 < 1.26.16``."""
    thread = _THREAD.match(cause.upstream)
    name = f"{thread[1]}#{thread[2]}" if thread else cause.id
    fixes = ", or ".join(_REQUIREMENT.sub(r"\1 \2 \3", cure) for cure in cause.cures or (cause.cure,))
    return AnswerLine("Cause:", f"{name} (known): {cause.summary or cause.title}.", rest=(f"Fix: {fixes}.",))


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


# The sentences


def sentences_of(run: StoredRun) -> tuple[str, ...]:
    """What the run came to: a hunt's answer, else the conclusion, the answer first; empty while there is neither."""
    if run.hunt is not None:
        return (sentence_of(run.hunt),) if run.hunt.answer else ()
    if run.conclusion is None:
        return ()
    worth = worth_sentences(timeout_worth(run.cells, run.plan.varied))
    amplified = (line.text for line in amplified_lines(run, run.cells))
    found = tuple(conclusion_sentences(run.conclusion, (*amplified, *worth)))
    hosts = map(effect_text, host_effects(run.cells, run.plan.effort.until))
    return (*found, *hosts)


def conclusion_sentences(conclusion: Conclusion, worth: Sequence[str] = ()) -> Iterator[str]:
    """All that the record says, and what was found about timeouts (``worth``) before what clean means."""
    yield hangs_when(conclusion)
    if conclusion.faulty:
        yield from faulty_sentences(conclusion.faulty)
    if conclusion.bounded:
        yield _bounded(conclusion)
    yield from map(no_effect_text, conclusion.no_effect)
    yield from (outcome_text(one) for one in conclusion.outcomes if one.verdict is not CellVerdict.HANG)
    yield from worth
    if conclusion.clean_means:
        yield _clean_means(conclusion.clean_means)


def hangs_when(conclusion: Conclusion) -> str:
    """The condition of the hang alone, or that nothing hangs, or that the cells do not show it."""
    hang = conclusion.outcome(CellVerdict.HANG)
    if hang is None:
        return _no_hang(conclusion)
    if not conclusion.clean:
        is_one = hang.cells == 1
        noun = "the one cell that was judged hangs" if is_one else f"all {hang.cells} cells that were judged hang"
        return f"{noun}; without a clean one they do not show what it depends on"
    if not hang.explanations:
        return (
            f"hangs in {hang.cells} of {hang.of} cells, and no {MOST_CONDITIONS} or fewer factors explain which:"
            " try more trials"
        )
    texts = [explanation_text(one) for one in hang.explanations[:MOST_EXPLANATIONS]]
    if len(texts) == 1:
        return f"hangs when {texts[0]}"
    factors = _listed(_factors(hang.explanations[:MOST_EXPLANATIONS]))
    return f"hangs when {', or when '.join(texts)}; the cells do not show which: run every combination of {factors}"


def outcome_text(outcome: CellOutcome) -> str:
    """When cells come to something else than a hang: ``crashes when launch=library``."""
    verb = VERBS[outcome.verdict]
    if outcome.explanations:
        return f"{verb} when {explanation_text(outcome.explanations[0])}"
    return f"{verb} in {outcome.cells} of {outcome.of} cells"


def explanation_text(explanation: Explanation) -> str:
    """``client=per-iteration and urllib3>=1.26.16``; parts, each of them enough, are joined by ``, or when``."""
    return ", or when ".join(map(_part_text, explanation))


def no_effect_text(found: NoEffect) -> str:
    """``import_order makes no difference under launch=cli``."""
    verb = "makes" if len(found.factors) == 1 else "make"
    under = f" under {' and '.join(condition_text(one) for one in found.under)}" if found.under else ""
    return f"{factors_text(found.factors)} {verb} no difference{under}"


def _no_hang(conclusion: Conclusion) -> str:
    if not conclusion.clean:
        return "no cell could be judged"
    return f"no hang in {conclusion.clean} of {conclusion.cells} cells that could be judged"


def _bounded(conclusion: Conclusion) -> str:
    """What ends the hangs by itself: the longest bound, and how many cells it holds for."""
    hang = conclusion.outcome(CellVerdict.HANG)
    hung = hang.cells if hang else conclusion.bounded
    said = f"gives up after at most {conclusion.bounded_s:.0f} s"
    if conclusion.bounded == hung:
        return f"that hang is bounded: it {said}"
    return f"in {conclusion.bounded} of {hung} cells that hang it is bounded: it {said}"


def _clean_means(means: CleanMeans) -> str:
    trials = "1 trial" if means.trials == 1 else f"{means.trials} trials"
    return (
        f"a clean cell had at least {trials} and {means.operations:,} operations: a hang in "
        f"{_missed(means)} could have been missed (95 %)"
    )
