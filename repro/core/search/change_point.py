"""What trials say of the one release at which a hang begins, its rate being unknown: the arithmetic of `bisection`.

Releases are counted from the end that does not hang. ``n`` of them have ``n + 1`` hypotheses: *the hang begins at
release c*, for c from 0 (it always hung) to n (it never hangs). Under a hypothesis releases before c never hang, all
from c on hang at one rate, which nobody knows: it is integrated out. So only two numbers matter to a hypothesis: how
many hangs were seen (all of them at c or later, else it is impossible), and how many clean trials were made at c or
later.

The rate is that of a trial of the usual exposure. A clean one of half of that counts for half a trial, for its chance
to be clean at the rate r is (1 − r) ** ½: clean trials are counted in ``PARTS`` of a usual one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

GRID = 48
PARTS = 4
"""Clean trials are counted in quarters: exposures differ by so much anyway."""
HIGHEST_FLAKY_RATE = 0.97


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What is believed before the first trial.

    ``never`` and ``always``: the weights of "no release hangs" and "every release hangs"; the rest is shared alike by
    the releases. ``certain``: the weight of a hang that comes in every trial. Other rates lie between ``least_rate``
    and nearly 1 with density ``rate ** -steepness``: rare hangs are not less likely than frequent ones. A hang rarer
    than ``least_rate`` may well be called "no change".

    The numbers were chosen by simulation so that the confidence is right at each rate, not only on average over rates:
    see ``docs/explanation/bisection.md``.
    """

    never: float = 0.22
    always: float = 0.1
    certain: float = 0.35
    least_rate: float = 0.07
    steepness: float = 0.9


def posterior(prior: Prior, hangs: Counts, cleans: Counts) -> Floats:
    """The probability of each of the n + 1 hypotheses, from each release's hangs and clean ``PARTS`` of a trial."""
    weights = _log_weights(prior, hangs, cleans)
    weights = np.exp(weights - weights.max())
    return np.asarray(weights / weights.sum())


def information(prior: Prior, hangs: Counts, cleans: Counts) -> Floats:
    """For each release: what its next trial is expected to tell of where the hang begins, their mutual information.

    In nats: by so much does the trial lower the entropy of the posterior on average.
    """
    rates = _rates_of(prior, hangs, cleans)
    belief = posterior(prior, hangs, cleans)
    told_where_it_begins = np.cumsum(belief * _coin(rates))[:-1]
    return np.asarray(_coin(np.cumsum(belief * rates)[:-1]) - told_where_it_begins)


def chance_to_hang(prior: Prior, hangs: Counts, cleans: Counts) -> Floats:
    """For each release: the probability that its next trial hangs."""
    return np.asarray(np.cumsum(posterior(prior, hangs, cleans) * _rates_of(prior, hangs, cleans))[:-1])


def chance_to_miss(prior: Prior, *, hangs: int, cleans: int, trials: int) -> float:
    """The probability that so many more ``trials`` are all clean at the rate that ``hangs`` and ``cleans`` speak of.

    ``cleans`` and ``trials`` are counted in ``PARTS`` of a trial.
    """
    row = _row(prior, hangs, _room(cleans + trials))
    return float(np.exp(row[cleans + trials] - row[cleans]))


def entropy(probabilities: Sequence[float] | Floats) -> float:
    """The entropy in nats."""
    return float(-x_log_x(np.asarray(probabilities, dtype=np.float64)).sum())


def _rates_of(prior: Prior, hangs: Counts, cleans: Counts) -> Floats:
    """For each hypothesis: the chance that a trial hangs, of a release that hangs under it."""
    total, after = int(hangs.sum()), _cleans_from(cleans)
    return np.exp(evidence(prior, total + 1, after) - evidence(prior, total, after))


def _coin(chances: Floats) -> Floats:
    """The entropy, in nats, of whether something of that chance happens."""
    return np.asarray(-x_log_x(chances) - x_log_x(1.0 - chances))


def _log_weights(prior: Prior, hangs: Counts, cleans: Counts) -> Floats:
    n = len(hangs)
    shared = (1.0 - prior.never - prior.always) / max(n - 1, 1)
    weights = np.full(n + 1, np.log(shared))
    weights[0], weights[n] = np.log(prior.always), np.log(prior.never)
    weights += evidence(prior, int(hangs.sum()), _cleans_from(cleans))
    hung = np.flatnonzero(hangs)
    if len(hung):
        weights[hung[0] + 1 :] = -np.inf
    return weights


def _cleans_from(cleans: Counts) -> Counts:
    """For each hypothesis the clean trials at its release or later; none for the last hypothesis, "it never hangs"."""
    return np.append(np.cumsum(cleans[::-1])[::-1], 0)


def evidence(prior: Prior, hangs: int, cleans: Counts) -> Floats:
    """The log of the chance of so many hangs, for each number of clean parts, at one rate that is unknown."""
    row = _row(prior, hangs, _room(int(cleans.max())))
    return np.asarray(row[cleans])


def _room(cleans: int) -> int:
    """The length of a row of the table: powers of two, so that few are computed."""
    return 1 << max(6, (cleans + PARTS + 1).bit_length())


@lru_cache(maxsize=4096)
def _row(prior: Prior, hangs: int, length: int) -> Floats:
    """The log of the mean of rate**hangs · (1 − rate)**(cleans / PARTS) over the rate's prior, for each < length."""
    rates, weights = _rates(prior)
    logs = np.log(weights) + hangs * np.log(rates)
    terms = logs[:, None] + np.arange(length)[None, :] / PARTS * np.log1p(-rates)[:, None]
    top = terms.max(axis=0)
    row = top + np.log(np.exp(terms - top).sum(axis=0))
    row[0] = np.logaddexp(row[0], np.log(prior.certain))  # a hang that always comes leaves no clean trial
    return np.asarray(row)


@lru_cache(maxsize=64)
def _rates(prior: Prior) -> tuple[Floats, Floats]:
    """A grid of rates, evenly spaced in their logarithm, with the prior's weights."""
    rates = np.exp(np.linspace(np.log(prior.least_rate), np.log(HIGHEST_FLAKY_RATE), GRID))
    weights = rates ** (1.0 - prior.steepness)
    return rates, (1.0 - prior.certain) * weights / weights.sum()


def x_log_x(values: Floats) -> Floats:
    """Each value times its logarithm; 0 for 0."""
    return np.asarray(values * np.log(np.where(values > 0, values, 1.0)))
