"""``repro list``: lists scenarios, experiments, factors, faults, causes and runs; prints the experiment schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from repro.cli.options.shared import Command
from repro.world.runs import RUNS

EPILOG = """\b
Examples:
  repro list                      the experiments that can be run
  repro list factors              what --set takes
  repro list faults               what --set fault= takes
  repro list causes               the hangs that are recognised, with fixes
  repro list runs --json
  repro list schema > experiment.schema.json         for an editor"""

SCHEMA = "schema"
WHAT = ("scenarios", "experiments", "factors", "faults", "causes", "runs", SCHEMA)
Row = dict[str, Any]

PROBLEM = "problem"
"""Why a run cannot be read: told below the table."""
WIDE = 160
BESIDE = ("packages", "shown_by", "started")
"""Columns for which a narrow terminal has no room: ``repro doctor``, a run's name and ``--json`` have the same."""
NAMES = {"run", "scenario", "factor", "fault", "cause"}
MOST_UNBROKEN = 10
"""Characters of a column whose cells are never broken, even where there are too many columns."""


@click.command("list", cls=Command, epilog=EPILOG)
@click.argument("what", type=click.Choice(WHAT), default="experiments")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array on standard output.")
def command(what: str, *, as_json: bool) -> None:
    """List experiments (the default), scenarios, factors, faults, causes or runs; or print the experiment schema."""
    if what == SCHEMA:
        click.echo(_schema())
        return
    makers = {
        "scenarios": _scenarios,
        "experiments": _experiments,
        "factors": _factors,
        "faults": _faults,
        "causes": _causes,
        "runs": _runs,
    }
    rows = makers[what]()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    elif rows:
        _print(rows)
    else:
        click.echo(f"No {what} here yet; `repro run` makes the first.", err=True)


def _schema() -> str:
    """The JSON Schema of an experiment file."""
    from repro.presentation.experiment_schema import experiment_schema
    from repro.world.shipped.names import list_scenarios
    from repro.world.shipped.scenarios import named

    return json.dumps(experiment_schema([named(name, where="list").info for name in list_scenarios()]), indent=1)


def _scenarios() -> list[Row]:
    from repro.world.shipped.names import list_scenarios
    from repro.world.shipped.scenarios import named

    found = [named(name, where="list") for name in list_scenarios()]
    return [{"scenario": one.info.name, "summary": one.info.summary} for one in found]


def _experiments() -> list[Row]:
    from repro.orchestration.preparation import RunRequest, prepare
    from repro.world.shipped.names import list_experiments

    found = [(name, prepare(RunRequest(experiment=name))) for name in list_experiments()]
    return [
        {
            "experiment": name,
            "cells": len(prepared.plan.cells),
            "trials": prepared.plan.trials,
            "summary": prepared.summary,
        }
        for name, prepared in found
    ]


def _factors() -> list[Row]:
    from repro.core.experiment.factors.catalogue import COMMON, DISTRIBUTION, NO_SETTINGS, VARIABLE
    from repro.core.experiment.factors.level_text import typed

    return [
        {
            "factor": one.name,
            "default": typed(one.default),
            "takes": one.accepted.removeprefix("it takes ").removeprefix("choose "),
            "help": one.help,
        }
        for one in (*COMMON, *NO_SETTINGS.values(), VARIABLE, DISTRIBUTION)
    ]


def _faults() -> list[Row]:
    from repro.core.experiment.factors.faults import KINDS

    return [
        {
            "fault": kind.name,
            "parameters": ", ".join(f"{name}={value}" for name, value in kind.parameters.items()),
            "help": kind.help,
        }
        for kind in KINDS.values()
    ]


def _causes() -> list[Row]:
    from repro.world.shipped.causes import known_causes

    return [
        {
            "cause": cause.id,
            "class": ", ".join(cause.classes),
            "packages": ", ".join(f"{name}{concerned}" for name, concerned in cause.packages.items()),
            "fix": " or ".join(cause.cures),
            "shown_by": f"repro run {cause.shown_by}",
            "summary": cause.summary,
        }
        for cause in known_causes()
    ]


def _runs() -> list[Row]:
    from repro.world.runs.store import list_runs

    return [
        {
            "run": str(run.folder),
            "experiment": run.experiment,
            "started": run.started.isoformat(timespec="seconds"),
            "cells": run.cells,
            "trials": run.trials,
            "hangs": run.hangs,
            "finished": run.is_finished,
            "problem": run.problem,
        }
        for run in list_runs(RUNS)
    ]


def _print(rows: Sequence[Row]) -> None:
    from rich.table import Table
    from rich.text import Text

    from repro.core.scrubbing.terminal import for_terminal
    from repro.presentation.console import make_console

    console = make_console(to_stderr=False)
    hidden = {PROBLEM, *(BESIDE if console.width < WIDE else ())}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in [name for name in rows[0] if name not in hidden]:
        is_prose = max(len(_text(row[name])) for row in rows) > MOST_UNBROKEN
        table.add_column(name, overflow="fold", no_wrap=not is_prose or name in NAMES)
    for row in rows:
        table.add_row(*(Text(for_terminal(_shown(name, value))) for name, value in row.items() if name not in hidden))
    console.print(table)
    for row in rows:
        if row.get(PROBLEM):  # a sentence, for which a table beside seven columns has no room
            click.echo(for_terminal(f"{row['run']}: {row[PROBLEM]}"))


def _shown(name: str, value: object) -> str:
    """The value in the table, where a run has its name alone: every command that takes a run takes that."""
    return str(value).removeprefix(f"{RUNS}/") if name == "run" else _text(value)


def _text(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
