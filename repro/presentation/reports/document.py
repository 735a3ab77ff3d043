"""A run as one JSON document, the contract for other programs, which ``schemas/run.schema.json`` describes.

The keys are stable within a ``schema``; new ones may be added. Times are seconds, moments ISO 8601 in UTC, a value
that is not known is null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from repro.core.intervals import hazard as hazard_of
from repro.findings import Amplified
from repro.model import (
    CellVerdict,
    Chance,
    CleanMeans,
    Collector,
    Conclusion,
    Condition,
    Cover,
    Exposure,
    Faulty,
    FaultyCombination,
    Hazard,
    Interval,
    Wait,
)
from repro.presentation.matrix.faulty import combination_text
from repro.presentation.rates import MILLION
from repro.presentation.reports.report import (
    Report,
    ReportedCell,
    ReportedConclusion,
    ReportedHang,
    ReportedRung,
    ReportedTrial,
)

SCHEMA = "repro.run/1"
OTHER_OUTCOMES = {
    CellVerdict.CRASH: "crashes_when",
    CellVerdict.FAILING: "fails_when",
    CellVerdict.UNTESTABLE: "untestable_when",
    CellVerdict.INCONCLUSIVE: "inconclusive_when",
}


def document(report: Report) -> dict[str, Any]:
    """The document of a run, ready for ``json.dumps``; includes a hunt's ``answer`` and ``probes``."""
    return {
        "schema": SCHEMA,
        "experiment": report.experiment,
        "scenario": report.scenario,
        "run_dir": report.run_dir,
        "run_id": report.run_id,
        "command": report.command,
        "started": _moment(report.started),
        "ended": _moment(report.ended),
        "seed": report.seed,
        "machine": dict(report.machine),
        "machines": [asdict(one) for one in report.machines],
        "shard": report.shard or None,
        "cover": _cover(report.cover, report.planned) if report.cover else None,
        "tool_versions": dict(report.tool_versions),
        "varied": list(report.varied),
        "cells": [_cell(cell) for cell in report.cells],
        "hangs": [
            {
                "fingerprint": kind.fingerprint,
                "hang_class": kind.hang_class.value,
                "trials": kind.trials,
                "cells": list(kind.cells),
            }
            for kind in report.hangs
        ],
        "hangs_when": next(iter(report.sentences), ""),
        "conclusion": _conclusion(report.conclusion, report.sentences) if report.conclusion else None,
        **report.hunt,
    }


def text_of(document: Mapping[str, Any]) -> str:
    """The document as JSON text, with each key and each list item on a line of its own."""
    return "{\n" + ",\n".join(f" {json.dumps(key)}: {_lines(value)}" for key, value in document.items()) + "\n}\n"


def _lines(value: object) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(f"  {json.dumps(item)}" for item in value) + "\n ]"


def _cover(cover: Cover, planned: int) -> dict[str, Any]:
    return {
        "strength": cover.strength,
        "cells": planned,
        "of": cover.of,
        "combinations": cover.combinations,
        "ruled_out": cover.ruled_out,
        "impossible": [dict(one) for one in cover.impossible],
    }


def _cell(cell: ReportedCell) -> dict[str, Any]:
    return {
        "id": cell.id,
        "label": cell.label,
        "factors": dict(cell.factors),
        "python": cell.python,
        "versions": dict(cell.versions),
        "verdict": cell.verdict.value,
        "hang_class": cell.hang_class.value if cell.hang_class else None,
        "rate": _interval(cell.rate),
        "exposure": _exposure(cell.exposure),
        "hazard": _hazard(cell.hazard, cell.exposure) if cell.hazard else None,
        "hosts": [asdict(one) for one in cell.hosts],
        "trials": [_trial(trial) for trial in cell.trials],
    }


def _trial(trial: ReportedTrial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "verdict": trial.verdict.value,
        "hang_class": trial.hang.hang_class.value if trial.hang else None,
        "seconds": round(trial.seconds, 3),
        "reason": trial.reason,
        "started": _moment(trial.started),
        "operations": asdict(trial.operations),
        "exposure": _exposure(trial.exposure) if trial.exposure else None,
        "at_hang": _exposure(trial.at_hang) if trial.at_hang else None,
        "collector": _collector(trial.collector) if trial.collector else None,
        "amplified": _amplified(trial.amplified) if trial.amplified else None,
        "longest_wait": _wait(trial.longest_wait) if trial.longest_wait else None,
        "hang": _hang(trial.hang) if trial.hang else None,
        "timeline": [[at.second, at.ended, at.stuck, at.alive] for at in trial.timeline],
        "rungs": [_rung(rung) for rung in trial.rungs],
        "evidence": trial.evidence,
        "command": trial.command,
        "seed": trial.seed,
        "cause": (trial.hang.cause if trial.hang else trial.cause) or None,
        "machine": trial.machine or None,
    }


def _exposure(exposure: Exposure) -> dict[str, Any]:
    return {
        "operations": exposure.operations,
        "seconds": round(exposure.seconds, 3),
        "stops": None if exposure.stops is None else round(exposure.stops, 1),
        "collections": exposure.collections,
    }


def _amplified(found: Amplified) -> dict[str, Any]:
    return {"level": found.knob, "moments": found.moments, "by_knob": dict(found.did)}


def _hazard(found: Hazard, exposure: Exposure) -> dict[str, Any]:
    """By the operation always, so that cells can be compared; ``per_stop`` beside it where every hang was of a stop."""
    by_operation = hazard_of(found.hangs, exposure.operations)
    return {
        "hangs": found.hangs,
        "per_million_operations": by_operation.rate * MILLION if exposure.operations else None,
        "low": by_operation.low * MILLION,
        "high": by_operation.high * MILLION,
        "ruled_out": None if by_operation.ruled_out is None else by_operation.ruled_out * MILLION,
        "per_stop": _per_stop(found) if found.chance is Chance.STOP else None,
    }


def _per_stop(found: Hazard) -> dict[str, Any]:
    return {"stops": round(found.chances, 1), "rate": found.rate, "low": found.low, "high": found.high}


def _collector(collector: Collector) -> dict[str, Any]:
    return {"kind": collector.kind.value, "thresholds": list(collector.thresholds)}


def _rung(rung: ReportedRung) -> dict[str, Any]:
    return {
        "name": rung.name,
        "answered": rung.answered,
        "seconds": round(rung.seconds, 3),
        "file": rung.file,
        "refusal": rung.refusal,
    }


def _wait(wait: Wait) -> dict[str, Any]:
    return {
        "operation": wait.operation,
        "seconds": round(wait.seconds, 3),
        "has_ended": wait.has_ended,
        "poll_s": wait.poll_s,
        "at_most_s": wait.at_most_s,
    }


def _hang(hang: ReportedHang) -> dict[str, Any]:
    return {
        "users_stuck": hang.users_stuck,
        "users": hang.users,
        "stuck_since_s": round(hang.stuck_since_s, 3),
        "bound": {
            "at_most_s": hang.at_most_s,
            "why": hang.bound,
            "recovered_after_s": hang.recovered_after_s,
        },
        "explanation": hang.explanation,
        "fingerprint": hang.fingerprint,
        "cause": hang.cause or None,
        "cause_text": hang.cause_text,
        "stacks": list(hang.stacks),
    }


def _conclusion(found: ReportedConclusion, sentences: tuple[str, ...]) -> dict[str, Any]:
    """Its parts: each in words where people read it, and as a record where a program would have to take words apart."""
    record = found.record
    hang = record.outcome(CellVerdict.HANG)
    explanations = hang.explanations if hang else ()
    effects = zip(record.no_effect, found.no_effect, strict=True)
    return {
        "hangs_when": found.hangs_when,
        **{key: found.others.get(verdict) for verdict, key in OTHER_OUTCOMES.items()},
        "explanations": [[[_condition(one) for one in part] for part in parts] for parts in explanations],
        "cells": {
            "tried": record.cells,
            "clean": record.clean,
            **{one.verdict.value: one.cells for one in record.outcomes},
        },
        "bounded": _bounded(record),
        "no_effect": [
            {"factors": list(one.factors), "under": [_condition(each) for each in one.under], "text": text}
            for one, text in effects
        ],
        "faulty": _faulty(record.faulty) if record.faulty else None,
        "clean_means": _clean_means(record.clean_means) if record.clean_means else None,
        "causes": [{"id": cause, "trials": trials} for cause, trials in record.causes.items()],
        "sentences": list(sentences),
    }


def _faulty(faulty: Faulty) -> dict[str, Any]:
    return {
        "settled": faulty.is_settled,
        "found": [_combination(one) for one in faulty.found],
        "suspected": [_combination(one) for one in faulty.suspected],
        "something_else": round(faulty.something_else, 4),
        "confidence": faulty.confidence,
        "cells": faulty.cells,
        "trials": faulty.trials,
    }


def _combination(found: FaultyCombination) -> dict[str, Any]:
    return {
        "text": combination_text(found),
        "clauses": [{**_condition(one.condition), "shown": one.is_shown} for one in found.clauses],
        "enough": found.is_enough,
        "probability": round(found.probability, 4),
    }


def _bounded(record: Conclusion) -> dict[str, Any] | None:
    return {"cells": record.bounded, "at_most_s": record.bounded_s} if record.bounded else None


def _clean_means(means: CleanMeans) -> dict[str, Any]:
    return {
        "trials": means.trials,
        "operations": means.operations,
        "could_have_missed": round(means.could_have_missed, 4),
        "per_million_operations": None if means.hazard_missed is None else means.hazard_missed * MILLION,
    }


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "kind": condition.kind.value,
        "levels": [dict(levels) for levels in condition.levels],
        "clean_neighbour": None if condition.neighbour is None else dict(condition.neighbour),
    }


def _interval(rate: Interval | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    return {"hits": rate.hits, "n": rate.n, "low": round(rate.low, 4), "high": round(rate.high, 4)}


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
