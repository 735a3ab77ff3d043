"""The garbage collector under which a trial ran, and whether one of its collections gave way to other greenlets."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.version import InvalidVersion, Version

from repro.core.judge.judge import Decision
from repro.core.judge.samples import Reading
from repro.findings import OpenCollection
from repro.model import Collector, CollectorKind, Verdict

FIRST_INCREMENTAL, LAST_INCREMENTAL = Version("3.14.0a1"), Version("3.14.4")

SHORTEST_S = 1.0
"""A collection of a large heap takes so long by itself."""


def open_collection(decision: Decision, readings: Sequence[Reading]) -> OpenCollection | None:
    """The collection that was under way for longest when a trial hung, None where none was."""
    if decision.row.verdict is not Verdict.HANG:
        return None
    found = [reading.collections for reading in readings if reading.collections.is_under_way]
    lasting = [one for one in found if one.beats or decision.at - one.began > SHORTEST_S]
    if not lasting:
        return None
    oldest = min(lasting, key=lambda one: one.began)
    seconds = max(0.0, decision.at - oldest.began)
    return OpenCollection(seconds=seconds, turns=oldest.beats, in_main=oldest.in_main)


def collector_of(python: str, readings: Sequence[Reading]) -> Collector | None:
    """The collector of an interpreter, with the thresholds of the process that collected most; None where unknown."""
    kind = kind_of(python)
    if kind is None:
        return None
    busiest = max(readings, key=lambda reading: reading.collections.begun, default=None)
    return Collector(kind=kind, thresholds=busiest.collections.thresholds if busiest else ())


def kind_of(python: str) -> CollectorKind | None:
    """The kind by the interpreter's version: 3.14 began with the incremental one and went back with 3.14.5."""
    try:
        version = Version(python)
    except InvalidVersion:
        return None
    is_incremental = FIRST_INCREMENTAL <= version <= LAST_INCREMENTAL
    return CollectorKind.INCREMENTAL if is_incremental else CollectorKind.GENERATIONAL
