"""What the trials say of each cause that one hung cell can have, its hang coming only sometimes, by exposure.

The rate of a cause is unknown and integrated out, as in a bisection (`core.search.change_point`): a cause that has the
levels of a clean cell becomes unlikelier with each trial of it, the more so the oftener its other cells hung. Clean
trials are counted in ``PARTS`` of one of the usual exposure. A hung cell whose levels a cause has not must have hung
for another reason, which is unlikely and possible: there may be a second cause. Such cells hang each for itself.

One more hypothesis, *something else*, stands beside the causes: each cell hangs or not for itself. It is what is left
where no combination of a few levels explains the cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from repro.core.faulty.causes import Axis, Cause, Causes, Floats, Row, causes_of
from repro.core.search.change_point import Counts, Prior, chance_to_miss, entropy, evidence, x_log_x

PRIOR = Prior(certain=0.3, steepness=1.0)
"""Chosen by a simulation of its own (``benchmarks/faulty.py``)."""
ANOTHER_REASON = 0.05
"""The chance of a hang by another cause than the one that is weighed, of a cell that has not hung yet."""
ANOTHER_CAUSE = math.exp(-9)
"""The chance beforehand that there is one, and that it has just these levels; chosen by simulation, as the others."""
SOMETHING_ELSE = 1e-4
SHARE_THAT_HANGS = 0.3
RATE_OF_SOMETHING_ELSE = 0.5
MOST_WEIGHED = 3_000
"""So many of the likeliest causes decide what is tried next."""


@dataclass(frozen=True)
class Tally:
    """The trials of a cell: how many hung, and the clean ones in parts of a usual one."""

    hangs: int = 0
    cleans: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.hangs + other.hangs, self.cleans + other.cleans)


Tallies = Mapping[Row, Tally]


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed, after the trials of some rows, to be the cause of the hang of one of them, the ``anchor``.

    ``known`` are causes that were found before; ``rows`` has none that they make hang.
    """

    axes: tuple[Axis, ...]
    rows: Tallies
    anchor: Row
    known: tuple[Cause, ...] = ()

    @cached_property
    def causes(self) -> Causes:
        """The causes that it can have."""
        return causes_of(self.axes, self.anchor)

    @cached_property
    def hung(self) -> tuple[Row, ...]:
        """The rows with a hang."""
        return tuple(row for row, tally in self.rows.items() if tally.hangs)

    @cached_property
    def posterior(self) -> Floats:
        """The probability of each cause, and last that of something else."""
        found = self.causes.log_prior + _evidence(*self._counts) + self._unexplained
        for cause in self.known:
            found[self.causes.beside(cause)] = -np.inf
        logs = np.append(found, self._something_else)
        weights = np.exp(logs - logs.max())
        return np.asarray(weights / weights.sum())

    @cached_property
    def ranked(self) -> tuple[int, ...]:
        """The causes by their probability, the likeliest first."""
        return tuple(int(at) for at in np.argsort(-self.posterior[:-1], kind="stable"))

    @cached_property
    def _counts(self) -> tuple[Counts, Counts]:
        """For each cause the hangs and the clean parts of its rows."""
        hangs, cleans = np.zeros((2, len(self.causes.log_prior)), dtype=np.int64)
        for row, tally in self.rows.items():
            own = self.causes.matches(row)
            hangs += own * tally.hangs
            cleans += own * tally.cleans
        return hangs, cleans

    @cached_property
    def _unexplained(self) -> Floats:
        """For each cause the log of the chance of other rows, where some of them hung: each does so for itself.

        A row counts, not each of its hangs: one that another cause makes hang may be tried often.
        """
        found, clean = np.zeros((2, len(self.causes.log_prior)))
        for row, tally in self.rows.items():
            is_other = ~self.causes.matches(row)
            if tally.hangs:
                found += is_other * (math.log(SHARE_THAT_HANGS) + self._alone(tally))
            else:
                clean += is_other * math.log(1 - ANOTHER_REASON)
        return np.asarray(np.where(found < 0, found + clean + math.log(ANOTHER_CAUSE), 0.0))

    def _alone(self, tally: Tally) -> float:
        """The log of the chance of a row's trials, if it hangs for itself."""
        return float(_evidence(np.array([tally.hangs]), np.array([tally.cleans]))[0])

    @property
    def _something_else(self) -> float:
        found = math.log(SOMETHING_ELSE)
        for tally in self.rows.values():
            stays_clean = 0.0 if tally.hangs else 1 - SHARE_THAT_HANGS
            found += math.log(SHARE_THAT_HANGS * math.exp(self._alone(tally)) + stays_clean)
        return found

    def cause(self, at: int) -> Cause:
        """One of the causes."""
        return self.causes.cause(at)

    def doubt(self, trials: int, at: int) -> float:
        """How likely so many trials, in parts of a usual one, would all be clean at the rate of a cause."""
        hangs, cleans = (int(counts[at]) for counts in self._counts)
        return chance_to_miss(PRIOR, hangs=hangs, cleans=cleans, trials=trials)

    def gains(self, rows: Sequence[Row]) -> Floats:
        """By how much one trial of each row is expected to lower the entropy of what is believed, in nats."""
        kept = np.array(self.ranked[:MOST_WEIGHED])
        some = Causes(self.causes.masks[kept], self.causes.log_prior[kept])
        hangs, cleans = (counts[kept] for counts in self._counts)
        rate = np.exp(_evidence(hangs + 1, cleans) - _evidence(hangs, cleans))
        share = np.append(self.posterior[kept], max(0.0, 1.0 - float(self.posterior[kept].sum())))
        own = np.array([some.matches(row) for row in rows]).reshape(len(rows), len(kept)).astype(np.float64)
        chance = np.array([self._chance_alone(row, clean=ANOTHER_REASON) for row in rows])
        else_ = np.array([self._chance_alone(row, clean=RATE_OF_SOMETHING_ELSE * SHARE_THAT_HANGS) for row in rows])
        left = np.zeros(len(rows))
        for of_own, of_others, of_else in ((rate, chance, else_), (1 - rate, 1 - chance, 1 - else_)):
            left += _entropy_left(own, share, of_own, of_others, of_else)
        return np.asarray(entropy(share) - left)

    def _chance_alone(self, row: Row, *, clean: float) -> float:
        """How likely a row's next trial hangs for another reason; ``clean`` where it has not hung yet."""
        tally = self.rows.get(row, Tally())
        return math.exp(self._alone(tally + Tally(hangs=1)) - self._alone(tally)) if tally.hangs else clean


def _evidence(hangs: Counts, cleans: Counts) -> Floats:
    """The log of the chance of so many hangs and clean parts under one cause of an unknown rate."""
    found = np.zeros(len(hangs))
    for count in np.unique(hangs):
        own = hangs == count
        found[own] = evidence(PRIOR, int(count), cleans[own])
    return found


def _entropy_left(own: Floats, share: Floats, of_own: Floats, of_others: Floats, of_else: Floats) -> Floats:
    """For each row the entropy that one outcome of its trial leaves, times how likely that outcome is.

    ``own`` says of each row which causes have its levels: [rows, causes]. ``share`` are the causes' probabilities, and
    last that of something else. The outcome's chance is ``of_own`` [causes] under those, ``of_others`` [rows] under all
    others, and ``of_else`` [rows] under something else.
    """
    causes, rest = share[:-1], share[-1]
    joint = causes * of_own
    one, log = x_log_x(of_others), x_log_x(causes)
    others, others_log = (1 - own) @ causes, (1 - own) @ log
    whole = own @ joint + others * of_others + rest * of_else
    # The sum of w log w of all weights w; under the others w is a cause's share times one number for the row
    logs = own @ x_log_x(joint) + others_log * of_others + others * one + x_log_x(rest * of_else)
    return np.asarray(x_log_x(whole) - logs)
