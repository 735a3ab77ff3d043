"""A run as one HTML page that opens offline: the matrix at a glance, filters, timelines, stacks, the bisection.

    document ─▶ matrix, bisection (HTML, made here with autoescaping) ─▶ page.html.jinja
             └▶ trials, stacks (one JSON block, put into the page by page.js as text alone)

The page's policy names its one script and its one style by their hashes and forbids all else: were a text of a cell ever
taken for markup, it could still neither run nor fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from repro.presentation.bisected import bisected
from repro.presentation.document import sentences_in
from repro.presentation.links import Links
from repro.presentation.markdown import SHOWN_PACKAGES, rate_text
from repro.presentation.matrix import arrange, shown, varied_of
from repro.presentation.telling import telling_trials

TEMPLATES = Path(__file__).parent / "templates"
SIGNS = {"clean": "✓", "hang": "H", "crash": "X", "failing": "F", "untestable": "U", "inconclusive": "?"}
MOST_TEXTS = 1_700_000
"""Characters of reasons and stacks in the page: with them a page of hundreds of trials still opens at once."""
MOST_STACK, MOST_STACKS, MOST_REASON = 6_000, 12, 2_000
MOST_POINTS = 240
MOST_KINDS = 12
MOST_SETS = 12
DENSE_ABOVE = 60
FIRST_PACKAGES = ("Python", *SHOWN_PACKAGES)

Document = Mapping[str, Any]


def page(document: Document, *, links: Links | None = None) -> str:
    """The page of a run's document (see ``document.py``); ``links`` lead to the evidence, without them it is only named."""
    cells = [cell for cell in document["cells"] if cell["trials"]]
    varied = varied_of(cells, document["varied"])
    style, script = _source("page.css"), _source("page.js")
    return (
        _templates()
        .get_template("page.html.jinja")
        .render(
            document=document,
            conclusion=sentences_in(document) or [""],
            cells=cells,
            matrix=arrange(cells, varied),
            filters=_filters(cells, varied),
            is_dense=len(cells) > DENSE_ABOVE,
            counts=_counts(cells),
            signs=SIGNS,
            rate_text=rate_text,
            bisected=bisected(document),
            kinds=_kinds(document),
            versions=_versions(cells),
            data=_embedded(_data(cells, varied, links)),
            style=Markup(style),  # noqa: S704  # a file of this package
            script=Markup(script),  # noqa: S704  # likewise
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )


def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("repro.presentation"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(name: str) -> str:
    """A file of the templates, as it is."""
    return (TEMPLATES / name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _counts(cells: Sequence[Document]) -> list[tuple[str, int]]:
    verdicts = [cell["verdict"] for cell in cells]
    return [(verdict, verdicts.count(verdict)) for verdict in SIGNS if verdict in verdicts]


def _filters(cells: Sequence[Document], varied: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The names and levels to filter by: each factor's, and the verdicts'."""
    found = [(name, list(dict.fromkeys(shown(cell["factors"].get(name, "")) for cell in cells))) for name in varied]
    return [*found, ("verdict", [verdict for verdict, _ in _counts(cells)])]


def _kinds(document: Document) -> list[dict[str, Any]]:
    """The different hangs, each with the trial that tells most of it."""
    telling = telling_trials(document)
    found = []
    for kind in document["hangs"][:MOST_KINDS]:
        cell, trial = telling[kind["fingerprint"], kind["hang_class"]]
        stacks = [stack[:MOST_STACK] for stack in trial["hang"]["stacks"][:MOST_STACKS]]
        found.append({"kind": kind, "cell": cell, "hang": trial["hang"], "stacks": stacks})
    return found


def _versions(cells: Sequence[Document]) -> dict[str, Any]:
    """What was installed: the packages that differ between the environments, and those that are the same in all."""
    sets: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
    for cell in cells:
        if cell["versions"]:
            key = cell["python"], tuple(sorted(cell["versions"].items()))
            sets[key] = sets.get(key, 0) + 1
    every = [{"Python": python, **dict(pins)} for python, pins in sets]
    names = list(dict.fromkeys(name for one in every for name in one))
    names.sort(key=lambda name: name not in FIRST_PACKAGES)
    differing = [name for name in names if len({one.get(name, "—") for one in every}) > 1]
    return {
        "counts": list(sets.values())[:MOST_SETS],
        "left_out": max(0, len(every) - MOST_SETS),
        "differing": {name: [one.get(name, "—") for one in every[:MOST_SETS]] for name in differing},
        "first": [name for name in differing if name in FIRST_PACKAGES],
        "same": {name: every[0][name] for name in names if name not in differing},
    }


class _Texts:
    """Texts that many trials share, each kept once; what comes when the room is spent is left out, as -1."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self._room = MOST_TEXTS

    def index(self, text: str) -> int:
        if text not in self.kept:
            size = len(json.dumps(text))
            if size > self._room:
                return -1
            self._room -= size
            self.kept[text] = len(self.kept)
        return self.kept[text]


def _data(cells: Sequence[Document], varied: Sequence[str], links: Links | None) -> dict[str, Any]:
    """What the page draws when it is asked to. Reasons come first, so that they still fit when the stacks do not."""
    texts = _Texts()
    made = [_cell(cell, varied, texts.index, links) for cell in cells]
    for cell, one in zip(cells, made, strict=True):
        for trial, kept in zip(cell["trials"], one["trials"], strict=True):
            stacks = trial["hang"]["stacks"] if trial["hang"] else ()
            kept["stacks"] = [texts.index(stack[:MOST_STACK]) for stack in stacks[:MOST_STACKS]]
    return {"factors": list(varied), "cells": made, "texts": list(texts.kept)}


def _cell(cell: Document, varied: Sequence[str], index: Callable[[str], int], links: Links | None) -> dict[str, Any]:
    return {
        "id": cell["id"],
        "label": cell["label"][:400],
        "levels": [shown(cell["factors"].get(name, "")) for name in varied],
        "verdict": cell["verdict"],
        "kind": cell["hang_class"],
        "rate": rate_text(cell["rate"]),
        "trials": [_trial(trial, index, links) for trial in cell["trials"]],
    }


def _trial(trial: Document, index: Callable[[str], int], links: Links | None) -> dict[str, Any]:
    hang = trial["hang"]
    return {
        "n": trial["number"],
        "verdict": trial["verdict"],
        "reason": index(trial["reason"][:MOST_REASON]),
        "bound": index(hang["bound"]["why"][:MOST_REASON]) if hang else None,
        "command": index(trial["command"][:MOST_REASON]),
        "seconds": round(trial["seconds"], 1),
        "operations": trial["operations"],
        "timeline": _thinned(trial["timeline"]),
        "since": hang["stuck_since_s"] if hang else None,
        "stuck": [hang["users_stuck"], hang["users"]] if hang else None,
        "evidence": trial["evidence"],
        "files": list((links or {}).get(trial["evidence"], ())),
        "refused": [f"{rung['name']}: {rung['refusal']}"[:200] for rung in trial["rungs"] if rung["refusal"]],
    }


def _thinned(timeline: Sequence[Sequence[int]]) -> dict[str, Any]:
    """The timeline as columns; a long one with ``step`` seconds in a point: the mean of those ended, the most stuck."""
    step = max(1, -(-len(timeline) // MOST_POINTS))
    parts = [timeline[start : start + step] for start in range(0, len(timeline), step)]
    return {
        "step": step,
        "ended": [round(sum(row[1] for row in part) / len(part)) for part in parts],
        "stuck": [max(row[2] for row in part) for part in parts],
        "alive": max((row[3] for row in timeline), default=0),
    }


def _embedded(value: object) -> Markup:
    """JSON inside a script element: nothing in it can end the element."""
    text = json.dumps(value, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  # every sign that matters to HTML is escaped above
