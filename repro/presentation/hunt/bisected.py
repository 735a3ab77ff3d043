"""A bisection as a picture's rows: every release that was tried with its hang rate, and the answer marked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from repro.answer import AnswerKind, BisectionAnswer, ReleaseTrials
from repro.core.intervals import interval
from repro.model import StoredRun
from repro.presentation.rates import rate_text

WORDS = {AnswerKind.FIRST_BAD: "first that hangs", AnswerKind.FIRST_FIXED: "first that is fixed"}


@dataclass(frozen=True)
class ReleaseRow:
    """A release: its share of hung trials in percent; ``skipped`` were not tried since the row before.

    ``mark`` says in words what the answer makes of it. A row without a text only counts the skipped at the end.
    """

    name: str
    text: str
    low: float
    high: float
    at: float
    mark: str = ""
    skipped: int = 0
    is_answer: bool = False


@dataclass(frozen=True)
class Bisected:
    """The picture: its heading, and the rows from the oldest release to the newest."""

    package: str
    rows: tuple[ReleaseRow, ...]


def bisected_of(run: StoredRun) -> Bisected | None:
    """The picture of a run, None when it was not a bisection, or no release of it was tried."""
    answer = run.hunt.answer if run.hunt else None
    if not isinstance(answer, BisectionAnswer) or not any(release.trials for release in answer.releases):
        return None
    return picture(answer, names=dict.fromkeys(str(one.cell.factors.get(answer.package, "")) for one in run.cells))


def picture(answer: BisectionAnswer, *, names: Collection[str]) -> Bisected:
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
    return Bisected(answer.package, tuple(rows))


def _row(release: ReleaseTrials, answer: BisectionAnswer, skipped: int) -> ReleaseRow:
    mark = ""
    if release.name == answer.release:
        day = f", released {release.released.isoformat()}" if release.released else ""
        mark = f"{WORDS.get(answer.kind, 'the answer')}{day}, {answer.confidence * 100:.0f} % sure"
    elif release.name == answer.previous:
        mark = "last that does not" if answer.kind is AnswerKind.FIRST_BAD else "last that hangs"
    rate = interval(release.hangs, release.trials)
    return ReleaseRow(
        name=release.name,
        text=rate_text(rate),
        low=round(rate.low * 100, 2),
        high=round(rate.high * 100, 2),
        at=release.hangs / release.trials * 100,
        mark=mark,
        skipped=skipped,
        is_answer=release.name == answer.release,
    )
