"""Intervals that say how sure a number is: of a rate, of a ratio, and of what was not seen at all."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from repro.model import Chance, Hazard, Interval

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
"""The chance that an interval lies too low, and that it lies too high."""


def interval(hits: int, n: int) -> Interval:
    """The 95 % Clopper–Pearson interval of a share: it covers the true rate at least 95 % of the time.

    Where all or none hung, as in most cells, its end has a closed form, and nobody waits for scipy to be imported.
    """
    if hits in {0, n}:
        far = (TAIL ** (1 / n)) if n else 0.0
        return Interval(hits=hits, n=n, low=far if hits else 0.0, high=1.0 if hits == n else 1.0 - far)
    from scipy.special import betaincinv  # the beta distribution's quantiles, without all of scipy.stats

    low, high = float(betaincinv(hits, n - hits + 1, TAIL)), float(betaincinv(hits + 1, n - hits, 1 - TAIL))
    return Interval(hits=hits, n=n, low=low, high=high)


def could_have_missed(n: int) -> float:
    """The largest hang rate that ``n`` clean trials in a row miss with a chance of 5 %."""
    return 1.0 - (1 - CONFIDENCE) ** (1 / n) if n else 1.0


def hazard(hangs: int, chances: float, *, chance: Chance = Chance.OPERATION) -> Hazard:
    """Hangs in this many chances, with the exact 95 % interval of hangs for each chance.

    Garwood's interval of a Poisson mean (F. Garwood, Biometrika 28, 1936), over the chances that there were until each
    trial hung or ended. For trials that are cut off so it is no longer exact, but on the safe side: with a fixed number
    of hangs twice the hazard times all chances is chi-squared with twice as many degrees of freedom (B. Epstein and
    M. Sobel, JASA 48, 1953), which it contains. No chance hangs more than once: both ends are 1 at most.
    """
    if not chances:
        return Hazard(chance=chance, hangs=hangs, chances=0.0, low=0.0, high=1.0)
    low, high = (mean / chances for mean in _poisson_means(hangs))
    ruled_out = None if hangs else min(1.0, chances_to_rule_out(1.0) / chances)
    return Hazard(
        chance=chance, hangs=hangs, chances=chances, low=min(1.0, low), high=min(1.0, high), ruled_out=ruled_out
    )


def _poisson_means(events: int) -> tuple[float, float]:
    """The ends of the exact interval of the mean of which so many events were counted; a closed form for none."""
    if not events:
        return 0.0, -math.log(TAIL)
    from scipy.special import gammaincinv  # half the chi-squared distribution's quantiles

    return float(gammaincinv(events, TAIL)), float(gammaincinv(events + 1, 1 - TAIL))


def chances_to_rule_out(hazard: float) -> float:
    """So many chances without a hang rule out, with 95 %, that one comes as often as ``hazard`` or oftener."""
    return -math.log(1 - CONFIDENCE) / hazard


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
