"""The planted truths: scenarios of which it is known what must come out, all in one table.

<scenarios>/known/truths.toml    what they share, and of each the claim, the verdict, its own settings, limits, factors
<scenarios>/known/<name>.py      its load, which runs alone with plain `locust`
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER, TABLE = "known", "truths.toml"
OUTCOME = ("verdict", "hang_class", "users_stuck")


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A planted truth; ``experiments`` are the texts of its experiment files by name, as somebody would write them."""

    name: str
    claim: str
    locustfile: Path
    summary: str
    requires: tuple[str, ...]
    factors: Mapping[str, Mapping[str, Any]]
    expected: Mapping[str, Any]
    experiments: Mapping[str, str]


def table(scenarios: Path) -> Path:
    """The file that says what each is, in the folder of the scenarios."""
    return scenarios / FOLDER / TABLE


@cache
def read_truths(scenarios: Path) -> Mapping[str, Truth]:
    """All of them, by the name of the scenario: ``known/clean``."""
    data = tomllib.loads(table(scenarios).read_text("utf-8"))
    found = (_truth(name, entry, data["usual"], scenarios) for name, entry in data["truths"].items())
    return {truth.name: truth for truth in found}


def experiments_of(scenarios: Path) -> Mapping[str, str]:
    """The texts of all their experiments, by name: ``known/clean`` and ``known/recovers/late``."""
    return {name: text for truth in read_truths(scenarios).values() for name, text in truth.experiments.items()}


def _truth(short: str, entry: Mapping[str, Any], usual: Mapping[str, Any], scenarios: Path) -> Truth:
    name = f"{FOLDER}/{short}"
    others = {f"{name}/{key}": other for key, other in entry.get("experiments", {}).items()}
    return Truth(
        name=name,
        claim=" ".join(entry["claim"].split()),
        locustfile=scenarios / FOLDER / f"{short}.py",
        summary=_summary(entry),
        requires=tuple(usual["requires"]),
        factors=entry.get("factors", {}),
        expected={key: entry[key] for key in OUTCOME if key in entry},
        experiments={key: _experiment(name, one, usual) for key, one in {name: entry, **others}.items()},
    )


def _experiment(scenario: str, entry: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    """The text of an experiment file. What JSON writes of numbers, texts and lists of them is TOML, too."""
    lines = [f"summary = {json.dumps(_summary(entry))}", f"scenario = {json.dumps(scenario)}"]
    lines.append(f"trials = {usual['trials']}")
    for section in ("settings", "limits"):
        pairs = entry.get(section, usual[section])
        lines += ["", f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in pairs.items())]
    return "\n".join([*lines, ""])


def _summary(entry: Mapping[str, Any]) -> str:
    return f"planted truth: {entry['summary']}"
