"""Which combination of levels hangs, in English: what of it was shown, and how likely it is."""

from __future__ import annotations

from collections.abc import Iterator

from repro.model import Faulty, FaultyCombination
from repro.presentation.lines import AnswerLine
from repro.presentation.matrix.levels import condition_text, short_factors_text


def faulty_lines(faulty: Faulty) -> Iterator[AnswerLine]:
    """A line for each combination that was found, and one for the hang that is not settled."""
    yield from (AnswerLine("Shown:", found_text(one)) for one in faulty.found)
    if not faulty.is_settled:
        yield AnswerLine("Unsure:", unsettled_text(faulty))


def faulty_sentences(faulty: Faulty) -> Iterator[str]:
    """The same as sentences."""
    yield from map(found_text, faulty.found)
    if not faulty.is_settled:
        yield unsettled_text(faulty)


def found_text(found: FaultyCombination) -> str:
    """``client=shared and tls=true: clean without either, and enough to make a clean cell hang (98 % certain)``."""
    return f"{combination_text(found)}: {_shown(found)} ({_percent(found.probability)} certain)"


def unsettled_text(faulty: Faulty) -> str:
    """The likeliest combinations with their probabilities, and that the trials do not settle which it is."""
    if faulty.something_else > 1 / 2:
        return (
            f"{faulty.trials:,} trials of {faulty.cells} cells fit no combination of up to three factors "
            f"({_percent(faulty.something_else)} certain)"
        )
    likely = ", or ".join(f"{combination_text(one)} ({_percent(one.probability)})" for one in faulty.suspected)
    open_text = "; ".join(text for text in (_lacking(one) for one in faulty.suspected[:1]) if text)
    more = f"; {open_text}" if open_text else ""
    return f"{likely}: {faulty.trials:,} trials of {faulty.cells} cells do not settle it{more}"


def combination_text(found: FaultyCombination) -> str:
    """``client=shared and tls=true``; ``every cell`` where no factor matters."""
    return " and ".join(map(condition_text, found.conditions)) or "every cell"


def _shown(found: FaultyCombination) -> str:
    names = [short_factors_text(tuple(one.condition.levels[0])) for one in found.clauses if one.is_shown]
    if not found.clauses:
        return "no factor makes a difference"
    if len(names) == len(found.clauses):
        whole = "clean without it" if len(names) == 1 else "clean without any one of them"
    else:
        whole = f"clean without {' or '.join(names)}" if names else "no clause was tried alone"
    missing = _lacking(found)
    parts = [whole, *(["enough to make a clean cell hang"] if found.is_enough else []), *([missing] if missing else [])]
    return ", ".join(parts)


def _lacking(found: FaultyCombination) -> str:
    """What was not shown of a combination; empty where all was."""
    names = [short_factors_text(tuple(one.condition.levels[0])) for one in found.clauses if not one.is_shown]
    lacks = [f"whether it takes {' or '.join(names)}"] if names else []
    if found.clauses and not found.is_enough:
        lacks.append("whether it is enough in a clean cell")
    return f"not shown: {' and '.join(lacks)}" if lacks else ""


def _percent(probability: float) -> str:
    return f"{min(probability * 100, 99.9):.3g} %" if probability > 0.99 else f"{probability * 100:.0f} %"
