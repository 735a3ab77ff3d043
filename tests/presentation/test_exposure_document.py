"""Exposure and hazard in the JSON document: by the operation always, by the stop too where every hang was of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from repro.core.intervals import hazard
from repro.core.matrix.hazards import result_of
from repro.findings import Amplified, Findings, RowName
from repro.model import CellResult, Collector, CollectorKind, Exposure, HangClass, StoredRun, Verdict
from repro.presentation.reports.document import document
from repro.presentation.reports.report import report_of

EXPOSURE = Exposure(operations=1000, seconds=8.0, stops=10, collections=40)
COLLECTOR = Collector(kind=CollectorKind.GENERATIONAL, thresholds=(700, 10, 10))
PER_STOP = {
    "stops": 11.0,
    "rate": 1 / 11,
    "low": pytest.approx(0.0023, rel=0.01),
    "high": pytest.approx(0.5065, rel=0.01),
}


def cell_of(run: StoredRun, result: CellResult, schema: Mapping[str, Any]) -> dict[str, Any]:
    made = document(report_of(replace(run, cells=(result,), plan=replace(run.plan, cells=(result.cell,)))))
    jsonschema.validate(made, schema)
    found: dict[str, Any] = made["cells"][0]
    return found


def test_a_clean_cell_says_what_it_had_and_what_that_rules_out(
    stored: Callable[..., StoredRun], schema: Callable[..., Mapping[str, Any]]
) -> None:
    run = stored(cells=2, text="t")
    found = Findings(row=RowName.RAN_AND_ENDED, amplified=Amplified(knob="gc", moments=5, did=(("gc", 5),)))
    one = replace(run.cells[1].trials[0], exposure=EXPOSURE, collector=COLLECTOR, findings=found)
    trials = [replace(one, number=n) for n in (1, 2)]
    cell = cell_of(run, result_of(run.cells[1].cell, trials), schema("run"))
    assert cell["trials"][0]["amplified"] == {"level": "gc", "moments": 5, "by_knob": {"gc": 5}}
    assert cell["exposure"] == {"operations": 2000, "seconds": 16.0, "stops": 20, "collections": 80}
    assert cell["hazard"] == {
        "hangs": 0,
        "per_million_operations": 0.0,
        "low": 0.0,
        "high": pytest.approx(hazard(0, 2000).high * 1e6),
        "ruled_out": pytest.approx(1497.9, abs=0.1),
        "per_stop": None,
    }
    assert cell["trials"][0]["exposure"]["collections"] == 40
    assert cell["trials"][0]["collector"] == {"kind": "generational", "thresholds": [700, 10, 10]}


@pytest.mark.parametrize(("hang_class", "per_stop"), [(HangClass.FROZEN, None), (HangClass.UNSTOPPABLE, PER_STOP)])
def test_a_hang_counts_until_it_came(
    stored: Callable[..., StoredRun],
    schema: Callable[..., Mapping[str, Any]],
    hang_class: HangClass,
    per_stop: dict[str, Any] | None,
) -> None:
    run = stored(cells=1, text="t")
    clean = replace(run.cells[0].trials[0], exposure=EXPOSURE, hang=None, verdict=Verdict.CLEAN)
    hang = run.cells[0].trials[0].hang
    assert hang is not None
    at_hang = Exposure(operations=250, seconds=2.0, stops=1, collections=10)
    hung = replace(clean, number=2, hang=replace(hang, hang_class=hang_class), verdict=Verdict.HANG, at_hang=at_hang)
    cell = cell_of(run, result_of(run.cells[0].cell, [clean, hung]), schema("run"))
    assert cell["exposure"]["operations"] == 1250
    assert (cell["hazard"]["hangs"], cell["hazard"]["per_million_operations"]) == (1, 800.0)
    assert cell["hazard"]["ruled_out"] is None
    assert cell["hazard"]["per_stop"] == per_stop


def test_a_run_of_an_older_version_has_what_its_timelines_tell(
    stored: Callable[..., StoredRun], schema: Callable[..., Mapping[str, Any]]
) -> None:
    run = stored(cells=1, text="t")
    cell = cell_of(run, run.cells[0], schema("run"))
    assert cell["exposure"] == {"operations": 1, "seconds": 1.0, "stops": None, "collections": None}
    assert cell["trials"][0]["exposure"] is None
