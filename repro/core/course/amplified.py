"""What an amplification did in a trial, and what a clean trial is worth in which it did nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repro.core.experiment.factors.amplification import NONE, knobs_of
from repro.core.judge.samples import Reading
from repro.findings import Amplified
from repro.model import Verdict

NO_KNOB = NONE


def amplified_of(level: str, readings: Sequence[Reading], outside: Mapping[str, int] | None = None) -> Amplified | None:
    """What the knobs of a level did in all processes of a trial, and ``outside`` of them; None without a knob."""
    if level == NONE:
        return None
    seen = [*(reading.amplified for reading in readings), outside or {}]
    did = tuple((knob, sum(one.get(knob, 0) for one in seen)) for knob in knobs_of(level))
    return Amplified(knob=level, moments=sum(count for _, count in did), did=did)


def verdict_under(amplified: Amplified | None, verdict: Verdict) -> Verdict:
    """The verdict: nothing was looked for in a clean trial in which no knob did anything."""
    is_vacuous = amplified is not None and not amplified.moments
    return Verdict.INCONCLUSIVE if is_vacuous and verdict is Verdict.CLEAN else verdict
