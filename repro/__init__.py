"""repro: which combination hangs, why, since which release, and how to show it."""

__version__ = "0.2.0"
