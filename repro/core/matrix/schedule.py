"""Which trial comes next: repeated, interleaved over the cells, each cell until its verdict is settled.

Trials go in rounds, the first of every cell, then the second, in another order each round: what drifts on the machine
hits all cells alike.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence

from repro.core.matrix.effort import Tried, trials_left, tried
from repro.model import Cell, Effort, Trial


class Schedule:
    """The trials of a run that are still to be made. Trials of an earlier start of the same run count.

    With ``share``, the numbers of a cell's trials by its id, only those are made: the others are another machine's.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        *,
        trials: int,
        seed: int,
        effort: Effort = Effort(),  # noqa: B008  # frozen
        finished: Iterable[Trial] = (),
        share: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self._share = share
        self._trials = {cell.id: trials if share is None else len(share.get(cell.id, ())) for cell in cells}
        self._effort = effort
        self._random = random.Random(seed)  # noqa: S311  # an order, no secret
        self._made: dict[str, list[Tried]] = {cell.id: [] for cell in cells}
        self._numbers: dict[str, set[int]] = {cell.id: set() for cell in cells}
        self._running: dict[str, int] = dict.fromkeys(self._made, 0)
        self._order = list(cells)
        self._random.shuffle(self._order)
        self._round = 0
        for trial in finished:
            if trial.cell_id in self._made:
                self._numbers[trial.cell_id].add(trial.number)
                self._made[trial.cell_id].append(tried(trial))

    def next_trial(self, is_ready: Callable[[Cell], bool]) -> tuple[Cell, int] | None:
        """The next cell to try, with the number of its trial, among those whose environment is ready; None without any.

        Cells with the fewest trials come first. The same cell runs twice at a time only when nothing else is left.
        """
        open_cells = [cell for cell in self._order if self._is_open(cell) and is_ready(cell)]
        if not open_cells:
            return None
        if (lowest := min(self._begun(cell) for cell in open_cells)) > self._round:
            self._round = lowest
            self._random.shuffle(self._order)
            open_cells.sort(key=self._order.index)
        chosen = min(open_cells, key=lambda cell: (self._running[cell.id] > 0, self._begun(cell)))
        self._running[chosen.id] += 1
        # The first that is free: a trial that was interrupted is made anew under its own number, and replaced so.
        own = itertools.count(1) if self._share is None else self._share[chosen.id]
        number = next(number for number in own if number not in self._numbers[chosen.id])
        self._numbers[chosen.id].add(number)
        return chosen, number

    def record(self, trial: Trial) -> None:
        """Take a trial's end."""
        self._running[trial.cell_id] -= 1
        self._made[trial.cell_id].append(tried(trial))

    def is_over(self) -> bool:
        """Whether every cell is settled and nothing runs."""
        return not any(self._running.values()) and not any(self._is_open(cell) for cell in self._order)

    def trials_left(self, *, operations_s: float = 0.0) -> int:
        """At most this many trials are still to be made, those under way included; of a soak about so many.

        ``operations_s`` is guessed of a cell that has made no trial yet.
        """
        return sum(self._left(cell, operations_s=operations_s) for cell in self._order)

    def _left(self, cell: Cell, *, operations_s: float = 0.0) -> int:
        trial_s = float(cell.settings.get("seconds", 0))
        made = self._made[cell.id]
        return trials_left(made, self._effort, trials=self._trials[cell.id], trial_s=trial_s, operations_s=operations_s)

    def _begun(self, cell: Cell) -> int:
        return len(self._made[cell.id]) + self._running[cell.id]

    def _is_open(self, cell: Cell) -> bool:
        return self._left(cell) > self._running[cell.id]
