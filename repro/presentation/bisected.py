"""A bisection as a picture's rows: every release that was tried with its hang rate, and the answer between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repro.presentation.markdown import rate_text

WORDS = {"first-bad": "first that hangs", "first-fixed": "first that hangs no longer"}


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
    """The picture of a run's document, None when the run was no bisection."""
    answer = document.get("answer") or {}
    trials = answer.get("trials")
    if not trials:
        return None
    package = str(answer.get("package") or "release")
    names = list(dict.fromkeys(str(cell["factors"].get(package, "")) for cell in document["cells"]))
    names = names if set(trials) <= set(names) else list(trials)
    rows, skipped = [], 0
    for name in names:
        if name not in trials:
            skipped += 1
            continue
        rows.append(_row(name, trials[name], answer, skipped))
        skipped = 0
    if skipped:
        rows.append(ReleaseRow("", "", 0, 0, 0, skipped=skipped))
    return Bisected(package, str(answer.get("sentence", "")), tuple(rows))


def _row(name: str, rate: Mapping[str, Any], answer: Mapping[str, Any], skipped: int) -> ReleaseRow:
    mark = ""
    if name == answer.get("release"):
        day = f", released {answer['released']}" if answer.get("released") else ""
        mark = f"{WORDS.get(str(answer.get('kind')), 'the answer')}{day}, {answer['confidence']:.0%} sure"
    elif name == answer.get("previous"):
        mark = "last that does not" if answer.get("kind") == "first-bad" else "last that hangs"
    share = rate["hits"] / rate["n"] * 100
    return ReleaseRow(name, rate_text(rate), rate["low"] * 100, rate["high"] * 100, share, mark, skipped)
