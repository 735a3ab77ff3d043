"""The combinations of levels that the rules of an experiment leave, asked without going through all its rows.

Levels are numbers here: a row has one for each factor, a combination a level for some of them. Only the factors that
rules speak of (``ruled``) can make a combination impossible. Their allowed rows are listed, and a mask for each of
their levels says in which of these it is: a combination is possible where the masks of its levels have a bit in common.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

Row = tuple[int, ...]
"""The level of each factor."""

Combination = tuple[tuple[int, int], ...]
"""Factors, each with its level, in the factors' order."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """``sizes`` are the numbers of levels; ``allowed`` what the rules leave of the levels of the ``ruled`` factors."""

    sizes: tuple[int, ...]
    ruled: tuple[int, ...] = ()
    allowed: tuple[Row, ...] = ((),)

    @property
    def count(self) -> int:
        """How many rows the rules leave."""
        return len(self.allowed) * math.prod(size for at, size in enumerate(self.sizes) if at not in self.ruled)

    def is_possible(self, combination: Combination) -> bool:
        """Whether the rules leave a row that has the combination."""
        return bool(self._common(combination))

    def completed(self, combination: Combination) -> Row:
        """The first row that has a combination, which must be possible."""
        common = self._common(combination)
        own = self.allowed[(common & -common).bit_length() - 1]
        levels = dict.fromkeys(range(len(self.sizes)), 0) | dict(combination) | dict(zip(self.ruled, own, strict=True))
        return tuple(levels.values())

    def factors(self, strength: int) -> Iterator[tuple[int, ...]]:
        """Each choice of this many factors."""
        return itertools.combinations(range(len(self.sizes)), strength)

    def combinations(self, factors: Sequence[int]) -> Iterator[Combination]:
        """Each combination of levels of these factors, whether possible or not."""
        levels = itertools.product(*(range(self.sizes[factor]) for factor in factors))
        return (tuple(zip(factors, one, strict=True)) for one in levels)

    def _common(self, combination: Combination) -> int:
        """The allowed rows that have all these levels, as bits."""
        found = self._all
        for one in combination:
            found &= self._masks.get(one, self._all)
        return found

    @cached_property
    def _all(self) -> int:
        return (1 << len(self.allowed)) - 1

    @cached_property
    def _masks(self) -> dict[tuple[int, int], int]:
        """For each level of a ruled factor the allowed rows that have it, as bits."""
        found = {(factor, level): bytearray(len(self.allowed) // 8 + 1)
                 for factor in self.ruled for level in range(self.sizes[factor])}  # fmt: skip
        for number, row in enumerate(self.allowed):
            for one in zip(self.ruled, row, strict=True):
                found[one][number // 8] |= 1 << number % 8  # an integer would be copied for each bit
        return {one: int.from_bytes(bits, "little") for one, bits in found.items()}


def has(row: Row, combination: Combination) -> bool:
    """Whether a row has all levels of a combination."""
    return all(row[factor] == level for factor, level in combination)
