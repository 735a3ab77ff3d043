"""A run over the cells of a plan: trials run side by side, each is stored as it ends.

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


class Observer(Protocol):
    """Who wants to know how a run goes: the console. Called from the runner's thread alone."""

    def trial_began(self, cell: Cell, number: int) -> None:
        """A trial is under way."""

    def trial_ended(self, cell: Cell, trial: Trial, *, left: int) -> None:
        """A trial has ended; at most ``left`` are still to come."""

    def cell_added(self, cell: Cell) -> None:
        """A cell that the plan did not foresee is tried."""

    def tick(self) -> None:
        """Time has passed."""


class TrialStore(Protocol):
    """Where trials are kept."""

    def add_trial(self, trial: Trial) -> None:
        """Store a trial."""

    def add_cell(self, cell: Cell) -> None:
        """Add a cell that the plan did not foresee."""

    def evidence_folder(self, cell_id: str, number: int) -> Path:
        """Where the evidence of a trial goes."""

    def drop_evidence(self, cell_id: str, number: int) -> None:
        """Forget the evidence of a trial that is kept."""


class Course(Protocol):
    """Which trial comes next, until there is none."""

    def next_trial(self, is_ready: Callable[[Cell], bool]) -> tuple[Cell, int] | None:
        """The next cell to try with the number of its trial, among those that are ready; None where none is."""

    def record(self, trial: Trial) -> None:
        """Take a trial's end."""

    def is_over(self) -> bool:
        """Whether no trial is left to be made, and none runs."""

    def trials_left(self) -> int:
        """At most so many trials are still to be made, those under way included."""


class Engine(Protocol):
    """What runs trials. A trial's future has its ``Trial``, is cancelled, or raises what ends the whole run."""

    @property
    def slots(self) -> int:
        """How many trials it runs at once, as of now."""

    def is_ready(self, cell: Cell) -> bool:
        """Whether a trial of the cell could begin at once."""

    def begin(self, cell: Cell, number: int, folder: Path) -> Future[Trial]:
        """Begin a trial, whose evidence goes to ``folder``."""

    def pause(self, limit_s: float) -> None:
        """Wait this long: nothing is under way, for no cell is ready."""

    def cancel(self) -> None:
        """End the trials under way, soon."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a run is made of, besides its plan and what runs its trials.

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
    while len(under_way) < engine.slots:
        chosen = schedule.next_trial(engine.is_ready)
        if chosen is None:
            return
        cell, number = chosen
        under_way[engine.begin(cell, number, work.store.evidence_folder(cell.id, number))] = cell
        work.observer.trial_began(cell, number)


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
