"""The rows: those that must be there, and what covertable adds to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from repro.core.cover.space import Row, Space
from repro.core.cover.verification import Proof, prove


def covering_rows(space: Space, strength: int, *, must: Sequence[Row] = (), seed: int = 0) -> tuple[list[Row], Proof]:
    """Rows with every possible combination of ``strength`` levels, in order, the ones that ``must`` be there included.

    covertable chooses them, alike for the same seed. What it were to leave out is added, so that the proof which comes
    with the rows has nothing missing.
    """
    rows = dict.fromkeys([*must, *_chosen(space, strength, must, seed)])
    for combination in prove(space, list(rows), strength).missing:
        if not any(all(row[factor] == level for factor, level in combination) for row in rows):
            rows[space.completed(combination)] = None
    return sorted(rows), prove(space, list(rows), strength)


def _chosen(space: Space, strength: int, must: Sequence[Row], seed: int) -> list[Row]:
    from covertable import make

    found = make(
        [list(range(size)) for size in space.sizes],
        strength=strength,
        salt=str(seed),
        presets=[dict(enumerate(row)) for row in must],
        constraints=[_constraint(space)] if space.ruled else None,
    )
    return [tuple(row) for row in found]


def _constraint(space: Space) -> dict[str, Any]:
    """What covertable asks of a row that it has begun: false where no allowed row has its levels, else undecided.

    It needs no look ahead of its own then, so no factor is named as required: what is begun can always be completed.
    """
    ruled = frozenset(space.ruled)

    def evaluate(row: dict[int, int]) -> bool | None:
        begun = tuple((factor, level) for factor, level in row.items() if factor in ruled)
        return None if space.is_possible(begun) else False

    return {"operator": "fn", "requires": [], "evaluate": evaluate}
