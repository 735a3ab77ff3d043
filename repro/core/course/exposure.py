"""What a trial was given the chance to hang in: all of it, and how much of it had passed when it hung."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from repro.core.judge.judge import Decision
from repro.model import Exposure, HangClass


class Tick(NamedTuple):
    """A sample as it is kept: its moment, and what had ended, begun and been told to stop by then."""

    now: float
    ended: int
    alive: int
    stops: int = 0
    collections: int = 0


def exposure(ticks: Sequence[Tick], *, load_at: float, until: float) -> Exposure:
    """What passed from the beginning of the load ``until`` then; operations of before are counted with it."""
    first, last = _at(ticks, load_at), _at(ticks, until)
    return Exposure(
        operations=last.ended,
        seconds=max(0.0, until - load_at),
        stops=last.stops,
        collections=last.collections - first.collections,
    )


def whole_exposure(ticks: Sequence[Tick], *, load_at: float, load_ended: float) -> Exposure:
    """What passed in all of the trial; its seconds of load end when it is told to stop."""
    whole = exposure(ticks, load_at=load_at, until=ticks[-1].now if ticks else load_at)
    return Exposure(
        operations=whole.operations,
        seconds=max(0.0, load_ended - load_at),
        stops=whole.stops,
        collections=whole.collections,
    )


def exposure_at_hang(ticks: Sequence[Tick], *, load_at: float, decision: Decision) -> Exposure:
    """How much had passed when it hung, the operation or the stop that hung counted with it.

    Users are told to stop all at once, so which of these ``n`` stops was the first that failed is not known. Of ``k``
    failed ones in an order drawn by lot the first is, on average, number (n + 1) / (k + 1).
    """
    passed = exposure(ticks, load_at=load_at, until=decision.since)
    if decision.row.hang_class is not HangClass.UNSTOPPABLE:
        return Exposure(
            operations=passed.operations + 1,
            seconds=passed.seconds,
            stops=passed.stops,
            collections=passed.collections,
        )
    before = passed.stops or 0
    told = max(ticks[-1].stops - before if ticks else 0, 1)
    failed = min(len(decision.stuck) or told, told)
    return Exposure(
        operations=passed.operations,
        seconds=passed.seconds,
        stops=before + (told + 1) / (failed + 1),
        collections=passed.collections,
    )


def _at(ticks: Sequence[Tick], moment: float) -> Tick:
    """The last sample up to a moment."""
    found = Tick(moment, 0, 0)
    for tick in ticks:
        if tick.now > moment:
            break
        found = tick
    return found
