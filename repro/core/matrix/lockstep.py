"""Factors and levels as a conclusion speaks of them; those that vary in lockstep are one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from repro.model import Level

Names = tuple[str, ...]
"""A factor, or several whose levels always change together and that count as one."""

Levels = tuple[Level, ...]
"""A level of each of those, in the same order."""


def lockstep(cells: Sequence[Mapping[str, Level]], varied: Sequence[str]) -> list[Names]:
    """The factors, those whose levels always change together as one."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in varied:
        seen: dict[Level, int] = {}
        signature = tuple(seen.setdefault(levels[name], len(seen)) for levels in cells)
        groups.setdefault(signature, []).append(name)
    return [tuple(names) for names in groups.values()]


def merged(levels: Mapping[str, Level], groups: Iterable[Names]) -> dict[Names, Levels]:
    """A cell's levels with one for each group of ``lockstep``."""
    return {names: tuple(levels[name] for name in names) for names in groups}


def apart(names: Names, levels: Levels) -> dict[str, Level]:
    """The level of each single factor."""
    return dict(zip(names, levels, strict=True))
