"""Factors, levels and conditions on them, as people read them everywhere in a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from repro.core.experiment.level_text import shown
from repro.model import Condition, ConditionKind, Level

SIGNS = {ConditionKind.AT_LEAST: ">=", ConditionKind.AT_MOST: "<="}


def levels_text(levels: Mapping[str, Level]) -> str:
    """``name=level``; of several factors in lockstep each."""
    return " and ".join(f"{name}={shown(level)}" for name, level in levels.items())


def condition_text(condition: Condition) -> str:
    """``gevent<=24.2.1 (25.9.1 clean)``, ``launch in cli, library``."""
    if condition.kind is ConditionKind.EQUAL:
        return levels_text(condition.levels[0])
    name = factors_text(condition.levels[0])
    if condition.kind is ConditionKind.AMONG:
        return f"{name} in {', '.join(_joined(levels) for levels in condition.levels)}"
    end = condition.levels[0] if condition.kind is ConditionKind.AT_LEAST else condition.levels[-1]
    beyond = f" ({_joined(condition.neighbour)} clean)" if condition.neighbour else ""
    return f"{name}{SIGNS[condition.kind]}{_joined(end)}{beyond}"


def factors_text(names: Iterable[str]) -> str:
    """Factors in lockstep as one."""
    return " and ".join(names)


def _joined(levels: Mapping[str, Level]) -> str:
    return "/".join(shown(level) for level in levels.values())
