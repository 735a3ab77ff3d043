"""What the experiments of the known causes showed, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.core.causes.showing import Outcome, PartShown, Role, Showing
from repro.model import CellVerdict, HangClass, Trial

SCHEMA = "repro.causes/1"
_MEANS = {
    Outcome.AS_CLAIMED: "as claimed",
    Outcome.CURE_LOST: "CURE LOST",
    Outcome.CAME_BACK: "CAME BACK",
    Outcome.NOT_SEEN: "not seen",
    Outcome.UNRECOGNISED: "not recognised",
    Outcome.UNTESTABLE: "untestable",
    Outcome.FAILED: "failed",
}
_ROLES = {Role.HANGS: "hangs", Role.CURED: "cured", Role.NEWEST: "newest", Role.NEWEST_CURED: "newest, cured"}
_WHAT_NOW = {
    Outcome.CURE_LOST: "it hangs where its file says that it is cured; read the run, then correct the file's cure",
    Outcome.CAME_BACK: "it hangs with releases that its file does not concern; bisect from the last cured release",
    Outcome.NOT_SEEN: "nothing was seen where it is to hang; try more --trials before you believe that it is gone",
    Outcome.UNRECOGNISED: "something else was seen where it is to hang; read the run, then correct the file's evidence",
    Outcome.UNTESTABLE: "no trial told anything; the run says why",
    Outcome.FAILED: "the backend or this program failed; the run says how",
}


@dataclass(frozen=True)
class CauseRun:
    """What a cause's cells showed, and the folder of the run that did."""

    showing: Showing
    folder: Path


def line(showing: Showing) -> str:
    """One line, as soon as a cause has been tried."""
    parts = showing.error or "; ".join(f"{_ROLES[part.role]}: {_seen(part)}" for part in showing.parts)
    return f"{_MEANS[showing.outcome]:<14} {showing.cause.id:<26} {parts}"


def text(runs: Sequence[CauseRun]) -> str:
    """The end of the report: how many showed what they claim, and what to do about each that did not."""
    news = [run for run in runs if run.showing.outcome is not Outcome.AS_CLAIMED]
    head = f"{len(runs) - len(news)} of {len(runs)} causes showed what their files claim."
    return "\n".join([head, *(row for run in news for row in _news(run))])


def document(runs: Sequence[CauseRun], *, is_against_newest: bool) -> dict[str, Any]:
    """The JSON document."""
    return {
        "schema": SCHEMA,
        "against": "newest" if is_against_newest else None,
        "causes": [_cause(run) for run in runs],
        "news": [run.showing.cause.id for run in runs if run.showing.outcome is not Outcome.AS_CLAIMED],
    }


def _news(run: CauseRun) -> list[str]:
    outcome = run.showing.outcome
    cells = [f"    {_ROLES[part.role]}: {_levels(part)}: {_seen(part)}" for part in run.showing.parts]
    return ["", f"{_MEANS[outcome]}  {run.showing.cause.id}: {_WHAT_NOW[outcome]}", *cells, f"    run: {run.folder}"]


def _seen(part: PartShown) -> str:
    """``hang (frozen), 1 of 1`` or ``clean, 2 of 2``; of the trials those that came to what the role is about."""
    if not part.of:
        return str(part.result.verdict)
    count = part.of if part.result.verdict is CellVerdict.CLEAN else part.seen
    return f"{_kind(part)}, {count} of {part.of}"


def _kind(part: PartShown) -> str:
    hang_class = _class_of(part)
    return f"{part.result.verdict} ({hang_class})" if hang_class else str(part.result.verdict)


def _class_of(part: PartShown) -> HangClass | None:
    return next((trial.hang.hang_class for trial in part.result.trials if trial.hang is not None), None)


def _levels(part: PartShown) -> str:
    return part.result.cell.label


def _cause(run: CauseRun) -> dict[str, Any]:
    showing = run.showing
    return {
        "id": showing.cause.id,
        "title": showing.cause.title,
        "outcome": showing.outcome,
        "error": showing.error or None,
        "experiment": showing.cause.shown_by,
        "upstream": list(showing.cause.upstream),
        "run_dir": str(run.folder),
        "cells": [_part(part) for part in showing.parts],
    }


def _part(part: PartShown) -> dict[str, Any]:
    trials = part.result.trials
    return {
        "role": part.role,
        "id": part.result.cell.id,
        "label": part.result.cell.label,
        "outcome": part.outcome,
        "verdict": part.result.verdict,
        "hang_class": _class_of(part),
        "seen": part.seen,
        "of": part.of,
        "versions": dict(trials[0].versions) if trials else {},
        "trials": [_trial(trial) for trial in trials],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    cause = trial.findings.cause if trial.findings is not None else None
    return {
        "verdict": trial.verdict,
        "hang_class": trial.hang.hang_class if trial.hang is not None else None,
        "seconds": round(trial.seconds, 1),
        "cause": cause.id if cause is not None else None,
    }
