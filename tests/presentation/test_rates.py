"""A rate has one form, with the same numbers, wherever it stands."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from repro.answer import AnswerKind, BisectionAnswer, BisectionRecord, ReleaseTrials
from repro.core.intervals import hazard, interval
from repro.model import CellVerdict, Chance, StoredRun
from repro.presentation.comparison import compare, comparison_markdown
from repro.presentation.console import summary
from repro.presentation.hunt.answers import block_of
from repro.presentation.hunt.bisected import picture
from repro.presentation.rates import hazard_text, rate_text
from repro.presentation.reports.junit import junit
from repro.presentation.reports.markdown import markdown
from repro.presentation.reports.page import page
from repro.presentation.reports.report import report_of

EVERY = [(hits, n) for n in range(1, 21) for hits in range(n + 1)]
FORM = re.compile(r"\d+ of \d+ hung \(95 % CI \d+–\d+ %\)")


def test_the_form() -> None:
    assert rate_text(interval(1, 3)) == "1 of 3 hung (95 % CI 1–91 %)"
    assert rate_text(interval(1, 1)) == "1 of 1 hung (95 % CI 3–100 %)"
    assert rate_text(interval(3, 40)) == "3 of 40 hung (95 % CI 2–20 %)"
    assert rate_text(None) == "none counted"


def test_the_form_of_a_hazard() -> None:
    assert hazard_text(hazard(0, 402_118)) == "0 hangs in 402,118 operations: fewer than 7.5 a million (95 %)"
    assert hazard_text(hazard(0, 1_000)) == "0 hangs in 1,000 operations: fewer than 2,996 a million (95 %)"
    assert hazard_text(hazard(0, 1)) == "0 hangs in 1 operation: fewer than 1,000,000 a million (95 %)"
    assert hazard_text(hazard(3, 12_500)) == "3 hangs in 12,500 operations: 240 a million (95 % CI 49–701)"
    assert hazard_text(hazard(1, 1)) == "1 hang in 1 operation: 1,000,000 a million (95 % CI 25,318–1,000,000)"
    assert hazard_text(hazard(2, 400.5, chance=Chance.STOP)) == "2 hangs in 400 stops: 0.5 % (95 % CI 0.06–1.8 %)"
    assert hazard_text(None) == "no operation ended"


def test_every_place_says_a_hazard_alike(stored) -> None:
    run = stored(cells=1, text="t")
    run = replace(run, cells=(replace(run.cells[0], hazard=hazard(3, 12_500)),))
    report = report_of(run)
    for text in (markdown(report), page(report), terminal(run)):
        assert hazard_text(hazard(3, 12_500)) in text.replace("\\u2013", "–")


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
