"""A bisection as a picture's rows: every release that was tried with its hang rate, and the answer between two of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from repro.answer import AnswerKind, BisectionAnswer, ReleaseTrials
from repro.presentation.answer_document import rate_document
from repro.presentation.markdown import rate_text
from repro.world.runs.hunt_documents import bisection_answer

WORDS = {AnswerKind.FIRST_BAD: "first that hangs", AnswerKind.FIRST_FIXED: "first that hangs no longer"}


@dataclass(frozen=True)
class ReleaseRow:
    """A release: its share of hung trials with the interval in percent; ``skipped`` were not tried since the row before.

    ``mark`` says in words what the answer makes of it. A row without a text only counts the skipped at the end.
    """

    name: str
    text: str
    low: float
    high: float
    at: float
    mark: str = ""
    skipped: int = 0


@dataclass(frozen=True)
class Bisected:
    """The picture: its heading, the answer in a sentence, and the rows from the oldest release to the newest."""

    package: str
    sentence: str
    rows: tuple[ReleaseRow, ...]


def bisected(document: Mapping[str, Any]) -> Bisected | None:
    """The picture of a run's document, redacted or not; None when the run was no bisection."""
    answer = document.get("answer") or {}
    if not answer.get("trials"):
        return None
    found = bisection_answer(answer)
    names = dict.fromkeys(str(cell["factors"].get(found.package, "")) for cell in document["cells"])
    return picture(found, names=tuple(names), sentence=str(answer.get("sentence", "")))


def picture(answer: BisectionAnswer, *, names: Collection[str], sentence: str) -> Bisected:
    """The picture of an answer; ``names`` are all releases that were hunted, the oldest first, where they are known."""
    tried = {release.name: release for release in answer.releases if release.trials}
    rows, skipped = [], 0
    for name in names if tried.keys() <= set(names) else tried:
        if name not in tried:
            skipped += 1
            continue
        rows.append(_row(tried[name], answer, skipped))
        skipped = 0
    if skipped:
        rows.append(ReleaseRow("", "", 0, 0, 0, skipped=skipped))
    return Bisected(answer.package, sentence, tuple(rows))


def _row(release: ReleaseTrials, answer: BisectionAnswer, skipped: int) -> ReleaseRow:
    mark = ""
    if release.name == answer.release:
        day = f", released {release.released.isoformat()}" if release.released else ""
        mark = f"{WORDS.get(answer.kind, 'the answer')}{day}, {answer.confidence:.0%} sure"
    elif release.name == answer.previous:
        mark = "last that does not" if answer.kind is AnswerKind.FIRST_BAD else "last that hangs"
    rate = rate_document(release)
    share = release.hangs / release.trials * 100
    return ReleaseRow(release.name, rate_text(rate), rate["low"] * 100, rate["high"] * 100, share, mark, skipped)
