"""What older releases of this program stored, made into what is stored today."""

from __future__ import annotations

import re
from typing import Any

_RUNG = re.compile(r"(?P<kind>.+?)(?:, process (?P<pid>\d+))?")
"""A rung was stored by its name alone, with the process behind it where a trial had several."""


def of_today(trial: dict[str, Any]) -> dict[str, Any]:
    """A trial's document as it is written today; one that is has nothing changed."""
    return {**trial, "rungs": [_rung(rung) for rung in trial.get("rungs", [])]}


def _rung(rung: dict[str, Any]) -> dict[str, Any]:
    if "kind" in rung:
        return rung
    named = _RUNG.fullmatch(rung["name"])
    if named is None:
        raise ValueError(f"a rung of no name: {rung}")
    return {**rung, "kind": named["kind"], "pid": int(named["pid"] or 0)}
