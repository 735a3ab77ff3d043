"""``repro run causes``: runs the experiment of each known cause, and shows its hang beside its fix."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro.cli.options.cells import RunOptions, run_cells
from repro.cli.options.resumption import new_run, resumed_run
from repro.cli.options.shared import RESUMABLE, new_folder
from repro.errors import ExitCode, ReproError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from repro.core.causes.known_causes import Cause
    from repro.model import CellResult, StoredRun
    from repro.orchestration.atlas import CauseCells
    from repro.presentation.causes import CauseRun
    from repro.world.runs.store import RunStore

CAUSES = "causes"
"""What stands in the place of an experiment."""
NEWEST = "newest"
LEFT_OUT = {
    "overrides": "--set",
    "locustfile": "--locustfile",
    "python": "--python",
    "backend": "--backend",
    "endpoint_url": "--endpoint-url",
    "region": "--region",
    "profile": "--profile",
    "max_requests": "--max-requests",
    "soak": "--soak",
    "rule_out": "--rule-out",
    "replay": "--replay",
    "shard": "--shard",
    "dask": "--dask",
    "fail_on": "--fail-on",
    "queues": "--queue",
    "buckets": "--bucket",
    "tables": "--table",
    "before": "--before",
    "serve": "--serve",
    "redirects": "--redirect",
    "words": "-- COMMAND",
}
"""Options that the causes' files decide, or that are of a single run, by the record's fields."""


def run_causes(options: RunOptions) -> ExitCode:
    """Run all of them, print what each showed, and finish with what changed."""
    from repro.core.causes.showing import exit_code
    from repro.presentation.causes import document, text
    from repro.presentation.console import make_console

    chosen = _chosen(options.cause)
    console = make_console(to_stderr=options.as_json)
    folder = _folder(options)
    is_against_newest = options.against == NEWEST
    runs = [_run(cause, options, folder / cause.id, console) for cause in chosen]
    click.echo(text(runs), err=options.as_json)
    if options.as_json:
        click.echo(json.dumps(document(runs, is_against_newest=is_against_newest), indent=1))
    return exit_code([run.showing for run in runs])


def _folder(options: RunOptions) -> Path:
    """Where each cause has its run: a new folder, or the one that is gone on with.

    Raises:
        UsageError: it cannot be used.
    """
    if not options.resume:
        return new_folder(options.out, CAUSES, busy=RESUMABLE)
    if options.out is None or not options.out.is_dir():
        raise UsageError(f"--resume: give --out and the folder of the `repro run {CAUSES}` that is to be continued")
    return options.out


def check_of_causes(options: RunOptions) -> None:
    """Refuse options for causes with another experiment, and the other way round.

    Raises:
        UsageError: names the option.
    """
    if options.experiment != CAUSES:
        own = {"--cause": options.cause, "--against": options.against}
        if given := next((name for name, value in own.items() if value), ""):
            raise UsageError(f"{given} goes with `repro run {CAUSES}`; leave it out")
        return
    if given := next((option for name, option in LEFT_OUT.items() if getattr(options, name)), ""):
        raise UsageError(f"{given} does not go with `repro run {CAUSES}`; run the experiment of one cause instead")


def _chosen(names: Sequence[str]) -> list[Cause]:
    """The causes of these ids, all where none is given.

    Raises:
        UsageError: there is none of that id.
    """
    from repro.world.shipped.causes import known_causes

    causes = {cause.id: cause for cause in known_causes()}
    for name in names:
        if name not in causes:
            raise UsageError(f"--cause {name}: unknown cause; `repro list causes` shows all")
    return [causes[name] for name in names] or list(causes.values())


def _run(cause: Cause, options: RunOptions, folder: Path, console: Console) -> CauseRun:
    from repro.core.causes.showing import Showing, shown
    from repro.orchestration.atlas import cells_of
    from repro.presentation.causes import CauseRun, line

    found = cells_of(cause, against_newest=options.against == NEWEST, trials=options.trials, backends=options.backends)
    try:
        results = _results(found, options, folder, console)
        showing = Showing(cause, tuple(shown(cause, found.roles[one.cell.id], one) for one in results))
    except ReproError as error:  # the other causes can still be shown
        showing = Showing(cause, (), error=str(error))
    console.print(line(showing), highlight=False, markup=False, soft_wrap=True)
    return CauseRun(showing, folder)


def _results(found: CauseCells, options: RunOptions, folder: Path, console: Console) -> Sequence[CellResult]:
    """What the cells came to; their run is kept in its own folder, which `repro report` reads."""
    own = replace(options, experiment=found.cause.shown_by, out=folder)
    store = _store(own, found, folder)
    try:
        run_cells(own, found.prepared, store, console, request_budget=0)
        store.finish()
    finally:
        run = store.read()
        store.close()
    return run.cells


def _store(options: RunOptions, found: CauseCells, folder: Path) -> RunStore:
    """The store of one cause's run: of one that has begun where it is continued, else a new one."""

    def check(stored: StoredRun) -> None:
        if {cell.id for cell in stored.plan.cells} != {cell.id for cell in found.prepared.plan.cells}:
            raise UsageError(
                f"--resume: the run in {stored.folder} has other cells; give the same --against, or another folder"
            )

    if options.resume and folder.is_dir():
        return resumed_run(folder, found.prepared, check=check)
    return new_run(options, found.prepared, name=found.cause.id)
