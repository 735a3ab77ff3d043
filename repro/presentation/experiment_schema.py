"""The JSON Schema of an experiment file, for editors: made of the model that reads the file and of the catalogues.

Draft 7, which editors of TOML know. A day of TOML is a text there, as ``2024-03-15``. The schema refuses nothing that
the program takes in its usual form; what only the whole experiment shows, such as an include that no cell matches, it
lets pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from repro.core.experiment.experiment import ScenarioInfo
from repro.core.experiment.factors.catalogue import (
    AS_OF,
    COMMON,
    DISTRIBUTION,
    ENV,
    NO_SETTINGS,
    PYTHON,
    STACK,
    VARIABLE,
)
from repro.core.experiment.factors.factor import Factor, LevelType
from repro.core.experiment.factors.level_text import typed
from repro.core.experiment.file import ExperimentFile

DRAFT = "http://json-schema.org/draft-07/schema#"
VERSION = (
    r"^(latest|v?([0-9]+!)?[0-9]+(\.[0-9]+)*([-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?[0-9]*)?"
    r"(-[0-9]+|[-_.]?(post|rev|r)[-_.]?[0-9]*)?([-_.]?dev[-_.]?[0-9]*)?(\+[a-z0-9]+([-_.][a-z0-9]+)*)?)?$"
)
DAY = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"
DISTRIBUTION_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"

HELP = {
    "scenario": "A name of `repro list scenarios`, or the path of a locustfile relative to this file.",
    "summary": "One line for `repro list`.",
    "trials": "Trials of each cell; a cell stops early once its verdict is settled.",
    "packages": "Factors: any distribution. Levels are versions, in quotes.",
    "settings": "Factors: what scenario, launch, load and backend can vary.",
    "stacks": "One factor, `stack`: each level is a bundle of packages, settings, `python` and `as_of`.",
    "env": "Factors: environment variables of the cell.",
    "limits": "From which silence, overrun or share of failures on a trial is judged.",
    "include": "If present, only cells that match at least one block are run.",
    "exclude": "Cells that match a block are not run, even if included.",
}

Schema = dict[str, Any]


def experiment_schema(scenarios: Iterable[ScenarioInfo]) -> Schema:
    """The schema of every experiment of these scenarios, or of somebody's own locustfile."""
    known = tuple(scenarios)
    made = ExperimentFile.model_json_schema()
    parts = _parts(_all_settings(known), known)
    return {
        "$schema": DRAFT,
        "title": "An experiment of repro",
        "description": "Which combinations of packages and settings are run, how often, and within which limits.",
        "type": "object",
        "required": made["required"],
        "additionalProperties": False,
        "properties": {
            name: {"description": HELP[name], **_without_titles({**entry, **parts.get(name, {})})}
            for name, entry in made["properties"].items()
        },
        "allOf": [_settings_of(one) for one in known if _own(one)] + [_settings_of_others(known)],
        "$defs": _without_titles(made["$defs"]),
    }


def _parts(settings: Mapping[str, Schema], scenarios: Iterable[ScenarioInfo]) -> Mapping[str, Schema]:
    """What the model leaves open of each key."""
    python, day = ({name: _one_or_more(_described(NO_SETTINGS[name]))} for name in (PYTHON, AS_OF))
    levels = {**settings, **python, **day, STACK: _one_or_more(_described(NO_SETTINGS[STACK]))}
    return {
        "scenario": {"anyOf": [{"enum": [one.name for one in scenarios]}, {"pattern": r"\.py$"}]},
        "packages": {
            "properties": {**python, **day},
            "propertyNames": {"pattern": DISTRIBUTION_NAME, "not": {"enum": [*settings, STACK]}},
            "additionalProperties": _one_or_more(_described(DISTRIBUTION)),
        },
        "settings": {"properties": {**settings, **python, **day}, "additionalProperties": False},
        "stacks": {"additionalProperties": {"type": "object", **_by_name(levels, lambda entry: entry["anyOf"][0])}},
        "env": {"propertyNames": {"pattern": "^[^=]+$"}, "additionalProperties": _one_or_more(_described(VARIABLE))},
        "include": {"items": {"type": "object", **_by_name(levels, lambda entry: entry)}},
        "exclude": {"items": {"type": "object", **_by_name(levels, lambda entry: entry)}},
    }


def _by_name(levels: Mapping[str, Schema], shape: Callable[[Schema], Schema]) -> Schema:
    """The keys of a stack or of a rule: any factor by its name, which else is a distribution's."""
    return {
        "properties": {name: shape(entry) for name, entry in levels.items()},
        "patternProperties": {f"^{ENV.replace('.', '[.]')}": shape(_one_or_more(_described(VARIABLE)))},
        "propertyNames": {"pattern": DISTRIBUTION_NAME},
        "additionalProperties": {"anyOf": [shape(_one_or_more(_described(DISTRIBUTION))), {"pattern": "^$"}]},
    }


# Settings: those of all scenarios are known everywhere, so that an editor completes them; each refuses the others'


def _all_settings(scenarios: Iterable[ScenarioInfo]) -> Mapping[str, Schema]:
    found: dict[str, list[Factor]] = {factor.name: [factor] for factor in COMMON}
    for scenario in scenarios:
        for factor in _own(scenario):
            found.setdefault(factor.name, []).append(factor)
    return {name: _any_of([_one_or_more(_described(one)) for one in factors]) for name, factors in found.items()}


def _own(scenario: ScenarioInfo) -> tuple[Factor, ...]:
    """The settings that only this scenario has, or has otherwise."""
    return tuple(factor for factor in scenario.catalogue if factor not in COMMON.settings)


def _settings_of(scenario: ScenarioInfo) -> Schema:
    own = {factor.name: _one_or_more(_described(factor)) for factor in _own(scenario)}
    names = [factor.name for factor in scenario.catalogue]
    return {
        "if": {"required": ["scenario"], "properties": {"scenario": {"const": scenario.name}}},
        "then": {"properties": {"settings": {"properties": own, "propertyNames": {"enum": [*names, PYTHON, AS_OF]}}}},
    }


def _settings_of_others(scenarios: Iterable[ScenarioInfo]) -> Schema:
    names = [factor.name for factor in COMMON]
    return {
        "if": {"properties": {"scenario": {"not": {"enum": [one.name for one in scenarios if _own(one)]}}}},
        "then": {"properties": {"settings": {"propertyNames": {"enum": [*names, PYTHON, AS_OF]}}}},
    }


# Levels


def _described(factor: Factor) -> Schema:
    default = typed(factor.default)
    usual = f" Default: {default}." if default else ""
    return {"description": f"{factor.help[:1].upper()}{factor.help[1:]}.{usual}", **_LEVELS[factor.kind](factor)}


def _choice(factor: Factor) -> Schema:
    """A choice of numbers is written with quotes or without."""
    numbers = [int(value) for value in factor.values if value.isdigit()]
    return {"enum": [*factor.values, *numbers]}


def _number(factor: Factor) -> Schema:
    most = {} if factor.most == float("inf") else {"maximum": factor.most}
    kind = "integer" if factor.kind is LevelType.COUNT else "number"
    return {"type": kind, "minimum": factor.least, **most}


def _text(factor: Factor) -> Schema:
    pattern = {"pattern": factor.pattern} if factor.pattern else {}
    return {"type": ["string", "number", "boolean"], **pattern}


_LEVELS: Mapping[LevelType, Callable[[Factor], Schema]] = {
    LevelType.TEXT: _text,
    LevelType.CHOICE: _choice,
    LevelType.COUNT: _number,
    LevelType.NUMBER: _number,
    LevelType.SWITCH: lambda _: {"type": "boolean"},
    LevelType.VERSION: lambda _: {"type": "string", "pattern": VERSION},
    LevelType.DAY: lambda _: {"type": "string", "pattern": DAY},
}


def _one_or_more(level: Schema) -> Schema:
    return {"anyOf": [level, {"type": "array", "items": level, "minItems": 1, "uniqueItems": True}]}


def _any_of(entries: list[Schema]) -> Schema:
    return entries[0] if len(entries) == 1 else {"anyOf": [one for entry in entries for one in entry["anyOf"]]}


def _without_titles(entry: Any) -> Any:
    """Without the titles and the defaults of objects that pydantic makes of names: they tell an editor nothing."""
    if isinstance(entry, list):
        return [_without_titles(one) for one in entry]
    if not isinstance(entry, dict):
        return entry
    left_out = {name for name in ("title", "default") if isinstance(entry.get(name), str | list | dict)}
    return {key: _without_titles(value) for key, value in entry.items() if key not in left_out}
