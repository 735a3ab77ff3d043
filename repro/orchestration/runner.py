"""Runs the cells of a plan: several trials at once, each stored as it ends.

The runner's own thread plans; an engine runs the trials, in threads here or on other machines. An interruption lets the
trials under way keep what they have, ends their processes, and leaves a run that ``--resume`` continues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from repro.core.faulty.conclusion import CellOf
from repro.core.faulty.schedule import ConfirmingSchedule
from repro.core.matrix.effort import is_kept_whole, thinned
from repro.core.matrix.schedule import Schedule
from repro.model import Cell, Effort, Plan, Trial

POLL_S = 0.1
ROUNDS_TO_THE_END = 4


class Observer(Protocol):
    """Receives the progress of a run, for the console. Called only from the runner's thread."""

    def trial_began(self, cell: Cell, number: int) -> None:
        """A trial has started."""

    def trial_ended(self, cell: Cell, trial: Trial, *, left: int) -> None:
        """A trial has ended; at most ``left`` more will run."""

    def cell_added(self, cell: Cell) -> None:
        """A cell that was not in the plan will be tried."""

    def tick(self) -> None:
        """Time has passed."""


class TrialStore(Protocol):
    """Stores trials."""

    def add_trial(self, trial: Trial) -> None:
        """Store a trial."""

    def add_cell(self, cell: Cell) -> None:
        """Add a cell that is not in the plan."""

    def evidence_folder(self, cell_id: str, number: int) -> Path:
        """The folder for a trial's evidence."""

    def drop_evidence(self, cell_id: str, number: int) -> None:
        """Delete a trial's evidence, but not the trial."""


class Course(Protocol):
    """Decides which trial comes next."""

    def next_trial(self, is_ready: Callable[[Cell], bool]) -> tuple[Cell, int] | None:
        """The next cell among those that are ready, and the number of its trial; None if there is none."""

    def record(self, trial: Trial) -> None:
        """Record a trial that has ended."""

    def is_over(self) -> bool:
        """Whether no trial is left to run, and none is running."""

    def trials_left(self) -> int:
        """The most trials that can still run, including those under way."""


class Engine(Protocol):
    """What runs trials. A trial's future has its ``Trial``, is cancelled, or raises what ends the whole run."""

    @property
    def slots(self) -> int:
        """How many trials it can run at once now."""

    @property
    def ahead(self) -> int:
        """How many more may be begun, which wait for a slot; a result may take a while to come back."""

    def is_ready(self, cell: Cell) -> bool:
        """Whether a trial of the cell could start immediately."""

    def begin(self, cell: Cell, number: int, folder: Path) -> Future[Trial]:
        """Start a trial that writes its evidence to ``folder``."""

    def pause(self, limit_s: float) -> None:
        """Wait this long because no trial is running and no cell is ready."""

    def cancel(self) -> None:
        """Stop the trials under way; returns before they have ended."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a run needs besides its plan and what runs its trials.

    ``seed`` decides their order. ``share`` are the trials that are this machine's, None for all. ``cell_of`` makes the
    cells that a plan adds where it seeks the combination that hangs.
    """

    store: TrialStore
    observer: Observer
    seed: int
    finished: tuple[Trial, ...] = ()
    share: Mapping[str, Sequence[int]] | None = None
    cell_of: CellOf | None = None


def run_cells(plan: Plan, work: Work, engine: Engine) -> None:
    """Run the trials of ``plan`` on an engine until every cell is settled.

    Raises:
        KeyboardInterrupt: passed on, after the trials under way have ended and are stored.
        ReproError: the engine cannot go on; what has ended is stored.
    """
    first = Schedule(
        plan.cells,
        trials=plan.trials,
        seed=work.seed,
        effort=plan.effort,
        finished=work.finished,
        share=work.share,
    )
    schedule: Course = first
    if plan.confirm and work.cell_of and work.share is None:
        schedule = ConfirmingSchedule(
            first, plan, cell_of=work.cell_of, on_cell=lambda cell: _add(cell, work), finished=work.finished
        )
    under_way: dict[Future[Trial], Cell] = {}
    try:
        while not schedule.is_over():
            _begin_trials(schedule, under_way, work, engine)
            done, _ = wait(under_way, timeout=POLL_S, return_when=FIRST_COMPLETED)
            _end_trials(done, under_way, schedule, work, plan.effort)
            work.observer.tick()
            if not under_way:
                engine.pause(POLL_S)
    except BaseException:
        engine.cancel()
        ended = {future for future in wait(under_way).done if _has_trial(future)}
        _end_trials(ended, under_way, schedule, work, plan.effort)
        raise


def _add(cell: Cell, work: Work) -> None:
    work.store.add_cell(cell)
    work.observer.cell_added(cell)


def _begin_trials(schedule: Course, under_way: dict[Future[Trial], Cell], work: Work, engine: Engine) -> None:
    while len(under_way) < _most_under_way(schedule, engine):
        chosen = schedule.next_trial(engine.is_ready)
        if chosen is None:
            return
        cell, number = chosen
        under_way[engine.begin(cell, number, work.store.evidence_folder(cell.id, number))] = cell
        work.observer.trial_began(cell, number)


def _most_under_way(schedule: Course, engine: Engine) -> int:
    """Near the end none is begun ahead: each result may decide what is tried, and a slow worker must not keep one."""
    slots = engine.slots
    is_far = engine.ahead and schedule.trials_left() > ROUNDS_TO_THE_END * slots
    return slots + engine.ahead if is_far else slots


def _has_trial(future: Future[Trial]) -> bool:
    return not future.cancelled() and future.exception() is None


def _end_trials(
    done: set[Future[Trial]], under_way: dict[Future[Trial], Cell], schedule: Course, work: Work, effort: Effort
) -> None:
    for future in done:
        cell = under_way.pop(future)
        trial = future.result()
        _keep(trial, effort, work.store)
        schedule.record(trial)
        work.observer.trial_ended(cell, trial, left=schedule.trials_left())


def _keep(trial: Trial, effort: Effort, store: TrialStore) -> None:
    if is_kept_whole(trial, effort):
        store.add_trial(trial)
        return
    store.add_trial(thinned(trial))
    store.drop_evidence(trial.cell_id, trial.number)
