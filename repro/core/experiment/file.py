"""The experiment file: TOML, read with pydantic, every error naming file, key and accepted values."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from repro.core.experiment.catalogue import (
    AS_OF,
    ENV,
    PYTHON,
    STACK,
    Factor,
    LevelType,
    accepted,
    canonical,
    is_package,
    level,
    settings_of,
)
from repro.errors import ExperimentError
from repro.model import Level, Limits

MOST_TRIALS = 10_000
NO_STACK = "none"
"""The level after ``--set stack=`` that takes the factor out: no bundle, all packages as they are set, else the newest."""
_LIMITS = "limits."
_TYPES = {LevelType.COUNT: (int, float), LevelType.NUMBER: (int, float), LevelType.SWITCH: (bool,)}


@dataclass(frozen=True, kw_only=True)
class ScenarioInfo:
    """What an experiment must know of its scenario: its name, what it requires, its own factors."""

    name: str
    requires: tuple[str, ...] = ("locust", "boto3", "setuptools<80")
    own: Mapping[str, Factor] = field(default_factory=dict)
    summary: str = ""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """An experiment: factors in the file's order with their levels, bundles, exclusions, limits.

    ``explicit`` names the factors that the command line set: they win over what a stack says.
    """

    name: str
    summary: str
    trials: int
    factors: Mapping[str, tuple[Level, ...]]
    stacks: Mapping[str, Mapping[str, Level]]
    exclusions: tuple[Mapping[str, Level], ...]
    limits: Limits
    explicit: frozenset[str] = frozenset()


class _LimitsFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    stall_after_s: float = Field(default=Limits.stall_after_s, gt=0)
    stop_grace_s: float = Field(default=Limits.stop_grace_s, gt=0)
    start_s: float = Field(default=Limits.start_s, gt=0)
    failing_share: float = Field(default=Limits.failing_share, gt=0, le=1)
    beat_s: float = Field(default=Limits.beat_s, gt=0)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    scenario: str
    summary: str = ""
    trials: int = Field(default=3, ge=1, le=MOST_TRIALS)
    packages: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    stacks: dict[str, dict[str, Any]] = {}
    env: dict[str, Any] = {}
    limits: _LimitsFile = _LimitsFile()
    exclude: list[dict[str, Any]] = []


def scenario_of(text: str, *, source: str) -> str:
    """The scenario that an experiment file names; the file is checked whole only by ``parse``."""
    return _read(text, source).scenario


def parse(text: str, scenario: ScenarioInfo, *, source: str, name: str) -> Experiment:
    """The experiment in ``text``; ``source`` is the file that errors name.

    Raises:
        ExperimentError: names file, key and accepted values.
    """
    file = _read(text, source)
    settings = settings_of(scenario.own)
    factors: dict[str, tuple[Level, ...]] = {}
    if file.stacks:
        factors[STACK] = tuple(file.stacks)
    for section, entries in (("packages", file.packages), ("settings", file.settings), ("env", file.env)):
        for key, value in entries.items():
            where = f"{source}: [{section}] {key}"
            factor = _named(section, key, settings, where)
            _check_is_typed(factor, value, settings, where)
            factors[factor] = _levels(factor, value, settings, where)
    stacks = {name: _bundle(bundle, settings, f"{source}: [stacks] {name}") for name, bundle in file.stacks.items()}
    return Experiment(
        name=name,
        summary=file.summary,
        trials=file.trials,
        factors=factors,
        stacks=stacks,
        exclusions=tuple(_bundle(rule, settings, f"{source}: [[exclude]]") for rule in file.exclude),
        limits=Limits(**file.limits.model_dump()),
    )


def override(experiment: Experiment, assignments: Sequence[str], scenario: ScenarioInfo) -> Experiment:
    """The experiment with ``--set NAME=L1,L2`` applied, in order; also ``limits.NAME=SECONDS``.

    Raises:
        ExperimentError: an assignment cannot be used.
    """
    settings = settings_of(scenario.own)
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        where = f"--set {assignment}"
        if not sign or not name.strip():
            raise ExperimentError(f"{where}: write NAME=LEVEL, or NAME=LEVEL,LEVEL for several")
        if name.startswith(_LIMITS):
            experiment = _with_limit(experiment, name.removeprefix(_LIMITS), value, where)
            continue
        factor = canonical(name.strip(), settings, where=where)
        levels = _levels(factor, value.split(","), settings, where)
        if factor == STACK and levels == (NO_STACK,):
            experiment = without(experiment, {STACK})
            continue
        if factor == STACK and (unknown := [one for one in levels if one not in experiment.stacks]):
            known = ", ".join(experiment.stacks)
            has = f"it has {known}, and {NO_STACK} leaves them out" if known else "this experiment has no [stacks]"
            raise ExperimentError(f"{where}: there is no stack {unknown[0]!r}; {has}")
        experiment = replace(
            experiment,
            factors={**experiment.factors, factor: levels},
            explicit=experiment.explicit | {factor},
        )
    return experiment


def with_trials(experiment: Experiment, trials: int) -> Experiment:
    """The experiment with so many trials of each cell.

    Raises:
        ExperimentError: too few or too many.
    """
    if not 1 <= trials <= MOST_TRIALS:
        raise ExperimentError(f"--trials {trials}: give 1 to {MOST_TRIALS:,}")
    return replace(experiment, trials=trials)


def without(experiment: Experiment, names: Collection[str]) -> Experiment:
    """The experiment with some factors left out: of its matrix, of its bundles, and the rules that name one of them."""
    stacks = {
        stack: {key: value for key, value in bundle.items() if key not in names}
        for stack, bundle in experiment.stacks.items()
    }
    return replace(
        experiment,
        factors={name: levels for name, levels in experiment.factors.items() if name not in names},
        stacks=stacks,
        exclusions=tuple(rule for rule in experiment.exclusions if not set(names) & set(rule)),
    )


def _read(text: str, source: str) -> _File:
    try:
        return _File.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise ExperimentError(_in_words(error, source)) from error
    except ValueError as error:  # tomllib's own, and Python's of a number of thousands of digits
        raise ExperimentError(f"{source}: not TOML: {error}; see docs/reference/experiment-file.md") from error
    except RecursionError:
        raise ExperimentError(f"{source}: it is nested too deep; see docs/reference/experiment-file.md") from None


def _in_words(error: ValidationError, source: str) -> str:
    """The first thing that is wrong, in one sentence."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = list((_LimitsFile if path[0] == "limits" and len(path) > 1 else _File).model_fields)
        near = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(known)}"
        return f"{source}: unknown key {key}; {hint}"
    if first["type"] == "missing":
        return f'{source}: the key {key} is missing; add it, such as scenario = "locust-2637"'
    return f"{source}: {key}: {first['msg'][:1].lower()}{first['msg'][1:]}, not {first['input']!r}"


def _named(section: str, key: str, settings: Mapping[str, Factor], where: str) -> str:
    if section == "env":
        if not key or "=" in key or "\0" in key:
            raise ExperimentError(f"{where}: {key!r} is no name of an environment variable; it takes a name without =")
        return f"{ENV}{key}"
    if key in {PYTHON, AS_OF}:
        return key
    if section == "packages":
        name = canonical(key, {}, where=where)
        if name in settings:
            raise ExperimentError(f"{where}: {name} is a setting; move it to [settings]")
        if not is_package(name, settings):
            raise ExperimentError(f"{where}: {name} is no distribution; write it as [stacks] or [env]")
        return name
    if key not in settings:
        near = difflib.get_close_matches(key, settings, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(settings)}"
        raise ExperimentError(f"{where}: there is no such setting; {hint}")
    return key


def _levels(name: str, value: Any, settings: Mapping[str, Factor], where: str) -> tuple[Level, ...]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise ExperimentError(f"{where}: it has no levels; give at least one")
    levels = tuple(level(name, _plain(one), settings, where=where) for one in values)
    if len(set(levels)) < len(levels):
        twice = next(one for one in levels if levels.count(one) > 1)
        raise ExperimentError(f"{where}: the level {twice} is there twice; leave one out")
    return levels


def _check_is_typed(name: str, value: Any, settings: Mapping[str, Factor], where: str) -> None:
    """Refuse a text that nothing can hold, and a number or a switch that is written as something else: the command line has texts alone, a file has types."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and "\0" in one:
            raise ExperimentError(
                f"{where}: {one!r} holds a NUL, which no environment and no command line can; take it out"
            )
    factor = settings.get(name)
    if factor is None or factor.kind not in _TYPES:
        return
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, _TYPES[factor.kind]):
            quotes = ", without quotes" if isinstance(one, str) else ""
            raise ExperimentError(f"{where}: {one!r} is no level of {name}; {accepted(factor)}{quotes}")


def _plain(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _bundle(bundle: Mapping[str, Any], settings: Mapping[str, Factor], where: str) -> dict[str, Level]:
    found = {}
    for key, value in bundle.items():
        name = canonical(key, settings, where=f"{where}: {key}")
        _check_is_typed(name, value, settings, f"{where}: {key}")
        found[name] = level(name, value, settings, where=f"{where}: {key}")
    return found


def _with_limit(experiment: Experiment, name: str, value: str, where: str) -> Experiment:
    known = [one.name for one in fields(Limits)]
    if name not in known:
        raise ExperimentError(f"{where}: there is no limit {name!r}; there are {', '.join(known)}")
    try:
        limits = _LimitsFile.model_validate({name: float(value)})
    except ValueError:
        share = " and at most 1" if name == "failing_share" else ""
        raise ExperimentError(f"{where}: {name} takes a number above 0{share}") from None
    return replace(experiment, limits=replace(experiment.limits, **{name: getattr(limits, name)}))
