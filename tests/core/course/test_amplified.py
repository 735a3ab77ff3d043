"""Collections and amplification in a trial: what a collection that never ended shows, and a knob that did nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from repro.core.course.amplified import amplified_of, verdict_under
from repro.core.course.collector import collector_of, kind_of, open_collection
from repro.core.judge.judge import Decision
from repro.core.judge.samples import Collections, Reading, Role
from repro.core.judge.table import TABLE, Facts
from repro.findings import Amplified, OpenCollection, RowName
from repro.model import Collector, CollectorKind, Verdict

ROWS = {row.name: row for row in TABLE}
READING = Reading(
    pid=1, parent=0, phase=2, role=Role.LOCAL, started=0, native_at=0, loop_beats=0, loop_at=0, load_at=0, stop_at=0,
    begun=0, ended=0, failed=0, budget_refusals=0, error="", slots=(),
)  # fmt: skip


@dataclass
class Case:
    collections: Collections
    found: OpenCollection | None


@pytest.mark.parametrize(
    "case",
    [
        Case(Collections(begun=5, ended=5, began=90.0), None),
        Case(Collections(begun=5, ended=4, began=99.5, in_main=True), None),  # a large heap's takes so long
        Case(Collections(begun=5, ended=4, began=99.5, in_main=True, beats=1), OpenCollection(seconds=0.5, turns=1)),
        Case(Collections(begun=5, ended=4, began=90.0, in_main=True), OpenCollection(seconds=10.0)),
        Case(Collections(begun=5, ended=4, began=90.0), OpenCollection(seconds=10.0, in_main=False)),
    ],
)
def test_a_collection_is_evidence_when_it_lasts_or_lets_the_loop_turn(case: Case) -> None:
    readings = [READING, replace(READING, collections=case.collections)]
    assert open_collection(Decision(ROWS[RowName.LOCKED], Facts(), (), 100.0, 90.0), readings) == case.found
    assert open_collection(Decision(ROWS[RowName.DIED], Facts(), (), 100.0, 90.0), readings) is None


def test_the_collectors_kind_is_the_interpreters() -> None:
    kinds = {python: kind_of(python) for python in ("3.8.20", "3.13.0", "3.14.0", "3.14.0rc1", "3.14.4", "3.14.5", "")}
    incremental = {python for python, kind in kinds.items() if kind is CollectorKind.INCREMENTAL}
    assert incremental == {"3.14.0", "3.14.0rc1", "3.14.4"}
    assert kinds[""] is None
    busy = replace(READING, collections=Collections(begun=9, ended=9, thresholds=(700, 10, 10)))
    found = collector_of("3.11.7", [READING, busy])
    assert found == Collector(kind=CollectorKind.GENERATIONAL, thresholds=(700, 10, 10))


def test_a_clean_trial_in_which_the_knob_did_nothing_is_inconclusive_and_a_hang_stays_one() -> None:
    assert amplified_of("none", [READING]) is None
    idle = amplified_of("gc", [READING])
    assert idle == Amplified(knob="gc", moments=0, did=(("gc", 0),))
    assert verdict_under(idle, Verdict.CLEAN) is Verdict.INCONCLUSIVE
    assert verdict_under(idle, Verdict.HANG) is Verdict.HANG
    busy = amplified_of("gc+io", [READING, replace(READING, amplified={"gc": 3, "dns": 7})], outside={"io": 2})
    assert busy == Amplified(knob="gc+io", moments=5, did=(("gc", 3), ("io", 2)))
    assert verdict_under(busy, Verdict.CLEAN) is Verdict.CLEAN
    assert verdict_under(None, Verdict.CLEAN) is Verdict.CLEAN
