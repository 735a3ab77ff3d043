"""Hang rates with their doubt, and what the trials of a cell come to."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence

from repro.errors import ExitCode
from repro.model import CellVerdict, Interval, Verdict

CONFIDENCE = 0.95
ENOUGH_ALIKE = 2


def interval(hits: int, n: int) -> Interval:
    """The 95 % Clopper–Pearson interval of a share: it covers the true rate at least 95 % of the time."""
    from scipy.special import betaincinv  # the beta distribution's quantiles, without all of scipy.stats

    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, 1 - tail))
    return Interval(hits=hits, n=n, low=low, high=high)


def could_have_missed(n: int) -> float:
    """The largest hang rate that ``n`` clean trials in a row miss with a chance of 5 %."""
    return 1.0 - (1 - CONFIDENCE) ** (1 / n) if n else 1.0


def in_words(rate: Interval) -> str:
    """``3 of 40, 95 % interval 2–20 %``."""
    return f"{rate.hits} of {rate.n}, 95 % interval {rate.low * 100:.0f}–{rate.high * 100:.0f} %"


def ratio_of_means(ones: Sequence[float], others: Sequence[float]) -> tuple[float, float, float]:
    """The ratio of two means and its 95 % interval (delta method on the logarithm).

    The samples are taken for independent. Without two of each, or where one mean is 0, the interval is unbounded.
    """
    from scipy.stats import t as student

    first, second = sum(ones) / len(ones) if ones else 0.0, sum(others) / len(others) if others else 0.0
    if not first or not second or min(len(ones), len(others)) < 2:
        return (first / second if second else math.inf), 0.0, math.inf
    parts = [statistics.variance(one) / len(one) / mean**2 for one, mean in ((ones, first), (others, second))]
    if not sum(parts):
        return first / second, first / second, first / second
    freedom = min(len(ones), len(others)) - 1  # rather too wide: Welch's own fall short with three of one
    half = float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(sum(parts))
    return first / second, first / second * math.exp(-half), first / second * math.exp(half)


def rate_of(verdicts: Sequence[Verdict]) -> Interval | None:
    """The hang rate of a cell's trials, None when none of them counts."""
    counted = [verdict for verdict in verdicts if verdict.counts_in_rate]
    return interval(counted.count(Verdict.HANG), len(counted)) if counted else None


def cell_verdict(verdicts: Sequence[Verdict]) -> CellVerdict:
    """What the trials of a cell come to: one hang makes it a hang; else what all those that mean something agree on."""
    if Verdict.HANG in verdicts:
        return CellVerdict.HANG
    telling = [verdict for verdict in verdicts if verdict.value in set(CellVerdict)]
    if not telling:
        return CellVerdict.INCONCLUSIVE
    first = telling[0]
    return CellVerdict(first.value) if all(verdict is first for verdict in telling) else CellVerdict.INCONCLUSIVE


def is_settled(verdicts: Sequence[Verdict], *, trials: int) -> bool:
    """Whether more trials would not change the cell's verdict: one hang, one untestable, two crashes alike, or all made."""
    if len(verdicts) >= trials or Verdict.HANG in verdicts or Verdict.UNTESTABLE in verdicts:
        return True
    same = [verdicts.count(kind) for kind in (Verdict.CRASH, Verdict.FAILING)]
    return max(same) >= ENOUGH_ALIKE


FAILING_CODES = {
    CellVerdict.HANG: ExitCode.HANG,
    CellVerdict.CRASH: ExitCode.HANG,
    CellVerdict.FAILING: ExitCode.HANG,
    CellVerdict.UNTESTABLE: ExitCode.INCONCLUSIVE,
    CellVerdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}
USUALLY_FAILING = (CellVerdict.HANG, CellVerdict.UNTESTABLE, CellVerdict.INCONCLUSIVE)


def exit_code(
    cells: Collection[CellVerdict], trials: Collection[Verdict], *, fail_on: Sequence[CellVerdict] = USUALLY_FAILING
) -> ExitCode:
    """What a run comes to for a program that called this one: a run that is not whole, a hang, a fault of ours, the rest.

    Where every cell crashed or failed nobody has looked for a hang: that is inconclusive, not "no hang".
    """
    if Verdict.INTERRUPTED in trials:
        return ExitCode.INTERRUPTED
    if CellVerdict.HANG in cells and CellVerdict.HANG in fail_on:
        return ExitCode.HANG
    if {Verdict.BACKEND, Verdict.ERROR} & set(trials):
        return ExitCode.FAILED
    found = next((FAILING_CODES[verdict] for verdict in fail_on if verdict in cells), ExitCode.NO_HANG)
    is_judged = bool({CellVerdict.CLEAN, CellVerdict.HANG} & set(cells))
    if found is ExitCode.NO_HANG and cells and not is_judged and CellVerdict.INCONCLUSIVE in fail_on:
        return ExitCode.INCONCLUSIVE
    return found
