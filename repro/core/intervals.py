"""Intervals that say how sure a number is: of a rate, of a ratio, and of what was not seen at all."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from repro.model import Interval

CONFIDENCE = 0.95


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


def ratio_of_means(ones: Sequence[float], others: Sequence[float]) -> tuple[float, float, float]:
    """The ratio of two means and its 95 % interval (delta method on the logarithm).

    The samples are taken for independent. Without two of each, or where one mean is 0, the interval is unbounded.
    """
    from scipy.special import stdtrit  # Student's quantiles, likewise

    first, second = sum(ones) / len(ones) if ones else 0.0, sum(others) / len(others) if others else 0.0
    if not first or not second or min(len(ones), len(others)) < 2:
        return (first / second if second else math.inf), 0.0, math.inf
    parts = [statistics.variance(one) / len(one) / mean**2 for one, mean in ((ones, first), (others, second))]
    if not sum(parts):
        return first / second, first / second, first / second
    freedom = min(len(ones), len(others)) - 1  # rather too wide: Welch's own fall short with three of one
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(sum(parts))
    return first / second, first / second * math.exp(-half), first / second * math.exp(half)
