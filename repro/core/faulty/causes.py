"""The causes that one hung cell can have: the combinations of its levels, with other levels that do as well.

Levels are numbers here. A *clause* is a set of levels of a factor, as bits; a cause has a clause on some factors and
takes any level of the others. A cell with its levels hangs, and then only at some rate.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Masks = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

Row = tuple[int, ...]
"""The level of each factor."""

Cause = tuple[int, ...]
"""The clause on each factor; all levels where there is none."""

MOST_CLAUSES = 3
MOST_LEVELS = 60
ALL_SUBSETS_UP_TO = 4
SIZES = (0.005, 0.345, 0.35, 0.3)
"""What is believed of the number of clauses before the first trial: none (every cell hangs), one, two, three."""
ONE, ONE_SIDED, ANY = 0.5, 0.35, 0.15
"""The weights of a clause of one level, of all levels up to or from one on, and of any other set of levels."""


@dataclass(frozen=True)
class Axis:
    """A factor: how many levels it has, and whether their order means anything."""

    size: int
    is_ordered: bool = False

    @property
    def whole(self) -> int:
        """All its levels, as bits."""
        return (1 << self.size) - 1


@dataclass(frozen=True, eq=False)
class Causes:
    """Causes, a row of ``masks`` each with its clauses, and the logs of what is believed of them beforehand."""

    masks: Masks
    log_prior: Floats
    _kept: dict[tuple[int, int], Bools] = field(default_factory=dict, init=False, repr=False)

    def matches(self, row: Row) -> Bools:
        """For each cause whether it has the levels of a row."""
        found = np.ones(len(self.log_prior), dtype=np.bool_)
        for axis, level in enumerate(row):
            found &= self._having(axis, level)
        return found

    def _having(self, axis: int, level: int) -> Bools:
        """For each cause whether it has a level of a factor; kept: a search asks it of hundreds of rows a step."""
        if (axis, level) not in self._kept:
            self._kept[axis, level] = (self.masks[:, axis] >> np.uint64(level) & np.uint64(1)).astype(np.bool_)
        return self._kept[axis, level]

    def beside(self, known: Cause) -> Bools:
        """Which of them have a clause that says only: not where a known cause hangs anyway.

        No trial can tell such a one from the cause without that clause, which says the same in fewer words.
        """
        inside = [self.masks[:, axis] & ~np.uint64(mask) == 0 for axis, mask in enumerate(known)]
        found = np.zeros(len(self.log_prior), dtype=np.bool_)
        for axis, mask in enumerate(known):
            others = [one for at, one in enumerate(inside) if at != axis]
            whole = self.masks[:, axis].max()  # of the cause that says nothing of this axis
            found |= np.logical_and.reduce([self.masks[:, axis] == whole ^ np.uint64(mask), *others])
        return found

    def cause(self, at: int) -> Cause:
        """One of them."""
        return tuple(int(mask) for mask in self.masks[at])


def has_levels(cause: Cause, row: Row) -> bool:
    """Whether a cause has the levels of a row."""
    return all(mask >> level & 1 for mask, level in zip(cause, row, strict=True))


@lru_cache(maxsize=256)
def clauses(axis: Axis) -> tuple[tuple[int, float], ...]:
    """The clauses on a factor, each with its weight; the weights add up to 1."""
    singles = {1 << level for level in range(axis.size)}
    starts = {(1 << count) - 1 for count in range(1, axis.size)}
    one_sided = {*starts, *(axis.whole ^ one for one in starts)} - singles if axis.is_ordered else set()
    others = set(_sets(axis)) - singles - one_sided
    kinds = [(weight, masks) for weight, masks in ((ONE, singles), (ONE_SIDED, one_sided), (ANY, others)) if masks]
    total = sum(weight for weight, _ in kinds)
    return tuple((mask, weight / total / len(masks)) for weight, masks in kinds for mask in sorted(masks))


def _sets(axis: Axis) -> Iterator[int]:
    """Sets of levels: neighbours where there is an order, else all of them, of many levels all but one."""
    if axis.is_ordered:
        ends = itertools.combinations(range(axis.size + 1), 2)
        return (((1 << high) - 1) ^ ((1 << low) - 1) for low, high in ends if high - low < axis.size)
    if axis.size <= ALL_SUBSETS_UP_TO:
        return iter(range(1, axis.whole))
    return (axis.whole ^ (1 << level) for level in range(axis.size))


@lru_cache(maxsize=64)
def causes_of(axes: tuple[Axis, ...], row: Row) -> Causes:
    """The causes that a hung row can have."""
    own = [
        [(mask, math.log(weight)) for mask, weight in clauses(axis) if mask >> level & 1]
        for axis, level in zip(axes, row, strict=True)
    ]
    whole = np.array([[axis.whole for axis in axes]], dtype=np.uint64)
    blocks = [(whole, np.array([math.log(SIZES[0])]))]
    for size in range(1, min(MOST_CLAUSES, len(axes)) + 1):
        prior = math.log(SIZES[size] / math.comb(len(axes), size))
        choices = itertools.combinations(range(len(axes)), size)
        blocks.extend(_block(whole, prior, {axis: own[axis] for axis in chosen}) for chosen in choices)
    return Causes(np.concatenate([masks for masks, _ in blocks]), np.concatenate([priors for _, priors in blocks]))


def _block(whole: Masks, prior: float, own: dict[int, list[tuple[int, float]]]) -> tuple[Masks, Floats]:
    """The causes with a clause on each of these axes."""
    grids = np.meshgrid(*(np.arange(len(some)) for some in own.values()), indexing="ij")
    masks = np.tile(whole, (grids[0].size, 1))
    priors = np.full(grids[0].size, prior)
    for (axis, some), grid in zip(own.items(), grids, strict=True):
        masks[:, axis] = np.array([mask for mask, _ in some], dtype=np.uint64)[grid.ravel()]
        priors += np.array([weight for _, weight in some])[grid.ravel()]
    return masks, priors


def axes_of(cause: Cause, axes: Sequence[Axis]) -> list[int]:
    """The factors on which a cause has a clause."""
    return [at for at, (mask, axis) in enumerate(zip(cause, axes, strict=True)) if mask != axis.whole]
