"""Whether the hung rows of a cause vary enough: otherwise two causes that share a level could pass for that level.

If all of them have, say, ``a = 1`` or ``b = 2``, then perhaps the cause hangs with one of these only. Such levels are
its *provisos*. A row without them that hangs, too, rules them out; so few rows rule out many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from repro.core.faulty.causes import Axis, Bools, Cause, Row


@dataclass(frozen=True, eq=False)
class Provisos:
    """The provisos of a cause with these ``hung`` rows: levels of which each has one, ``most`` (1 or 2) at a time."""

    axes: tuple[Axis, ...]
    cause: Cause
    hung: Sequence[Row]
    most: int

    def ruled_out_by(self, row: Row) -> int:
        """How many of them are ruled out if this row hangs."""
        lacks = ~self._has([row])[0]
        return int((lacks @ self._left @ lacks) if len(lacks) else 0)

    @cached_property
    def _levels(self) -> list[tuple[int, int]]:
        """The levels that a row of the cause can have or not have, by their factors."""
        free = (at for at, mask in enumerate(self.cause) if mask.bit_count() > 1)
        return [(at, level) for at in free for level in range(self.axes[at].size) if self.cause[at] >> level & 1]

    def _has(self, rows: Sequence[Row]) -> Bools:
        """Which of the levels each row has: [rows, levels]."""
        return np.array([[row[at] == level for at, level in self._levels] for row in rows], dtype=np.bool_).reshape(
            len(rows), len(self._levels)
        )

    @cached_property
    def _left(self) -> npt.NDArray[np.int64]:
        """1 for two levels, or twice the same, of which every hung row has one: [levels, levels]."""
        lacks = (~self._has(self.hung)).astype(np.int64)
        left = (lacks.T @ lacks == 0).astype(np.int64)
        if self.most == 1:
            return np.asarray(left * np.eye(len(left), dtype=np.int64))
        factors = np.array([at for at, _ in self._levels])
        is_other = factors[:, None] != factors[None, :]
        return np.asarray(left * (is_other | np.eye(len(left), dtype=np.bool_)))
