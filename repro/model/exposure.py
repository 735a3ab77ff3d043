"""What a trial was given the chance to hang in, and how often it did."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Calls of the client in a trial: begun, ended (failed ones included), failed."""

    begun: int = 0
    ended: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """What a trial, or a cell in its trials, was given the chance to hang in.

    Operations that ended, seconds of load, users that were told to stop, garbage collections that began; None where an
    older version did not count them.
    """

    operations: int = 0
    seconds: float = 0.0
    stops: float | None = 0
    collections: int | None = 0

    def __add__(self, other: Exposure) -> Exposure:
        """Both together: what one of them does not know is not known of the sum."""
        return Exposure(
            operations=self.operations + other.operations,
            seconds=self.seconds + other.seconds,
            stops=None if self.stops is None or other.stops is None else self.stops + other.stops,
            collections=(
                None if self.collections is None or other.collections is None else self.collections + other.collections
            ),
        )


class Chance(StrEnum):
    """What a hazard is counted by: the hang class decides which chance fits."""

    OPERATION = "operations"
    STOP = "stops"


@dataclass(frozen=True, kw_only=True)
class Hazard:
    """``hangs`` in this many ``chances``, and the 95 % interval of hangs for each chance, between ``low`` and ``high``.

    ``ruled_out``: where nothing hung, the hazard from which on a hang would have been seen with 95 %; else None.
    """

    chance: Chance
    hangs: int
    chances: float
    low: float
    high: float
    ruled_out: float | None = None

    @property
    def rate(self) -> float:
        """Hangs for each chance, as they were seen."""
        return min(self.hangs / self.chances, 1.0) if self.chances else 0.0


class CollectorKind(StrEnum):
    """How the interpreter's garbage collector goes about it."""

    GENERATIONAL = "generational"
    INCREMENTAL = "incremental"


@dataclass(frozen=True, kw_only=True)
class Collector:
    """The garbage collector under which a trial ran: its kind and, at the end, its thresholds."""

    kind: CollectorKind
    thresholds: tuple[int, ...] = ()
