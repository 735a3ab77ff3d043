"""Factors and levels as a conclusion speaks of them; those that vary in lockstep are one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repro.core.experiment.level_text import shown
from repro.model import Level


def lockstep(cells: Sequence[Mapping[str, Level]], varied: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Factors whose levels always change together, as one: its name, and the names that it stands for."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in varied:
        seen: dict[Level, int] = {}
        signature = tuple(seen.setdefault(levels[name], len(seen)) for levels in cells)
        groups.setdefault(signature, []).append(name)
    return {" and ".join(names): tuple(names) for names in groups.values()}


def merged(levels: Mapping[str, Level], groups: Mapping[str, tuple[str, ...]]) -> dict[str, Level]:
    """A cell's levels with one for each group of ``lockstep``."""
    found: dict[str, Level] = {}
    for name, members in groups.items():
        values = [levels[member] for member in members]
        found[name] = values[0] if len(members) == 1 else "/".join(shown(value) for value in values)
    return found


def equal(name: str, level: Level) -> str:
    """``name=level``; a factor of several in lockstep is spelt out."""
    names, values = name.split(" and "), shown(level).split("/")
    if len(names) == len(values) > 1:
        return " and ".join(f"{one}={value}" for one, value in zip(names, values, strict=True))
    return f"{name}={shown(level)}"
