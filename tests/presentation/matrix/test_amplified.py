"""An amplified trial never counts in a natural cell's rate, and the answer says what came only under amplification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from repro.core.hang.amplified_pairs import amplified_pairs
from repro.core.matrix.conclusion import conclude
from repro.core.matrix.hazards import result_of
from repro.findings import Amplified, Findings, RowName
from repro.model import CellResult, Exposure, Hang, StoredRun, Trial, Verdict
from repro.presentation.hang.explanation import reason_of
from repro.presentation.matrix.conclusion import amplified_text, answer_lines, sentences_of


def cell(run: StoredRun, knob: str, hangs: int, clean: int, *, launch: str = "cli") -> CellResult:
    own = replace(run.cells[0].cell, id=f"{knob}{launch}", factors={"launch": launch, "amplify": knob})
    hung = run.cells[0].trials[0]
    quiet = replace(hung, hang=None, verdict=Verdict.CLEAN, exposure=Exposure(operations=10_500, seconds=8))
    made: list[Trial] = [replace(hung, number=n, cell_id=own.id) for n in range(hangs)]
    made += [replace(quiet, number=hangs + n, cell_id=own.id) for n in range(clean)]
    return result_of(own, made)


def test_what_came_only_under_amplification_is_said_beside_the_natural_cell(stored: Callable[..., StoredRun]) -> None:
    run = stored(text="t")
    cells = (cell(run, "none", 0, 20), cell(run, "gc", 10, 0), cell(run, "none", 0, 3, launch="library"))
    (pair,) = amplified_pairs(cells)
    said = "only under amplify=gc, 10 of 10; naturally 0 of 20 (210,000 operations)"
    assert amplified_text(pair) == said
    whole = replace(run, cells=cells, conclusion=conclude(cells, ["amplify", "launch"]))
    assert said in [line.text for line in answer_lines(whole)]
    assert said in sentences_of(whole)
    assert [(one.rate.hits, one.rate.n) for one in cells if one.rate] == [(0, 20), (10, 10), (0, 3)]


@pytest.mark.parametrize(("fingerprint", "words"), [("f", "the same hang"), ("other", "another hang")])
def test_where_it_hangs_naturally_too_the_same_hang_is_told_from_another(
    stored: Callable[..., StoredRun], fingerprint: str, words: str
) -> None:
    run = stored(text="t")
    natural, amplified = cell(run, "none", 1, 3), cell(run, "gc", 2, 0)
    hangs = [trial for trial in natural.trials if trial.hang]
    changed = [replace(hangs[0], hang=_with(hangs[0].hang, fingerprint)), *natural.trials[1:]]
    (pair,) = amplified_pairs([result_of(natural.cell, changed), amplified])
    assert amplified_text(pair).startswith(f"under amplify=gc 2 of 2, {words}; naturally 1 of 4")


def _with(hang: Hang | None, fingerprint: str) -> Hang:
    assert hang is not None
    return replace(hang, fingerprint=fingerprint)


@pytest.mark.parametrize("knob", ["gc", "threads"])
def test_a_knob_that_did_nothing_says_so(stored: Callable[..., StoredRun], knob: str) -> None:
    found = Findings(row=RowName.LOCKED, amplified=Amplified(knob=knob, moments=0))
    trial = replace(stored(text="t").cells[1].trials[0], verdict=Verdict.INCONCLUSIVE, findings=found)
    assert reason_of(trial).startswith(f"amplify={knob} did nothing: ")
