"""Runs the cells of a plan as the options say, and shows the progress."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from repro.cli.options.cluster import session_on
from repro.cli.options.resumption import command_in
from repro.cli.options.shared import (
    SharedOptions,
    assignments_of,
    backend_options,
    default_jobs,
    note,
    overrides_beside,
    reproduce,
)
from repro.core.intervals import CONFIDENCE
from repro.errors import UsageError
from repro.model import Cell, Shard, TrialOptions

if TYPE_CHECKING:
    from repro.core.matrix.shards import Share
    from repro.model import Plan
    from repro.orchestration.preparation import Prepared
    from repro.orchestration.workers.address import ClusterAddress
    from repro.presentation.live.run import Progress
    from repro.world.runs.store import RunStore


@dataclass(frozen=True, kw_only=True)
class RunOptions(SharedOptions):
    """The options of ``repro run``, as click passes them."""

    trials: int | None
    until: str
    soak: float | None
    rule_out: float | None
    replay: int | None
    jobs: int | None
    shard: Shard | None
    dask: ClusterAddress | None
    resume: bool
    wait_out: float
    fail_on: str | None
    cover: int | None = None
    confirm: int | None = None
    confidence: float = CONFIDENCE
    cause: tuple[str, ...] = ()
    against: str | None = None


def run_cells(
    options: RunOptions,
    prepared: Prepared,
    store: RunStore,
    console: Any,
    *,
    request_budget: int,
    share: Share | None = None,
) -> None:
    """Run the prepared cells with everything that their trials need, and write the results to ``store``."""
    from repro.core.faulty.conclusion import concluded
    from repro.core.matrix.capacity import at_capacity
    from repro.orchestration.runner import Work
    from repro.orchestration.session import SessionOptions
    from repro.presentation.live.run import Progress

    jobs = jobs_of(options) if options.dask is None else max(1, options.dask.local)
    finished = store.finished_trials()
    capacities: dict[str, float] = {}
    unknown = 0.0 if options.dask is None else math.inf
    with Progress(prepared.plan, console, jobs=jobs) as progress:
        for trial in finished:
            progress.already(trial)
        trials_alike = TrialOptions(
            locustfile=prepared.scenario.locustfile,
            seed=options.seed if options.replay is None else options.replay,
            is_replay=options.replay is not None,
            is_untouched=options.python is not None,
            command=command_in(store, prepared),
            wait_out_s=options.wait_out,
            request_budget=request_budget,
            provision=prepared.provision,
        )
        session_options = SessionOptions(
            trials_alike,
            jobs=jobs,
            backend=backend_options(endpoint_url=options.endpoint_url, region=options.region, profile=options.profile),
            reproduce=lambda cell: command_of(cell, options, varied=prepared.plan.varied),
            on_build=progress.building,
            on_moved=progress.moved,
            on_built=progress.under_way.on_built,
            on_status=progress.under_way.on_status,
            on_capacity=lambda name, carries: _note_capacity(progress, capacities, store, (name, carries)),
        )
        work = Work(
            store=store,
            observer=progress,
            seed=trials_alike.seed,
            finished=finished,
            share=share,
            cell_of=prepared.cell_of,
        )
        try:
            with session_on(prepared.plan, session_options, options.dask, on_note=progress.workers) as session:
                jobs = session.slots
                if options.dask is not None:
                    progress.runs_on([machine.host for machine in session.machines], jobs=jobs)
                store.keep_machines(session.machines)
                if prepared.plan.effort.is_open_ended and not finished:
                    _say_forecast(
                        prepared.plan, progress, carries_s=min(capacities.values(), default=unknown), jobs=jobs
                    )
                try:
                    session.run(work)
                finally:
                    store.keep_machines(session.machines)
        finally:
            cells = store.read().cells
            store.set_conclusion(concluded(cells, prepared.plan, cell_of=prepared.cell_of))
    note(at_capacity(cells, capacities, jobs=jobs))


def _say_forecast(plan: Plan, progress: Progress, *, carries_s: float, jobs: int) -> None:
    from repro.core.matrix.effort import forecast
    from repro.presentation.effort import forecast_text

    found = forecast(plan.cells, plan.effort, trials=plan.trials, jobs=jobs, carries_s=carries_s)
    progress.will_take(forecast_text(plan, found), trials=found.trials)


def jobs_of(options: RunOptions) -> int:
    """Trials at once: a server with a fixed port runs alone."""
    is_alone = options.serve is not None and "{port}" not in options.serve
    if is_alone and (options.jobs or 1) > 1:
        raise UsageError("--jobs with --serve needs a port for each trial; write {port} in --serve and --serve-url")
    return 1 if is_alone else options.jobs or default_jobs()


def _note_capacity(
    progress: Progress, capacities: dict[str, float], store: RunStore, carries: tuple[str, float]
) -> None:
    backend, operations_s = carries
    capacities[backend] = operations_s
    if math.isfinite(operations_s):
        store.keep_capacity(backend, round(operations_s, 1))
    progress.carries(backend, operations_s)


def command_of(cell: Cell, options: RunOptions, *, varied: Collection[str]) -> str:
    """The command that runs only this cell again: what was typed, with the cell's level of each varied factor.

    All else comes from the experiment again, and would only make the command longer.
    """
    own = {name: assignment for name, assignment in assignments_of(cell).items() if name in varied}
    kept = overrides_beside(own, options.overrides)
    others = {
        "--locustfile": options.locustfile,
        "--python": options.python,
        "--backend": None if "backend" in own else options.backend,
        "--endpoint-url": options.endpoint_url,
        "--region": options.region,
        "--profile": options.profile,
    }
    given = [word for option, value in others.items() if value is not None for word in (option, str(value))]
    return reproduce([*kept, *own.values()], experiment=options.experiment, others=given, again=options.again)
