"""A level as text: for people, as ``--set`` takes it, and as a cell's environment carries it. It is made nowhere else.

A switch is ``true``, ``true`` and ``1``; an empty level ``none``, nothing and nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from repro.model import Level


def shown(level: Level) -> str:
    """A level as people read it; an empty one is ``none``."""
    return typed(level) or "none"


def typed(level: Level) -> str:
    """A level as ``--set`` takes it; an empty one stays empty, for ``none`` would be read as a text."""
    return str(level).lower() if isinstance(level, bool) else str(level)


def variable(setting: str) -> str:
    """The environment variable from which a locustfile reads a setting."""
    return f"REPRO_{setting.upper()}"


def variables(settings: Mapping[str, Level]) -> dict[str, str]:
    """The settings as a cell's environment carries them; a switch is 1 or 0, which every language reads as a number."""
    return {variable(name): str(int(level) if isinstance(level, bool) else level) for name, level in settings.items()}
