"""What few cells cover of a matrix, in words: before they run, and in the answer."""

from __future__ import annotations

from collections.abc import Mapping

from repro.core.experiment.factors.level_text import shown
from repro.model import Cover, Level, Plan
from repro.presentation.lines import duration

MOST_NAMED = 3


def cells_text(plan: Plan, cover: Cover, *, trials: int, seconds: float | None) -> str:
    """``16 of 729 cells have all 135 combinations of 2 levels: up to 48 trials, about 9 min 36 s``, or no time."""
    text = f"{covered_text(len(plan.cells), cover)}: up to {trials:,} trial{'s' if trials != 1 else ''}"
    return text if seconds is None else f"{text}, about {duration(seconds)} besides the environments"


def covered_text(cells: int, cover: Cover) -> str:
    """``16 of 729 cells have all 135 combinations of 2 levels``."""
    return (
        f"{cells:,} of {cover.of:,} cells have all {cover.combinations:,} combinations of {cover.strength} levels"
        f"{' that the rules leave' if cover.ruled_out else ''}"
    )


def impossible_text(cover: Cover) -> str:
    """``8 combinations of 2 levels are in no cell that the rules leave: those with client=shared and launch=cli``."""
    one = cover.ruled_out == 1
    counted = f"{cover.ruled_out:,} combination{'' if one else 's'} of {cover.strength} levels"
    named = ", or ".join(map(_combination, cover.impossible[:MOST_NAMED]))
    left = len(cover.impossible) - MOST_NAMED
    more = f", and {left} more that --json names" if left > 0 else ""
    return f"{counted} {'is' if one else 'are'} in no cell that the rules leave: those with {named}{more}"


def _combination(levels: Mapping[str, Level]) -> str:
    return " and ".join(f"{name}={shown(level)}" for name, level in levels.items())
