"""Completes experiments, factors and levels, runs and cells.

Called as click's ``shell_complete``. They must answer at once, so they read names and TOML alone, and they say nothing
where something cannot be read: whoever presses TAB wants no sentence about it.
"""

from __future__ import annotations

import functools
import sqlite3
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from repro.errors import ReproError
from repro.world.runs import RUNS
from repro.world.shipped.names import DEFAULT, DESCRIPTION, SINGLE, experiment_file, list_experiments, root
from repro.world.shipped.truths import experiments_of

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def quiet(found: Callable[[click.Context, str], Iterable[CompletionItem]]) -> Completer:
    """A completer that offers nothing if it cannot read what it needs."""

    @functools.wraps(found)
    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            return list(found(ctx, incomplete))
        except (ReproError, OSError, ValueError, KeyError, TypeError, sqlite3.Error):
            return []

    return complete


def items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """The names that start with what was typed."""
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def one_of(*names: str) -> Completer:
    """A completer for an option with a few usual values."""
    return quiet(lambda _, incomplete: items(names, incomplete))


@quiet
def experiments(_: click.Context, incomplete: str) -> list[CompletionItem]:
    """The experiments by name; if none matches, files."""
    return items(list_experiments(), incomplete) or [CompletionItem(incomplete, type="file")]


@quiet
def packages(_: click.Context, incomplete: str) -> list[CompletionItem]:
    """The packages that hangs of Locust and boto3 come from."""
    from repro.core.experiment.factors.catalogue import WELL_KNOWN

    return items(WELL_KNOWN, incomplete)


@quiet
def runs(_: click.Context, incomplete: str) -> list[CompletionItem]:
    """The runs by name, newest first; if none matches, folders."""
    from repro.world.runs.names import run_names

    return items(run_names(RUNS), incomplete) or [CompletionItem(incomplete, type="dir")]


@quiet
def cells(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """The hung cells of the run that was typed before."""
    from repro.world.runs.names import hung_cells

    name = str(ctx.params["run"])
    folder = RUNS / name if (RUNS / name).is_dir() else Path(name)
    hung = hung_cells(folder).items()
    return [CompletionItem(cell, help=label) for cell, label in hung if cell.startswith(incomplete)]


@quiet
def assignments(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Factors as ``NAME=``; after the sign or a comma, the levels of that factor."""
    name, sign, typed = incomplete.partition("=")
    experiment = _experiment(ctx)
    if not sign:
        return [
            CompletionItem(f"{factor}=", help=text or None)
            for factor, text in _factors(experiment).items()
            if factor.startswith(incomplete)
        ]
    before, comma, last = typed.rpartition(",")
    offered = (level for level in _levels(name, experiment) if level not in before.split(","))
    return [CompletionItem(f"{name}={before}{comma}{level}") for level in offered if level.startswith(last)]


def listed(*names: str) -> Completer:
    """Names separated by commas."""

    @quiet
    def complete(_: click.Context, incomplete: str) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",")
        offered = (name for name in names if name not in before.split(","))
        return [CompletionItem(f"{before}{comma}{name}") for name in offered if name.startswith(last)]

    return complete


# The experiment that is typed


def _experiment(ctx: click.Context) -> Mapping[str, Any]:
    """What its file says; without one the experiment that the command takes then."""
    usual = DEFAULT if ctx.info_name == "run" else SINGLE
    planted = experiments_of(root())
    # Where an option still lacks its value click has not yet told the arguments apart.
    typed = [str(word) for word in (ctx.params.get("experiment"), *ctx.args) if word]
    known = [word for word in typed if word in planted or experiment_file(word).is_file()]
    name = known[-1] if known else usual
    return tomllib.loads(planted[name] if name in planted else experiment_file(name).read_text("utf-8"))


def _own_factors(experiment: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The factors that only its scenario has."""
    path = root() / str(experiment.get("scenario", "")) / DESCRIPTION
    found: Mapping[str, Mapping[str, Any]] = {}
    return tomllib.loads(path.read_text("utf-8")).get("factors", found) if path.is_file() else found


def _factors(experiment: Mapping[str, Any]) -> Mapping[str, str]:
    """What ``--set`` takes, with what each is: what varies here first."""
    from repro.core.experiment.factors.catalogue import COMMON, NO_SETTINGS, WELL_KNOWN
    from repro.model import Limits

    own = {name: str(entry.get("help", "")) for name, entry in _own_factors(experiment).items()}
    known = {factor.name: factor.help for factor in (*NO_SETTINGS.values(), *COMMON)}
    others = dict.fromkeys([*WELL_KNOWN, *experiment.get("packages", ())], "a version of it")
    limits = {f"limits.{field.name}": "" for field in fields(Limits)}
    return {**own, **known, **others, **limits}


def _levels(name: str, experiment: Mapping[str, Any]) -> list[str]:
    """The levels of a factor that are known: those it takes, and those that the experiment has."""
    from repro.core.experiment.factors.level_text import typed

    if name == "stack":
        return [*experiment.get("stacks", ()), "none"]
    tables = (experiment.get(table, {}) for table in ("settings", "packages"))
    named = [table[name] for table in tables if name in table]
    own = [level for levels in named for level in (levels if isinstance(levels, list) else [levels])]
    stacks = [stack[name] for stack in experiment.get("stacks", {}).values() if name in stack]
    return list(dict.fromkeys(typed(level) for level in (*_accepted(name, experiment), *own, *stacks)))


def _accepted(name: str, experiment: Mapping[str, Any]) -> Iterable[Any]:
    from repro.core.experiment.factors.catalogue import COMMON
    from repro.core.experiment.factors.factor import LevelType
    from repro.core.experiment.factors.faults import KINDS

    if name == "fault":
        return KINDS
    if own := _own_factors(experiment).get(name):
        return list(own.get("values", [own["default"]]))
    factor = COMMON.by_name.get(name)
    if factor is None:
        return ()
    return (False, True) if factor.kind is LevelType.SWITCH else factor.values or (factor.default,)
