"""A run as one JSON document, the contract for other programs; `repro/presentation/schemas/run.schema.json` describes it.

The keys are stable within a ``schema``; new ones may be added. Times are seconds, moments ISO 8601 in UTC, a value that is
not known is null.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from repro.core.hang.same import hang_kinds
from repro.model import (
    CellResult,
    CellVerdict,
    Conclusion,
    Condition,
    Hang,
    Interval,
    NoEffect,
    Rung,
    StoredRun,
    Trial,
    Wait,
)
from repro.presentation.answer_document import hunt_document
from repro.presentation.conclusion import hangs_when, no_effect_text, outcome_text, sentences_of
from repro.presentation.explanation import bound_text, cause_text_of, explanation_of, reason_of, stacks_of

SCHEMA = "repro.run/1"
OTHER_OUTCOMES = {
    CellVerdict.CRASH: "crashes",
    CellVerdict.FAILING: "fails",
    CellVerdict.UNTESTABLE: "untestable",
    CellVerdict.INCONCLUSIVE: "inconclusive",
}
SCHEMAS = Path(__file__).parent / "schemas"


def document(run: StoredRun) -> dict[str, Any]:
    """The document of a run, ready for ``json.dumps``; a bisection's or a blame's ``answer`` and ``probes`` stand beside."""
    return {
        "schema": SCHEMA,
        "experiment": run.plan.experiment,
        "scenario": run.plan.scenario,
        "run_dir": str(run.folder),
        "run_id": run.run_id,
        "command": run.command,
        "started": _moment(run.started),
        "ended": _moment(run.ended),
        "seed": run.seed,
        "machine": dict(run.machine),
        "tool_versions": dict(run.tool_versions),
        "varied": list(run.plan.varied),
        "cells": [_cell(cell) for cell in run.cells],
        "hangs": _hangs(run.cells),
        "hangs_when": next(iter(sentences_of(run)), ""),
        "conclusion": _conclusion(run.conclusion, sentences_of(run)) if run.conclusion else None,
        **hunt_document(run),
    }


def text_of(document: Mapping[str, Any]) -> str:
    """The document as JSON text: a key a line, and of its lists an item a line, so that a large one is soon written and read."""
    return "{\n" + ",\n".join(f" {json.dumps(key)}: {_lines(value)}" for key, value in document.items()) + "\n}\n"


def _lines(value: object) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(f"  {json.dumps(item)}" for item in value) + "\n ]"


def sentences_in(document: Mapping[str, Any]) -> list[str]:
    """The conclusion of a run's document, the answer first; a hunt's is its answer alone."""
    return list((document["conclusion"] or {}).get("sentences") or filter(None, [document["hangs_when"]]))


@cache
def schema(name: str = "run") -> Mapping[str, Any]:
    """The JSON Schema of a run's document, or of a ``comparison``."""
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
    return loaded


def versions_of(cell: CellResult) -> Mapping[str, str]:
    """What was installed in a cell's environment, by its first trial that had one."""
    return next((trial.versions for trial in cell.trials if trial.versions), {})


def hang_class_of(cell: CellResult) -> str | None:
    """How a cell hung: the class of most of its hung trials."""
    counted = Counter(trial.hang.hang_class.value for trial in cell.trials if trial.hang)
    return counted.most_common(1)[0][0] if counted else None


def _cell(result: CellResult) -> dict[str, Any]:
    return {
        "id": result.cell.id,
        "label": result.cell.label,
        "factors": dict(result.cell.factors),
        "python": next((trial.python for trial in result.trials if trial.python), ""),
        "versions": dict(versions_of(result)),
        "verdict": result.verdict.value,
        "hang_class": hang_class_of(result),
        "rate": _interval(result.rate),
        "trials": [_trial(trial) for trial in result.trials],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "verdict": trial.verdict.value,
        "hang_class": trial.hang.hang_class.value if trial.hang else None,
        "seconds": round(trial.seconds, 3),
        "reason": reason_of(trial),
        "started": _moment(trial.started),
        "operations": {
            "begun": trial.operations.begun,
            "ended": trial.operations.ended,
            "failed": trial.operations.failed,
        },
        "longest_wait": _wait(trial.longest_wait) if trial.longest_wait else None,
        "hang": _hang(trial, trial.hang) if trial.hang else None,
        "timeline": [[at.second, at.ended, at.stuck, at.alive] for at in trial.timeline],
        "rungs": _rungs(trial.rungs),
        "evidence": trial.evidence,
        "command": trial.command,
        "seed": trial.seed,
    }


def _rungs(rungs: Sequence[Rung]) -> list[dict[str, Any]]:
    """The rungs of the climb; where there were several processes, a rung's name says whose it is."""
    are_of_several = len({rung.pid for rung in rungs}) > 1
    return [
        {
            "name": f"{rung.kind.value}, process {rung.pid}" if are_of_several else rung.kind.value,
            "answered": rung.answered,
            "seconds": round(rung.seconds, 3),
            "file": rung.file,
            "refusal": rung.refusal,
        }
        for rung in rungs
    ]


def _wait(wait: Wait) -> dict[str, Any]:
    return {
        "operation": wait.operation,
        "seconds": round(wait.seconds, 3),
        "has_ended": wait.has_ended,
        "poll_s": wait.poll_s,
        "at_most_s": wait.at_most_s,
    }


def _hang(trial: Trial, hang: Hang) -> dict[str, Any]:
    return {
        "users_stuck": hang.users_stuck,
        "users": hang.users,
        "stuck_since_s": round(hang.stuck_since_s, 3),
        "bound": {
            "at_most_s": hang.bound.at_most_s,
            "why": bound_text(hang.bound),
            "recovered_after_s": hang.bound.recovered_after_s,
        },
        "explanation": explanation_of(trial),
        "fingerprint": hang.fingerprint,
        "cause": hang.cause or None,
        "cause_text": cause_text_of(trial),
        "stacks": list(stacks_of(trial)),
    }


def _hangs(cells: Sequence[CellResult]) -> list[dict[str, Any]]:
    """The different hangs of the run, the most frequent first."""
    return [
        {
            "fingerprint": kind.fingerprint,
            "hang_class": kind.hang_class.value,
            "trials": len(kind.seen),
            "cells": [cell.id for cell in kind.cells],
        }
        for kind in hang_kinds(cells)
    ]


def _conclusion(conclusion: Conclusion, sentences: Sequence[str]) -> dict[str, Any]:
    """Its parts: each in words where people read it, and as a record where a program would have to take words apart."""
    whens = {
        f"{name}_when": outcome_text(found) if (found := conclusion.outcome(verdict)) else None
        for verdict, name in OTHER_OUTCOMES.items()
    }
    hang, means = conclusion.outcome(CellVerdict.HANG), conclusion.clean_means
    return {
        "hangs_when": hangs_when(conclusion) if hang else None,
        **whens,
        "explanations": [[[_condition(one) for one in part] for part in parts] for parts in hang.explanations]
        if hang
        else [],
        "cells": {
            "tried": conclusion.cells,
            "clean": conclusion.clean,
            **{one.verdict.value: one.cells for one in conclusion.outcomes},
        },
        "bounded": {"cells": conclusion.bounded, "at_most_s": conclusion.bounded_s} if conclusion.bounded else None,
        "no_effect": [_no_effect(one) for one in conclusion.no_effect],
        "clean_means": means
        and {
            "trials": means.trials,
            "operations": means.operations,
            "could_have_missed": round(means.could_have_missed, 4),
        },
        "causes": [{"id": cause, "trials": trials} for cause, trials in conclusion.causes.items()],
        "sentences": list(sentences),
    }


def _no_effect(found: NoEffect) -> dict[str, Any]:
    under = [_condition(one) for one in found.under]
    return {"factors": list(found.factors), "under": under, "text": no_effect_text(found)}


def _condition(condition: Condition) -> dict[str, Any]:
    neighbour = None if condition.neighbour is None else dict(condition.neighbour)
    return {
        "kind": condition.kind.value,
        "levels": [dict(levels) for levels in condition.levels],
        "clean_neighbour": neighbour,
    }


def _interval(rate: Interval | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    return {"hits": rate.hits, "n": rate.n, "low": round(rate.low, 4), "high": round(rate.high, 4)}


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
