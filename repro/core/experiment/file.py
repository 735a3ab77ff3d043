"""The experiment file: TOML, read with pydantic, every error naming file, key and accepted values."""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from repro.core.experiment.experiment import MOST_TRIALS, Experiment, ScenarioInfo
from repro.core.experiment.factors.catalogue import AS_OF, ENV, PYTHON, STACK, Catalogue
from repro.core.experiment.factors.factor import LevelType
from repro.core.experiment.factors.level_text import shown
from repro.core.experiment.rules import Rule
from repro.errors import ExperimentError
from repro.model import Level, Limits

_TYPES = {LevelType.COUNT: (int, float), LevelType.NUMBER: (int, float), LevelType.SWITCH: (bool,)}
_NOTHING = Catalogue(())


class LimitsSection(BaseModel):
    """``[limits]``."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    stall_after_s: float = Field(default=Limits.stall_after_s, gt=0)
    stop_grace_s: float = Field(default=Limits.stop_grace_s, gt=0)
    start_s: float = Field(default=Limits.start_s, gt=0)
    failing_share: float = Field(default=Limits.failing_share, gt=0, le=1)
    beat_s: float = Field(default=Limits.beat_s, gt=0)


class ExperimentFile(BaseModel):
    """The whole file, its factors and levels not looked at yet: what they may be depends on the scenario."""

    model_config = ConfigDict(extra="forbid", strict=True)
    scenario: str
    summary: str = ""
    trials: int = Field(default=3, ge=1, le=MOST_TRIALS)
    packages: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    stacks: dict[str, dict[str, Any]] = {}
    env: dict[str, Any] = {}
    limits: LimitsSection = LimitsSection()
    include: list[dict[str, Any]] = []
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
    catalogue = scenario.catalogue
    factors = _factors(file, catalogue, source)
    experiment = Experiment(
        name=name,
        summary=file.summary,
        trials=file.trials,
        factors=factors,
        in_file=factors,
        stacks={
            stack: _bundle(bundle, catalogue, f"{source}: [stacks] {stack}") for stack, bundle in file.stacks.items()
        },
        inclusions=_rules(file.include, catalogue, f"{source}: [[include]]"),
        exclusions=_rules(file.exclude, catalogue, f"{source}: [[exclude]]"),
        limits=Limits(**file.limits.model_dump()),
    )
    for rule in experiment.inclusions:
        _check_includes_a_cell(rule, experiment, catalogue, f"{source}: [[include]]")
    return experiment


def levels_of(name: str, value: Any, catalogue: Catalogue, *, where: str) -> tuple[Level, ...]:
    """The levels that stand for a factor: one, or a list of them.

    Raises:
        ExperimentError: there is none, one of them twice, or one that is not a level of this factor.
    """
    values = value if isinstance(value, list) else [value]
    if not values:
        raise ExperimentError(f"{where}: the list of levels is empty; give at least one")
    levels = tuple(catalogue.level(name, _stripped(one), where=where) for one in values)
    if len(set(levels)) < len(levels):
        twice = next(one for one in levels if levels.count(one) > 1)
        raise ExperimentError(f"{where}: the level {twice} is listed twice; leave one out")
    return levels


def _read(text: str, source: str) -> ExperimentFile:
    try:
        return ExperimentFile.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise ExperimentError(_in_words(error, source)) from error
    except ValueError as error:  # tomllib's own, and Python's of a number of thousands of digits
        raise ExperimentError(f"{source}: not TOML: {error}; {_REFERENCE}") from error
    except RecursionError:
        raise ExperimentError(f"{source}: it is nested too deeply; {_REFERENCE}") from None


_REFERENCE = "see docs/reference/experiment-file.md"
_PLAIN_WORDS = (
    ("Input should be", "must be"),
    ("a valid integer", "a whole number"),
    ("a valid number", "a number"),
    ("a valid dictionary", "a table"),
    ("a valid string", "a string"),
    ("a valid list", "a list"),
)
"""What the library that reads the file says, and what somebody calls it who writes TOML."""


def _in_words(error: ValidationError, source: str) -> str:
    """The first thing that is wrong, in one sentence."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = list((LimitsSection if path[0] == "limits" and len(path) > 1 else ExperimentFile).model_fields)
        near = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose {', '.join(known)}"
        return f"{source}: unknown key {key!r}; {hint}"
    if first["type"] == "missing":
        return f'{source}: the key {key} is missing; add it, such as scenario = "locust-2637"'
    said = functools.reduce(lambda text, pair: text.replace(*pair), _PLAIN_WORDS, first["msg"])
    return f"{source}: {key} {said}, not {first['input']!r}; {_REFERENCE}"


# Factors


def _factors(file: ExperimentFile, catalogue: Catalogue, source: str) -> dict[str, tuple[Level, ...]]:
    factors: dict[str, tuple[Level, ...]] = {STACK: tuple(file.stacks)} if file.stacks else {}
    for section, entries in (("packages", file.packages), ("settings", file.settings), ("env", file.env)):
        for key, value in entries.items():
            where = f"{source}: [{section}] {key}"
            name = _named(section, key, catalogue, where)
            _check_is_typed(name, value, catalogue, where)
            factors[name] = levels_of(name, value, catalogue, where=where)
    return factors


def _named(section: str, key: str, catalogue: Catalogue, where: str) -> str:
    if section == "env":
        if not key or "=" in key or "\0" in key:
            raise ExperimentError(f"{where}: {key!r} is not the name of an environment variable; give a name without =")
        return f"{ENV}{key}"
    if key in {PYTHON, AS_OF}:
        return key
    if section != "packages":
        return catalogue.setting(key, where=where)
    name = _NOTHING.canonical(key, where=where)
    if name in catalogue:
        raise ExperimentError(f"{where}: {name} is a setting; move it to [settings]")
    if not catalogue.is_package(name):
        raise ExperimentError(f"{where}: {name} is not a distribution; write it as [stacks] or [env]")
    return name


def _check_is_typed(name: str, value: Any, catalogue: Catalogue, where: str) -> None:
    """Refuse a text that nothing can hold, and a number or a switch that is written as something else.

    The command line has texts alone, a file has types.
    """
    values = value if isinstance(value, list) else [value]
    for one in values:
        if isinstance(one, str) and "\0" in one:
            raise ExperimentError(
                f"{where}: {one!r} holds a NUL, which no environment and no command line can; take it out"
            )
    factor = catalogue.factor(name)
    for one in values:
        if factor.kind in _TYPES and not isinstance(one, _TYPES[factor.kind]):
            quotes = ", without quotes" if isinstance(one, str) else ""
            raise ExperimentError(f"{where}: {name} cannot be {one!r}; {factor.accepted}{quotes}")


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


# Bundles and rules


def _bundle(bundle: Mapping[str, Any], catalogue: Catalogue, where: str) -> dict[str, Level]:
    found = {}
    for key, value in bundle.items():
        name = _name_of(key, value, catalogue, f"{where}: {key}")
        found[name] = catalogue.level(name, value, where=f"{where}: {key}")
    return found


def _rules(blocks: Iterable[Mapping[str, Any]], catalogue: Catalogue, where: str) -> tuple[Rule, ...]:
    return tuple(_rule(block, catalogue, where) for block in blocks)


def _rule(block: Mapping[str, Any], catalogue: Catalogue, where: str) -> Rule:
    found = {}
    for key, value in block.items():
        name = _name_of(key, value, catalogue, f"{where}: {key}")
        found[name] = levels_of(name, value, catalogue, where=f"{where}: {key}")
    return Rule(found)


def _name_of(key: str, value: Any, catalogue: Catalogue, where: str) -> str:
    """The factor that a key of a bundle or a rule names, once its levels are of the type that it takes."""
    name = catalogue.canonical(key, where=where)
    _check_is_typed(name, value, catalogue, where)
    return name


def _check_includes_a_cell(rule: Rule, experiment: Experiment, catalogue: Catalogue, where: str) -> None:
    """Refuse a block with a level that no cell has, and one with levels that no cell has together."""
    for name, levels in rule.levels.items():
        there = experiment.levels_in_file(name, catalogue)
        if unknown := [one for one in levels if one not in there]:
            has = f"it has {', '.join(map(shown, there))}" if there else f"the experiment does not name {name}"
            raise ExperimentError(f"{where}: {name}: no cell has the level {shown(unknown[0])}; {has}")
    stacks = [stack for stack in experiment.stacks if rule.can_hold({STACK: stack})] or [""]
    if not any(_is_there(rule, stack, experiment, catalogue) for stack in stacks):
        raise ExperimentError(
            f"{where}: no cell has the levels of {' and '.join(rule.levels)} together that this block names; "
            "change one, or leave the block out"
        )


def _is_there(rule: Rule, stack: str, experiment: Experiment, catalogue: Catalogue) -> bool:
    """Whether a cell of this stack is one of the block's."""
    return all(
        set(levels) & set(experiment.levels_in_file(name, catalogue, stacks=[stack]))
        for name, levels in rule.levels.items()
    )
