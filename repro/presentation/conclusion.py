"""A run's conclusion in English: all its sentences are made here, from its record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repro.core.matrix.conclusion import MOST_CONDITIONS
from repro.core.matrix.timeouts import timeout_worth
from repro.model import CellOutcome, CellVerdict, CleanMeans, Conclusion, Explanation, NoEffect, StoredRun
from repro.presentation.answers import sentence_of
from repro.presentation.levels import condition_text, factors_text
from repro.presentation.timeouts import worth_sentences

MOST_EXPLANATIONS = 3
VERBS = {
    CellVerdict.HANG: "hangs",
    CellVerdict.CRASH: "crashes",
    CellVerdict.FAILING: "fails",
    CellVerdict.UNTESTABLE: "cannot be tested",
    CellVerdict.INCONCLUSIVE: "is inconclusive",
}


def sentences_of(run: StoredRun) -> tuple[str, ...]:
    """What the run came to: a hunt's answer, else the conclusion, the answer first; empty while there is neither."""
    if run.hunt is not None:
        return (sentence_of(run.hunt),) if run.hunt.answer else ()
    if run.conclusion is None:
        return ()
    worth = worth_sentences(timeout_worth(run.cells, run.plan.varied))
    return tuple(conclusion_sentences(run.conclusion, worth))


def conclusion_sentences(conclusion: Conclusion, worth: Sequence[str] = ()) -> Iterator[str]:
    """All that the record says, and what was found about timeouts (``worth``) before what clean means."""
    yield hangs_when(conclusion)
    if conclusion.bounded:
        yield _bounded(conclusion)
    yield from map(no_effect_text, conclusion.no_effect)
    yield from (outcome_text(one) for one in conclusion.outcomes if one.verdict is not CellVerdict.HANG)
    yield from worth
    if conclusion.clean_means:
        yield _clean_means(conclusion.clean_means)


def hangs_when(conclusion: Conclusion) -> str:
    """When cells hang, alone; or that none does, or that the cells do not tell."""
    hang = conclusion.outcome(CellVerdict.HANG)
    if hang is None:
        return _no_hang(conclusion)
    if not conclusion.clean:
        is_one = hang.cells == 1
        noun = "the one cell that was judged hangs" if is_one else f"all {hang.cells} cells that were judged hang"
        return f"{noun}: nothing among them is clean, so the cells do not show what it depends on"
    if not hang.explanations:
        return (
            f"hangs in {hang.cells} of {hang.of} cells, and no condition on up to {MOST_CONDITIONS} factors separates"
            " them from the clean ones: the cells do not settle it, try more trials"
        )
    texts = [explanation_text(one) for one in hang.explanations[:MOST_EXPLANATIONS]]
    if len(texts) == 1:
        return f"hangs when {texts[0]}"
    return f"hangs when {', or when '.join(texts)}: these cells do not settle which, cross those factors"


def outcome_text(outcome: CellOutcome) -> str:
    """When cells come to something else than a hang: ``crashes when launch=library``."""
    verb = VERBS[outcome.verdict]
    if outcome.explanations:
        return f"{verb} when {explanation_text(outcome.explanations[0])}"
    return f"{verb} in {outcome.cells} of {outcome.of} cells"


def explanation_text(explanation: Explanation) -> str:
    """``client=per-iteration and urllib3>=1.26.16``; several parts are joined by ``, and when``."""
    return ", and when ".join(" and ".join(condition_text(one) for one in part) for part in explanation)


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
    missed = f"{means.could_have_missed:.0%}"
    return f"a clean cell had at least {trials}, which could have missed a hang rate of up to {missed}"
