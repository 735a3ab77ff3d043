"""What a hunt adds to the JSON document of its run: ``answer``, ``probes``, what was asked for, and the text to paste.

The keys of ``answer`` and of each of ``probes`` are a contract; see ``document.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date
from typing import Any

from repro.answer import (
    AnswerKind,
    BisectionAnswer,
    BlameAnswer,
    BlameRecord,
    End,
    GuiltyPackage,
    HuntedRange,
    HuntRecord,
    KeptProbe,
    ReleaseTrials,
)
from repro.core.intervals import interval
from repro.model import CellResult, StoredRun, Trial
from repro.presentation.hunt.answers import block_of, probed_trials, sentence_of, versions_text


def hunt_document(run: StoredRun) -> dict[str, Any]:
    """The keys that a hunt adds to its run's document: ``answer``, ``probes``, the request, and the text to paste."""
    hunt = run.hunt
    if hunt is None:
        return {}
    parts: dict[str, Any] = _asked_document(hunt)
    if hunt.answer is not None or hunt.cut_short:
        parts["answer"] = answer_document(hunt)
        parts["probes"] = probe_documents(hunt, run.cells)
    if hunt.answer is not None:
        parts["block"] = block_of(hunt, run.cells, command=run.command)
    return parts


def answer_document(hunt: HuntRecord) -> dict[str, Any]:
    """The ``answer`` of the JSON document."""
    if hunt.answer is None:
        return {"kind": AnswerKind.UNKNOWN.value, "confidence": 0.0, "sentence": sentence_of(hunt)}
    sentence = sentence_of(hunt)
    if isinstance(hunt.answer, BisectionAnswer):
        return _bisection_document(hunt.answer, sentence)
    return _blame_document(hunt.answer, sentence)


def probe_documents(hunt: HuntRecord, cells: Sequence[CellResult]) -> list[dict[str, Any]]:
    """The ``probes`` of the JSON document, in the order in which they were made."""
    return [_probe_document(probe, trial) for probe, trial in probed_trials(hunt.probes, cells)]


def _bisection_document(answer: BisectionAnswer, sentence: str) -> dict[str, Any]:
    release = answer.of(answer.release)
    return {
        "kind": answer.kind.value,
        "package": answer.package,
        "release": answer.release,
        "previous": answer.previous,
        "released": _iso(release.released if release else None),
        "confidence": round(answer.confidence, 4),
        "sentence": sentence,
        "range": [answer.releases[0].name, answer.releases[-1].name],
        "untestable": list(answer.untestable),
        "candidates": list(answer.candidates),
        "trials": {release.name: rate_document(release) for release in answer.releases if release.trials},
        "changed": {one.package: versions_text(one) for one in answer.changed},
    }


def rate_document(release: ReleaseTrials) -> dict[str, Any]:
    """How often a release hung, with its interval."""
    rate = interval(release.hangs, release.trials)
    return {"hits": rate.hits, "n": rate.n, "low": round(rate.low, 4), "high": round(rate.high, 4)}


def _blame_document(answer: BlameAnswer, sentence: str) -> dict[str, Any]:
    good = {change.package: change.good for change in answer.changed}
    return {
        "kind": answer.kind.value,
        "confidence": round(answer.confidence, 4),
        "sentence": sentence,
        "packages": [_package_document(one) for one in answer.packages],
        "cure": [{"package": name, "release": good.get(name)} for name in answer.cure],
        "cure_confidence": round(answer.cure_confidence, 4),
        "changed": {one.package: versions_text(one) for one in answer.changed},
    }


def _package_document(one: GuiltyPackage) -> dict[str, Any]:
    return {
        "kind": (AnswerKind.FIRST_BAD if one.is_named else AnswerKind.UNKNOWN).value,
        "package": one.change.package,
        "release": one.release if one.has_releases else one.change.bad,
        "previous": one.previous if one.has_releases else one.change.good,
        "released": _iso(one.released),
        "confidence": round(one.confidence, 4),
        "good": one.change.good,
        "bad": one.change.bad,
        "together_with": list(one.together_with),
        "is_tied": one.is_tied,
    }


def _probe_document(probe: KeptProbe, trial: Trial) -> dict[str, Any]:
    return {
        "release": probe.release,
        "cell": probe.cell_id,
        "trial": trial.number,
        "verdict": trial.verdict.value,
        "hang_class": trial.hang.hang_class.value if trial.hang else None,
        "counts": probe.hang is not None,
        "seconds": round(trial.seconds, 3),
        "command": trial.command,
    }


def _asked_document(hunt: HuntRecord) -> dict[str, Any]:
    if isinstance(hunt, BlameRecord):
        return {"ends": {"good": _end_document(hunt.good), "bad": _end_document(hunt.bad)}}
    return {"hunted": _range_document(hunt.hunted)} if hunt.hunted else {}


def _end_document(end: End) -> dict[str, Any]:
    return {"name": end.name, "python": end.python, "versions": dict(end.versions)}


def _range_document(hunted: HuntedRange) -> dict[str, Any]:
    return {
        "factor": hunted.factor,
        "released": {name: _iso(day) for name, day in hunted.released.items()},
        "window": hunted.window,
        "asked": dataclasses.asdict(hunted.asked),
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
