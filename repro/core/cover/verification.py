"""The proof that rows cover what they should: every combination is in one of them, or the rules leave none with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repro.core.cover.space import Combination, Row, Space


@dataclass(frozen=True, kw_only=True)
class Proof:
    """``possible`` combinations of the asked number of levels, those of them in no row, and what no row can have.

    ``impossible`` are the smallest: one that has another impossible one within is not named again. ``ruled_out`` counts
    the combinations of the asked number of levels that the rules leave out.
    """

    possible: int
    missing: tuple[Combination, ...]
    impossible: tuple[Combination, ...]
    ruled_out: int


def prove(space: Space, rows: Sequence[Row], strength: int) -> Proof:
    """What the rows have of the combinations of ``strength`` levels, and what none can have."""
    possible = ruled_out = 0
    missing = []
    for factors in space.factors(strength):
        seen = {tuple(row[factor] for factor in factors) for row in rows}
        for combination in space.combinations(factors):
            if not space.is_possible(combination):
                ruled_out += 1
                continue
            possible += 1
            if tuple(level for _, level in combination) not in seen:
                missing.append(combination)
    impossible = tuple(_smallest_impossible(space, strength))
    return Proof(possible=possible, missing=tuple(missing), impossible=impossible, ruled_out=ruled_out)


def _smallest_impossible(space: Space, strength: int) -> Iterator[Combination]:
    """The combinations of up to this many levels that no row has, though it has each smaller part of them."""
    for size in range(1, strength + 1):
        for factors in itertools.combinations(space.ruled, size):
            for combination in space.combinations(factors):
                if not space.is_possible(combination) and all(map(space.is_possible, _parts(combination))):
                    yield combination


def _parts(combination: Combination) -> Iterator[Combination]:
    return (combination[:at] + combination[at + 1 :] for at in range(len(combination)))
