"""An amplified trial never counts in a natural cell's rate, and the answer says what came only under amplification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from repro.core.amplification.pairs import amplified_pairs
from repro.core.experiment.factors.amplification import KNOBS, apart
from repro.core.matrix.conclusion import conclude
from repro.core.matrix.hazards import result_of
from repro.findings import Amplified, Findings, RowName
from repro.model import CellResult, Effort, Exposure, Hang, StoredRun, Trial, Verdict
from repro.presentation.hang.explanation import reason_of
from repro.presentation.matrix.amplified import amplified_text
from repro.presentation.matrix.conclusion import answer_lines, sentences_of


def cell(
    run: StoredRun, knob: str, hangs: int, clean: int, *, launch: str = "cli", fingerprint: str = "f"
) -> CellResult:
    own = replace(run.cells[0].cell, id=f"{knob}{launch}", factors={"launch": launch, "amplify": knob})
    hung = replace(run.cells[0].trials[0], hang=_with(run.cells[0].trials[0].hang, fingerprint))
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


def test_knobs_are_dropped_to_each_alone_and_to_none() -> None:
    assert apart("all") == ("all", *KNOBS, "none")
    assert apart("gc") == ("gc", "none")
    assert apart("none") == ("none",)


@pytest.mark.parametrize("knob", [*KNOBS, "dns+io", "all"])
def test_a_knob_that_did_nothing_says_so(stored: Callable[..., StoredRun], knob: str) -> None:
    found = Findings(row=RowName.LOCKED, amplified=Amplified(knob=knob, moments=0))
    trial = replace(stored(text="t").cells[1].trials[0], verdict=Verdict.INCONCLUSIVE, findings=found)
    assert reason_of(trial).startswith(f"amplify={knob} did nothing: ")


def test_a_neighbour_that_stays_clean_under_the_same_seeds_is_said(stored: Callable[..., StoredRun]) -> None:
    run = stored(text="t")
    (pair,) = amplified_pairs((cell(run, "none", 0, 2), cell(run, "gc", 3, 0), cell(run, "gc", 0, 5, launch="library")))
    assert not pair.is_withdrawn
    said = "only under amplify=gc, 3 of 3; naturally 0 of 2 (21,000 operations); amplified alike with launch=library 0 of 5"
    assert amplified_text(pair) == said


def test_where_no_neighbour_stays_clean_the_finding_is_withdrawn(stored: Callable[..., StoredRun]) -> None:
    run = stored(text="t")
    cells = [
        *(cell(run, "none", 0, 2, launch=launch) for launch in ("cli", "library")),
        *(cell(run, "gc", 3, 0, launch=launch) for launch in ("cli", "library")),
    ]
    pairs = list(amplified_pairs(cells))
    assert [pair.is_withdrawn for pair in pairs] == [True, True]
    assert all(amplified_text(pair).startswith("withdrawn: under amplify=gc 3 of 3 hung") for pair in pairs)
    assert "only" not in "".join(map(amplified_text, pairs))
    assert not any(pair.is_withdrawn for pair in amplified_pairs([cell(run, "none", 1, 2), *cells[1:]]) if pair.is_same)


@dataclass
class Case:
    alone: dict[str, int]
    words: str
    fingerprints: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    "case",
    [
        Case({"gc": 10, "stop": 0}, "replayed 9 of 10 (seed 7, amplify=all); needs only gc (10 of 10)"),
        Case(
            {"gc": 10, "io": 2}, "replayed 9 of 10 (seed 7, amplify=all); needs only one of gc (10 of 10), io (2 of 10)"
        ),
        Case({"gc": 0, "io": 0}, "replayed 9 of 10 (seed 7, amplify=all); no knob brings it alone: tried gc, io"),
        Case(
            {"gc": 3, "io": 5},
            "replayed 9 of 10 (seed 7, amplify=all); needs only io (5 of 10)",
            {"gc": "another"},
        ),
    ],
)
def test_a_replay_says_its_share_and_which_knob_is_needed(stored: Callable[..., StoredRun], case: Case) -> None:
    run = stored(text="t")
    alone = [
        cell(run, knob, hangs, 10 - hangs, fingerprint=case.fingerprints.get(knob, "f"))
        for knob, hangs in case.alone.items()
    ]
    cells = (cell(run, "all", 9, 1), *alone, cell(run, "none", 0, 10))
    whole = replace(run, cells=cells, conclusion=conclude(cells, ["amplify"]))
    assert not [line for line in answer_lines(whole) if line.head == "Replayed:"]
    replayed = replace(whole, plan=replace(run.plan, effort=Effort(replays=7)))
    assert [line.text for line in answer_lines(replayed) if line.head == "Replayed:"] == [case.words]
