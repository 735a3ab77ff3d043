"""A run over the cells of a plan: environments are built ahead, trials run side by side, each is stored as it ends.

The runner's own thread plans; a pool of workers runs trials. An interruption lets the trials under way keep what they
have, ends their processes, and leaves a run that ``--resume`` continues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from repro.core.matrix.effort import is_kept_whole, thinned
from repro.core.matrix.schedule import Schedule
from repro.errors import ReproError, UntestableError
from repro.model import Cell, Effort, Environment, Plan, Trial, Verdict
from repro.orchestration.trial.trial import TrialServices, run_trial, untestable

POLL_S = 0.1


class Observer(Protocol):
    """Who wants to know how a run goes: the console. Called from the runner's thread alone."""

    def trial_began(self, cell: Cell, number: int) -> None:
        """A trial is under way."""

    def trial_ended(self, cell: Cell, trial: Trial, *, left: int) -> None:
        """A trial has ended; at most ``left`` are still to come."""

    def tick(self) -> None:
        """Time has passed."""


class TrialStore(Protocol):
    """Where trials are kept."""

    def add_trial(self, trial: Trial) -> None:
        """Store a trial."""

    def evidence_folder(self, cell_id: str, number: int) -> Path:
        """Where the evidence of a trial goes."""

    def drop_evidence(self, cell_id: str, number: int) -> None:
        """Forget the evidence of a trial that is kept."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a run is made of, besides its plan; ``share`` are the trials that are this machine's, None for all."""

    services: TrialServices
    store: TrialStore
    environment_of: Callable[[Cell], Future[Environment]]
    observer: Observer
    jobs: int
    finished: tuple[Trial, ...] = ()
    share: Mapping[str, Sequence[int]] | None = None


def run_cells(plan: Plan, work: Work) -> None:
    """Run the trials of ``plan`` until every cell is settled.

    Raises:
        KeyboardInterrupt: passed on, after the trials under way have ended and are stored.
    """
    schedule = Schedule(
        plan.cells,
        trials=plan.trials,
        seed=work.services.options.seed,
        effort=plan.effort,
        finished=work.finished,
        share=work.share,
    )
    with ThreadPoolExecutor(max_workers=work.jobs, thread_name_prefix="trial") as pool:
        under_way: dict[Future[Trial], Cell] = {}
        try:
            while not schedule.is_over():
                _begin_trials(schedule, pool, under_way, work)
                done, _ = wait(under_way, timeout=POLL_S, return_when=FIRST_COMPLETED)
                _end_trials(done, under_way, schedule, work, plan.effort)
                work.observer.tick()
                if not under_way:
                    work.services.cancelled.wait(POLL_S)  # every open cell waits for its environment
        except BaseException:
            work.services.cancelled.set()
            _end_trials(wait(under_way).done, under_way, schedule, work, plan.effort)
            raise


def _begin_trials(
    schedule: Schedule, pool: ThreadPoolExecutor, under_way: dict[Future[Trial], Cell], work: Work
) -> None:
    while len(under_way) < work.jobs:
        chosen = schedule.next_trial(lambda cell: work.environment_of(cell).done())
        if chosen is None:
            return
        cell, number = chosen
        under_way[pool.submit(_attempt, cell, number, work)] = cell
        work.observer.trial_began(cell, number)


def _attempt(cell: Cell, number: int, work: Work) -> Trial:
    try:
        environment = work.environment_of(cell).result()
    except UntestableError as error:
        return untestable(cell, number=number, reason=str(error), services=work.services)
    except ReproError as error:
        return _failed(cell, number, error, work)
    return run_trial(
        cell, environment, number=number, folder=work.store.evidence_folder(cell.id, number), services=work.services
    )


def _failed(cell: Cell, number: int, error: ReproError, work: Work) -> Trial:
    return replace(untestable(cell, number=number, reason=str(error), services=work.services), verdict=Verdict.ERROR)


def _end_trials(
    done: set[Future[Trial]], under_way: dict[Future[Trial], Cell], schedule: Schedule, work: Work, effort: Effort
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
