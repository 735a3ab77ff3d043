"""Formats a rate and a hazard with their intervals, in the same form everywhere."""

from __future__ import annotations

import math

from repro.model import Chance, Hazard, Interval

MILLION = 1_000_000


def rate_text(rate: Interval | None) -> str:
    """``1 of 3 hung (95 % CI 1–91 %)``; without any trial that counts ``none counted``."""
    if rate is None:
        return "none counted"
    return f"{rate.hits} of {rate.n} hung (95 % CI {rate.low * 100:.0f}–{rate.high * 100:.0f} %)"


def hazard_text(hazard: Hazard | None) -> str:
    """``0 hangs in 402,118 operations: fewer than 7.5 a million (95 %)``, ``2 hangs in 400 stops: 0.50 % (95 % …)``."""
    if hazard is None:
        return "no operation ended"
    hangs = "1 hang" if hazard.hangs == 1 else f"{hazard.hangs} hangs"
    chances = max(1, round(hazard.chances))
    noun = hazard.chance.value if chances > 1 else hazard.chance.value.removesuffix("s")
    seen = f"{hangs} in {chances:,} {noun}"
    if hazard.ruled_out is not None:
        return f"{seen}: {fewer_than(hazard.ruled_out, hazard.chance)} (95 %)"
    rate, low, high = (_figure(one, hazard.chance) for one in (hazard.rate, hazard.low, hazard.high))
    if hazard.chance is Chance.STOP:
        return f"{seen}: {rate} % (95 % CI {low}–{high} %)"
    return f"{seen}: {rate} a million (95 % CI {low}–{high})"


def chances_text(hazard: Hazard) -> str:
    """The operations or stops in which hangs were possible: ``1,750``, ``40 stops``."""
    count = max(1, round(hazard.chances))
    noun = hazard.chance.value if count > 1 else hazard.chance.value.removesuffix("s")
    return f"{count:,} {noun}" if hazard.chance is Chance.STOP else f"{count:,}"


def fewer_than(bound: float, chance: Chance = Chance.OPERATION) -> str:
    """``fewer than 7.5 a million``, rounded up; of stops a share, for a run has hundreds of them, not millions."""
    step = 10.0 ** (math.floor(math.log10(_scaled(bound, chance))) - 1) if bound else 1.0
    step = min(step, 1.0)
    figure = _figure(math.ceil(_scaled(bound, chance) / step - 1e-9) * step / _scaled(1.0, chance), chance)
    return f"fewer than {figure} {'%' if chance is Chance.STOP else 'a million'}"


def _figure(rate: float, chance: Chance) -> str:
    number = _scaled(rate, chance)
    return f"{number:,.0f}" if number >= 9.95 else f"{number:.2g}"


def _scaled(rate: float, chance: Chance) -> float:
    return rate * (100 if chance is Chance.STOP else MILLION)
