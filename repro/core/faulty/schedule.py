"""The trials of a run's cells, and after them those that settle which combination hangs.

The cells are interleaved as they are without it (`core.matrix.schedule`). Then the trials come first that are expected
to decide between the explanations that are left.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace

from repro.core.faulty.conclusion import CellOf, field_of, search_of
from repro.core.matrix.hazards import result_of
from repro.core.matrix.schedule import Schedule
from repro.model import Cell, Plan, Trial

MOST_IN_VAIN = 6
"""So many trials in a row that do not count end the search: the next one would not count either."""
MOST_NEXT = 8


class ConfirmingSchedule:
    """The trials that are still to be made; ``on_cell`` is told of each cell that is added to the plan's."""

    def __init__(
        self,
        first: Schedule,
        plan: Plan,
        *,
        cell_of: CellOf,
        on_cell: Callable[[Cell], object],
        finished: Iterable[Trial] = (),
    ) -> None:
        assert plan.confirm is not None  # noqa: S101  # there is nothing to confirm without
        self._first, self._plan, self._confirm = first, plan, plan.confirm
        self._cell_of, self._on_cell = cell_of, on_cell
        self._cells = {cell.id: cell for cell in plan.cells}
        self._trials: dict[str, list[Trial]] = {cell.id: [] for cell in plan.cells}
        self._running: dict[tuple[str, int], Cell] = {}
        self._wanted: list[Cell] | None = None
        self._told = set(self._cells)
        self._made = self._in_vain = 0
        for trial in finished:
            if trial.cell_id in self._trials:
                self._trials[trial.cell_id].append(_slim(trial))

    def next_trial(self, is_ready: Callable[[Cell], bool]) -> tuple[Cell, int] | None:
        """The next cell to try, with the number of its trial, among those whose environment is ready."""
        if not self._first.is_over():
            return self._first.next_trial(is_ready)
        running = {cell.id for cell in self._running.values()}
        ready = (cell for cell in self._open if cell.id not in running and is_ready(cell))
        chosen = next(ready, None)
        if chosen is None:
            return None
        used = {trial.number for trial in self._trials[chosen.id]}
        number = next(number for number in itertools.count(1) if number not in used)
        self._running[chosen.id, number] = chosen
        if chosen.id not in self._told:
            self._told.add(chosen.id)
            self._on_cell(chosen)
        self._made += 1
        return chosen, number

    def record(self, trial: Trial) -> None:
        """Take a trial's end."""
        if self._running.pop((trial.cell_id, trial.number), None) is None:
            self._first.record(trial)
        else:
            self._in_vain = 0 if trial.verdict.counts_in_rate else self._in_vain + 1
        self._trials[trial.cell_id].append(_slim(trial))
        self._wanted = None

    def is_over(self) -> bool:
        """Whether every cell is settled, and so is what hangs, as far as it can be."""
        return self._first.is_over() and not self._running and not self._open

    def trials_left(self, *, operations_s: float = 0.0) -> int:
        """At most so many trials are still to be made of the cells, and those under way that settle what hangs."""
        return self._first.trials_left(operations_s=operations_s) + len(self._running)

    @property
    def _open(self) -> list[Cell]:
        """The cells that are to be tried next."""
        if self._wanted is None:
            self._wanted = self._next_cells()
        return self._wanted

    def _next_cells(self) -> list[Cell]:
        results = [result_of(cell, self._trials[cell.id]) for cell in self._cells.values()]
        field = field_of(list(self._cells.values()), self._plan.varied)
        is_enough = self._made >= self._confirm.most_trials or self._in_vain >= MOST_IN_VAIN
        if is_enough or not field.axes or not any(result.rate and result.rate.hits for result in results):
            return []
        search = search_of(results, field, confidence=self._confirm.confidence, cell_of=self._cell_of)
        cells = [self._cell_of(field.factors(row)) for row in search.next_rows(MOST_NEXT)]
        return [self._known(cell) for cell in cells if cell is not None]

    def _known(self, cell: Cell) -> Cell:
        if cell.id not in self._cells:
            self._cells[cell.id] = cell
            self._trials[cell.id] = []
        return self._cells[cell.id]


def _slim(trial: Trial) -> Trial:
    """What the search needs of a trial."""
    hang = replace(trial.hang, stacks=(), explanation="", cause_text="") if trial.hang else None
    return replace(trial, hang=hang, findings=None, timeline=trial.timeline if trial.exposure is None else (),
                   rungs=(), versions={})  # fmt: skip
