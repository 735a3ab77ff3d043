"""A seed that was replayed: how often its hang came again, and which of an amplification's knobs bring it alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repro.core.amplification.pairs import hung_alike, is_alike, knob_of
from repro.core.experiment.factors.amplification import knobs_of
from repro.model import CellResult, Interval


@dataclass(frozen=True)
class Replay:
    """A cell of which every trial had one seed: its hangs, and the cells with one of its knobs each, by the knob.

    Those of ``enough`` hung in the same way; all others that came to a rate are ``idle``.
    """

    result: CellResult
    rate: Interval
    enough: tuple[tuple[str, Interval], ...] = ()
    idle: tuple[str, ...] = ()


def replays(results: Sequence[CellResult]) -> Iterator[Replay]:
    """Of cells that differ in their amplification alone, the one with most knobs."""
    for result in results:
        alike = [one for one in results if is_alike(one, result)]
        if result.rate is not None and len(knobs_of(knob_of(result))) == max(map(_breadth, alike)):
            yield _replay(result, result.rate, [one for one in alike if one is not result and _breadth(one) == 1])


def _breadth(result: CellResult) -> int:
    return len(knobs_of(knob_of(result)))


def _replay(result: CellResult, rate: Interval, alone: Sequence[CellResult]) -> Replay:
    own = knobs_of(knob_of(result))
    tried = [(knob_of(one), one, one.rate) for one in alone if one.rate and knob_of(one) in own]
    enough = tuple((knob, found) for knob, one, found in tried if hung_alike(result, one))
    names = {knob for knob, _ in enough}
    return Replay(result, rate, enough, tuple(knob for knob, _, _ in tried if knob not in names))
