"""A rate with its interval, in the one form that it has everywhere."""

from __future__ import annotations

from repro.model import Interval


def rate_text(rate: Interval | None) -> str:
    """``1 of 3 hung (95 % CI 1–91 %)``; without any trial that counts ``none counted``."""
    if rate is None:
        return "none counted"
    return f"{rate.hits} of {rate.n} hung (95 % CI {rate.low * 100:.0f}–{rate.high * 100:.0f} %)"
