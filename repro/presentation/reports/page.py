"""A run as one HTML page that opens offline: the matrix at a glance, filters, timelines, stacks, the bisection.

    report ─▶ matrix, bisection (HTML, made here with autoescaping) ─▶ page.html.jinja
           └▶ trials, stacks (one JSON block, put into the page by page.js as text alone)

The page's policy names its one script and its one style by their hashes and forbids all else: were a text of a cell
ever taken for markup, it could still neither run nor fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from repro.model import CellVerdict, Moment
from repro.presentation.matrix.hosts import rate_and_hosts
from repro.presentation.matrix.matrix import arrange, shown, varied_of
from repro.presentation.matrix.timeouts import HEADS
from repro.presentation.rates import hazard_text, rate_text
from repro.presentation.reports.markdown import MOST_LINES, SHOWN_PACKAGES
from repro.presentation.reports.report import Report, ReportedCell, ReportedHang, ReportedKind, ReportedTrial

TEMPLATES = Path(__file__).parent / "templates"
SIGNS = {
    CellVerdict.CLEAN: "✓",
    CellVerdict.HANG: "H",
    CellVerdict.CRASH: "X",
    CellVerdict.FAILING: "F",
    CellVerdict.UNTESTABLE: "U",
    CellVerdict.INCONCLUSIVE: "?",
}
MOST_TEXTS = 1_700_000
"""Characters of reasons and stacks in the page: with them a page of hundreds of trials still opens at once."""
MOST_STACK, MOST_STACKS, MOST_REASON = 6_000, 12, 2_000
MOST_POINTS = 240
MOST_KINDS = 12
MOST_SETS = 12
MOST_WAITS = 120
DENSE_ABOVE = 60
FIRST_PACKAGES = ("Python", *SHOWN_PACKAGES)

Links = Mapping[str, Sequence[tuple[str, str]]]
"""For each trial's evidence folder, the names of its files and where they are from the page."""


@dataclass(frozen=True)
class ShownKind:
    """One of the different hangs with what is shown of it."""

    kind: ReportedKind
    cell: ReportedCell
    hang: ReportedHang
    stacks: tuple[str, ...]


@dataclass(frozen=True)
class Versions:
    """What was installed: ``counts`` cells had each set; ``differing`` maps a package to its version in each set.

    ``first`` are those of the differing ones that are shown first; ``same`` are the same in all sets.
    """

    counts: tuple[int, ...]
    left_out: int
    differing: Mapping[str, Sequence[str]]
    first: tuple[str, ...]
    same: Mapping[str, str]


def page(report: Report, *, links: Links | None = None) -> str:
    """The page of a run; ``links`` lead to the evidence, without them it is only named."""
    cells = report.tried
    varied = varied_of(cells, report.varied)
    style, script = _source("page.css"), _source("page.js")
    return (
        _templates()
        .get_template("page.html.jinja")
        .render(
            report=report,
            started=report.started.isoformat(),
            answer=report.answer[:MOST_LINES],
            cells=cells,
            matrix=arrange(cells, varied),
            filters=_filters(cells, varied),
            is_dense=len(cells) > DENSE_ABOVE,
            counts=_counts(cells),
            signs=SIGNS,
            rate_text=rate_text,
            heads=HEADS,
            waits=report.waits[:MOST_WAITS],
            kinds=_kinds(report),
            versions=_versions(cells),
            data=_embedded(_data(cells, varied, links)),
            style=Markup(style),  # noqa: S704  # a file of this package
            script=Markup(script),  # noqa: S704  # likewise
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )


def links_to(files: Mapping[str, Sequence[str]], *, run: Path, page: Path) -> Links | None:
    """The links from ``page`` to the files of the evidence folders of ``run``.

    None where the way would lead up and through other folders: their names are nobody's business, and the page
    would have to stay where it is.
    """
    way = Path(os.path.relpath(run.resolve(), page.resolve().parent))
    if ".." in way.parts:
        return None
    return {
        folder: [(name, quote(f"./{(way / folder / name).as_posix()}")) for name in names]
        for folder, names in files.items()
    }


def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("repro.presentation.reports"),
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


def _counts(cells: Sequence[ReportedCell]) -> list[tuple[CellVerdict, int]]:
    verdicts = [cell.verdict for cell in cells]
    return [(verdict, verdicts.count(verdict)) for verdict in SIGNS if verdict in verdicts]


def _filters(cells: Sequence[ReportedCell], varied: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The names and levels to filter by: each factor's, and the verdicts'."""
    found = [(name, list(dict.fromkeys(_level(cell, name) for cell in cells))) for name in varied]
    return [*found, ("verdict", [verdict.value for verdict, _ in _counts(cells)])]


def _level(cell: ReportedCell, name: str) -> str:
    return shown(cell.factors.get(name, ""))


def _kinds(report: Report) -> list[ShownKind]:
    """The different hangs, each with the trial that tells most of it."""
    found = []
    for kind in report.hangs[:MOST_KINDS]:
        cell, _, hang = report.telling(kind)
        found.append(ShownKind(kind, cell, hang, tuple(stack[:MOST_STACK] for stack in hang.stacks[:MOST_STACKS])))
    return found


def _versions(cells: Sequence[ReportedCell]) -> Versions:
    """What was installed: the packages that differ between the environments, and those that are the same in all."""
    sets = Counter((cell.python, tuple(sorted(cell.versions.items()))) for cell in cells if cell.versions)
    every = [{"Python": python, **dict(pins)} for python, pins in sets]
    names = list(dict.fromkeys(name for one in every for name in one))
    names.sort(key=lambda name: name not in FIRST_PACKAGES)
    differing = [name for name in names if len({one.get(name, "—") for one in every}) > 1]
    return Versions(
        counts=tuple(sets.values())[:MOST_SETS],
        left_out=max(0, len(every) - MOST_SETS),
        differing={name: [one.get(name, "—") for one in every[:MOST_SETS]] for name in differing},
        first=tuple(name for name in differing if name in FIRST_PACKAGES),
        same={name: every[0][name] for name in names if name not in differing},
    )


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


def _data(cells: Sequence[ReportedCell], varied: Sequence[str], links: Links | None) -> dict[str, Any]:
    """What the page draws when it is asked to. Reasons come first, so that they still fit when the stacks do not."""
    texts = _Texts()
    made = [_cell(cell, varied, texts.index, links) for cell in cells]
    for cell, one in zip(cells, made, strict=True):
        for trial, kept in zip(cell.trials, one["trials"], strict=True):
            stacks = trial.hang.stacks if trial.hang else ()
            kept["stacks"] = [texts.index(stack[:MOST_STACK]) for stack in stacks[:MOST_STACKS]]
    return {"factors": list(varied), "cells": made, "texts": list(texts.kept)}


def _cell(
    cell: ReportedCell, varied: Sequence[str], index: Callable[[str], int], links: Links | None
) -> dict[str, Any]:
    return {
        "id": cell.id,
        "label": cell.label[:400],
        "levels": [_level(cell, name) for name in varied],
        "verdict": cell.verdict,
        "kind": cell.hang_class,
        "rate": rate_and_hosts(cell.rate, cell.hosts),
        "hazard": hazard_text(cell.hazard),
        "trials": [_trial(trial, index, links) for trial in cell.trials],
    }


def _trial(trial: ReportedTrial, index: Callable[[str], int], links: Links | None) -> dict[str, Any]:
    hang = trial.hang
    return {
        "n": trial.number,
        "verdict": trial.verdict,
        "reason": index(trial.reason[:MOST_REASON]),
        "bound": index(hang.bound[:MOST_REASON]) if hang else None,
        "command": index(trial.command[:MOST_REASON]),
        "seconds": round(trial.seconds, 1),
        "operations": asdict(trial.operations),
        "timeline": _thinned(trial.timeline),
        "since": round(hang.stuck_since_s, 3) if hang else None,
        "stuck": [hang.users_stuck, hang.users] if hang else None,
        "evidence": trial.evidence,
        "files": list((links or {}).get(trial.evidence, ())),
        "refused": [f"{rung.name}: {rung.refusal}"[:200] for rung in trial.rungs if rung.refusal],
    }


def _thinned(timeline: Sequence[Moment]) -> dict[str, Any]:
    """The timeline as columns; a long one with ``step`` seconds in a point: the mean of those ended, the most stuck."""
    step = max(1, -(-len(timeline) // MOST_POINTS))
    parts = [timeline[start : start + step] for start in range(0, len(timeline), step)]
    return {
        "step": step,
        "ended": [round(sum(moment.ended for moment in part) / len(part)) for part in parts],
        "stuck": [max(moment.stuck for moment in part) for part in parts],
        "alive": max((moment.alive for moment in timeline), default=0),
    }


def _embedded(value: object) -> Markup:
    """JSON inside a script element: nothing in it can end the element."""
    text = json.dumps(value, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  # every sign that matters to HTML is escaped above
