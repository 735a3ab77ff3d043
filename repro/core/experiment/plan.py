"""An experiment made into cells: the product of the levels, without what is excluded, each with its environment."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repro.core.experiment.catalogue import (
    AS_OF,
    ENV,
    PYTHON,
    STACK,
    WELL_KNOWN,
    Factor,
    defaults,
    is_package,
    settings_of,
)
from repro.core.experiment.file import Experiment, ScenarioInfo, without
from repro.core.experiment.level_text import shown
from repro.errors import ExperimentError
from repro.model import Cell, EnvironmentSpec, Level, Plan

ID_DIGITS = 12
MOST_CELLS = 100_000


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan and what must be said about it."""

    plan: Plan
    notices: tuple[str, ...] = ()


def make_plan(experiment: Experiment, scenario: ScenarioInfo, *, interpreter: Path | None = None) -> Planned:
    """The cells of an experiment, in the order of its levels.

    With ``interpreter``, an environment that exists is run untouched: what the experiment says of packages, days and
    interpreters is left out, with a notice.

    Raises:
        ExperimentError: too many cells, none at all, or packages set for an environment that is to stay as it is.
    """
    experiment, notices = (experiment, ()) if interpreter is None else _untouched(experiment, scenario)
    _check_size(experiment)
    settings = settings_of(scenario.own)
    usual = defaults(settings.values())
    cells: dict[str, Cell] = {}
    specs: dict[str, EnvironmentSpec] = {}
    varied = tuple(name for name, levels in experiment.factors.items() if len(levels) > 1)
    # What was asked for on the command line, every factor of it, is run: the file's rules spare its own matrix alone.
    rules = [rule for rule in experiment.exclusions if not set(rule) <= experiment.explicit]
    for levels in _combinations(experiment):
        resolved = {**usual, **_bundle_of(experiment, levels), **levels}
        if any(_holds(rule, resolved) for rule in rules):
            continue
        free = _free(resolved, scenario)
        key = _id(scenario.name, resolved, usual, free)
        if key not in cells:
            cells[key] = _cell(key, resolved, _label(levels, varied, usual), scenario, specs, interpreter)
    if not cells:
        raise ExperimentError(
            f"{experiment.name}: the [[exclude]] rules leave no cell; remove one, or give all factors of it by --set: what "
            "was asked for in full is run"
        )
    return Planned(
        plan=Plan(
            experiment=experiment.name,
            scenario=scenario.name,
            cells=tuple(cells.values()),
            varied=varied,
            trials=experiment.trials,
            limits=experiment.limits,
        ),
        notices=notices,
    )


def _untouched(experiment: Experiment, scenario: ScenarioInfo) -> tuple[Experiment, tuple[str, ...]]:
    settings = settings_of(scenario.own)
    gone = {name for name in experiment.factors if _is_built(name, settings)}
    if asked := gone & experiment.explicit:
        raise ExperimentError(f"--set {min(asked)}=…: --python runs an environment as it is; leave one of the two out")
    bundled = {name for bundle in experiment.stacks.values() for name in bundle if _is_built(name, settings)}
    kept = without(experiment, gone | bundled)
    if not any(kept.stacks.values()):
        gone |= {STACK} & set(experiment.factors)
        kept = replace(without(kept, {STACK}), stacks={})
    left_out = sorted(gone) + sorted(bundled - gone if kept.stacks else ())
    notice = f"--python: the environment stays as it is, so these factors of the experiment are left out: {', '.join(left_out)}"
    return kept, (notice,) if left_out else ()


def _is_built(name: str, settings: Mapping[str, Factor]) -> bool:
    """Whether a factor is of the environment, which an interpreter that is given brings ready."""
    return is_package(name, settings) or name in {PYTHON, AS_OF}


def _check_size(experiment: Experiment) -> None:
    count = 1
    for levels in experiment.factors.values():
        count *= len(levels)
    if count > MOST_CELLS:
        raise ExperimentError(f"{experiment.name}: {count} cells; give fewer levels, {MOST_CELLS} are the most")


def _combinations(experiment: Experiment) -> Iterator[dict[str, Level]]:
    names = tuple(experiment.factors)
    for values in itertools.product(*experiment.factors.values()):
        yield dict(zip(names, values, strict=True))


def _holds(rule: Mapping[str, Level], resolved: Mapping[str, Level]) -> bool:
    return all(resolved.get(name) == value for name, value in rule.items())


def _bundle_of(experiment: Experiment, levels: Mapping[str, Level]) -> Mapping[str, Level]:
    return experiment.stacks.get(str(levels.get(STACK, "")), {})


def _free(resolved: Mapping[str, Level], scenario: ScenarioInfo) -> tuple[str, ...]:
    """The packages that are asked for in whatever release is the newest, and that do not come in by themselves."""
    settings = settings_of(scenario.own)
    brought = {*WELL_KNOWN, *(canonicalize_name(Requirement(one).name) for one in scenario.requires)}
    return tuple(
        name for name, value in resolved.items() if value == "" and is_package(name, settings) and name not in brought
    )


def _id(scenario: str, resolved: Mapping[str, Level], usual: Mapping[str, Level], free: Collection[str]) -> str:
    """By what differs from the defaults: a setting that is added to the table later leaves all ids as they are."""
    own = {
        name: value
        for name, value in resolved.items()
        if usual.get(name) != value and (value != "" or name in free) and name != STACK
    }
    text = json.dumps([scenario, own], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def _label(levels: Mapping[str, Level], varied: tuple[str, ...], usual: Mapping[str, Level]) -> str:
    names = varied or tuple(name for name, value in levels.items() if usual.get(name) != value)
    return " ".join(f"{name}={shown(levels[name])}" for name in names) or "all defaults"


def _cell(
    key: str,
    resolved: Mapping[str, Level],
    label: str,
    scenario: ScenarioInfo,
    specs: dict[str, EnvironmentSpec],
    interpreter: Path | None,
) -> Cell:
    settings = settings_of(scenario.own)
    pins = {name: str(value) for name, value in resolved.items() if is_package(name, settings) and value != ""}
    day = str(resolved.get(AS_OF, ""))
    spec = EnvironmentSpec(
        python=str(resolved.get(PYTHON, "")),
        pins=pins,
        requires=(*scenario.requires, *_free(resolved, scenario)),
        as_of=date.fromisoformat(day) if day else None,
        interpreter=interpreter,
    )
    return Cell(
        id=key,
        label=label,
        scenario=scenario.name,
        factors=dict(resolved),
        settings={name: value for name, value in resolved.items() if name in settings},
        environ={name.removeprefix(ENV): str(value) for name, value in resolved.items() if name.startswith(ENV)},
        environment=specs.setdefault(repr(spec), spec),
    )
