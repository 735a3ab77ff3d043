"""The garbage collector under which a trial ran, and whether one of its collections gave way to other greenlets."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.version import InvalidVersion, Version

from repro.core.judge.samples import Reading
from repro.model import Collector, CollectorKind

FIRST_INCREMENTAL, LAST_INCREMENTAL = Version("3.14.0a1"), Version("3.14.4")


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
