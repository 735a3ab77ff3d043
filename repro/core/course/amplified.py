"""What an amplification did in a trial, and what a clean trial is worth in which it did nothing."""

from __future__ import annotations

from collections.abc import Sequence

from repro.core.judge.samples import Reading
from repro.findings import Amplified
from repro.model import Verdict

NO_KNOB = "none"


def amplified_of(knob: str, readings: Sequence[Reading]) -> Amplified | None:
    """What the knob did in all processes of a trial; None without a knob."""
    if knob == NO_KNOB:
        return None
    return Amplified(knob=knob, moments=sum(reading.amplified for reading in readings))


def verdict_under(amplified: Amplified | None, verdict: Verdict) -> Verdict:
    """The verdict: nothing was looked for in a clean trial in which the knob did nothing."""
    is_vacuous = amplified is not None and not amplified.moments
    return Verdict.INCONCLUSIVE if is_vacuous and verdict is Verdict.CLEAN else verdict
