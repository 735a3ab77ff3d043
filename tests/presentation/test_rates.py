"""A rate has one form, with the same numbers, wherever it stands."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from repro.answer import AnswerKind, BisectionAnswer, BisectionRecord, ReleaseTrials
from repro.core.intervals import interval
from repro.model import CellVerdict, StoredRun
from repro.presentation.comparison import compare, comparison_markdown
from repro.presentation.console import summary
from repro.presentation.hunt.answers import block_of
from repro.presentation.hunt.bisected import picture
from repro.presentation.junit import junit
from repro.presentation.markdown import markdown
from repro.presentation.page import page
from repro.presentation.rates import rate_text
from repro.presentation.report import report_of

EVERY = [(hits, n) for n in range(1, 21) for hits in range(n + 1)]
FORM = re.compile(r"\d+ of \d+ hung \(95 % CI \d+–\d+ %\)")


def test_the_form() -> None:
    assert rate_text(interval(1, 3)) == "1 of 3 hung (95 % CI 1–91 %)"
    assert rate_text(interval(1, 1)) == "1 of 1 hung (95 % CI 3–100 %)"
    assert rate_text(interval(3, 40)) == "3 of 40 hung (95 % CI 2–20 %)"
    assert rate_text(None) == "none counted"


@pytest.mark.parametrize(("hits", "n"), EVERY)
def test_every_place_says_it_alike(hits: int, n: int, stored) -> None:
    run = stored(cells=1, text="t")
    run = replace(run, cells=(replace(run.cells[0], rate=interval(hits, n)),))
    wanted = {rate_text(interval(hits, n))}
    report = report_of(run)
    clean = replace(report.cells[0], verdict=CellVerdict.CLEAN, hang_class=None)
    compared = compare(report, replace(report, cells=(clean,)))
    for text in (markdown(report), page(report), junit(report), comparison_markdown(compared), terminal(run)):
        assert set(FORM.findall(text)) == wanted
    release = ReleaseTrials(name="1", hangs=hits, trials=n)
    answer = BisectionAnswer(kind=AnswerKind.UNKNOWN, package="n", confidence=0.5, releases=(release,))
    assert {row.text for row in picture(answer, names=("1",)).rows} == wanted
    assert set(FORM.findall(block_of(BisectionRecord(hunted=None, answer=answer), (), command="c"))) == wanted


def terminal(run: StoredRun) -> str:
    screen = Console(file=io.StringIO(), width=240)
    summary(screen, run)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()
