"""The documents that earlier releases kept of a hunt are read as records, and say what they said."""

from __future__ import annotations

from datetime import date
from typing import Any

from repro.answer import (
    AnswerKind,
    BisectionRecord,
    BisectionRequest,
    BlameKind,
    BlameRecord,
    Direction,
    KeptProbe,
    ReleaseTrials,
    VersionChange,
)
from repro.presentation.hunt.answer_document import answer_document
from repro.presentation.hunt.answers import block_of, sentence_of
from repro.world.runs.hunt_documents import hunt_of

ASKED = {"package": "p", "good": "1.1", "bad": "1.4", "find": "fixed", "days": None, "pre": False, "yanked": False}
BISECTION: dict[str, Any] = {
    "hunted": {
        "factor": "p",
        "released": {"1.0": None, "1.1": "2024-01-01", "1.2": "2024-01-02", "1.3": None, "1.4": None, "1.5": None},
        "window": [1, 4],
        "asked": ASKED,
    },
    "answer": {
        "kind": "first-fixed",
        "package": "p",
        "release": "1.3",
        "previous": "1.1",
        "released": "2024-01-03",
        "confidence": 0.9712,
        "sentence": "it first hangs no longer with p 1.3",
        "range": ["1.1", "1.4"],
        "untestable": ["1.2"],
        "candidates": ["1.3"],
        "trials": {
            "1.1": {"hits": 2, "n": 2, "low": 0.1581, "high": 1.0},
            "1.3": {"hits": 0, "n": 3, "low": 0.0, "high": 0.7076},
        },
        "changed": {"p": "1.1 → 1.3", "q": "none → 2"},
    },
    "probes": [
        {"release": "1.1", "cell": "a", "trial": 1, "verdict": "hang", "counts": True},
        {"release": "1.3", "cell": "b", "trial": 2, "verdict": "clean", "counts": True},
        {"release": "1.2", "cell": "c", "trial": 1, "verdict": "hang", "counts": False},
    ],
    "block": "the text to paste",
}


def test_a_bisection_is_read_with_its_range_and_says_its_own_words() -> None:
    hunt = hunt_of(BISECTION)
    assert isinstance(hunt, BisectionRecord)
    assert hunt.hunted is not None
    assert hunt.hunted.asked == BisectionRequest(**{**ASKED, "find": Direction.FIXED})
    assert (hunt.hunted.window, hunt.hunted.levels[0]) == ((1, 4), "1.0")
    assert hunt.answer is not None
    assert hunt.answer.releases == (
        ReleaseTrials(name="1.1", released=date(2024, 1, 1), hangs=2, trials=2),
        ReleaseTrials(name="1.2", released=date(2024, 1, 2)),
        ReleaseTrials(name="1.3", released=date(2024, 1, 3), trials=3),
        ReleaseTrials(name="1.4"),
    )
    assert hunt.answer.changed[1] == VersionChange(package="q", good=None, bad="2")
    assert hunt.probes == (
        KeptProbe(release="1.1", cell_id="a", number=1, hang=True),
        KeptProbe(release="1.3", cell_id="b", number=2, hang=False),
        KeptProbe(release="1.2", cell_id="c", number=1, hang=None),
    )
    assert answer_document(hunt) == BISECTION["answer"]
    assert (sentence_of(hunt), block_of(hunt, [], command="c")) == (
        "it first hangs no longer with p 1.3",
        "the text to paste",
    )


def test_a_blame_is_read_with_its_ends() -> None:
    end = {"name": "good.txt", "python": "3.11", "versions": {"alpha": "1.0"}}
    package = {
        "kind": "first-bad", "package": "alpha", "release": "1.5", "previous": "1.4", "released": None,
        "confidence": 0.95,
        "good": "1.0", "bad": "1.8", "together_with": ["beta"], "is_tied": False,
    }  # fmt: skip
    answer = {
        "kind": "first-bad", "confidence": 0.95, "sentence": "it hangs since alpha 1.5", "packages": [package],
        "cure": [{"package": "alpha", "release": "1.0"}], "cure_confidence": 0.96, "changed": {"alpha": "1.0 → 1.8"},
    }  # fmt: skip
    hunt = hunt_of(
        {"ends": {"good": end, "bad": {**end, "name": "bad.txt"}}, "answer": answer, "probes": [], "block": "b"}
    )
    assert isinstance(hunt, BlameRecord)
    assert (hunt.good.name, hunt.bad.name, hunt.good.versions) == ("good.txt", "bad.txt", {"alpha": "1.0"})
    assert hunt.answer is not None
    assert (hunt.answer.kind, hunt.answer.outcome) == (AnswerKind.FIRST_BAD, BlameKind.FOUND)
    assert answer_document(hunt) == answer


def test_a_hunt_under_way_or_cut_short_has_no_answer() -> None:
    assert hunt_of({"hunted": None}) == BisectionRecord(hunted=None)
    cut = hunt_of(
        {"ends": {}, "answer": {"kind": "unknown", "confidence": 0.0, "sentence": "interrupted"}, "probes": []}
    )
    assert isinstance(cut, BlameRecord)
    assert (cut.answer, cut.cut_short) == (None, "interrupted")
    assert answer_document(cut) == {"kind": "unknown", "confidence": 0.0, "sentence": "interrupted"}
