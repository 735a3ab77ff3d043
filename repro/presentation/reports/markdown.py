"""A run as Markdown for an issue tracker: short enough, and safe whatever text a cell printed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repro.core.course.timeline import sparkline
from repro.core.scrubbing.terminal import for_terminal
from repro.model import CellVerdict
from repro.presentation.lines import AnswerLine
from repro.presentation.matrix.hosts import rate_and_hosts
from repro.presentation.matrix.levels import ToldApart, told_apart
from repro.presentation.matrix.timeouts import HEADS, WaitLine
from repro.presentation.rates import hazard_text
from repro.presentation.reports.report import Report, ReportedCell, ReportedKind

MOST_CHARACTERS = 60_000
"""Trackers refuse more."""

MOST_TEXT = 700
MOST_PINS = 150
MOST_WAIT = 120
MOST_LINES, MOST_COLUMNS = 20, 12
SHOWN_PACKAGES = ("locust", "gevent", "greenlet", "urllib3", "boto3", "botocore", "requests")


@dataclass(frozen=True)
class Sizes:
    """The limits of a report: rows of the table, kinds of hang, characters of a stack, sets of versions."""

    rows: int
    kinds: int
    stack: int
    sets: int


SIZES = (Sizes(120, 6, 2_500, 20), Sizes(60, 3, 1_200, 10), Sizes(25, 2, 500, 5), Sizes(10, 1, 200, 2))


def markdown(report: Report, *, reproducer: str = "") -> str:
    """The report of a run; ``reproducer`` is a file's text to go with it.

    What does not fit is left out in this order: rows, kinds of hang and the ends of stacks, then the reproducer.
    """
    inline_file = _folded("A file that shows it by itself: `uv run reproduce.py`", _fenced(reproducer, "python"))
    file_beside = "The file that shows it by itself is too long for here: attach `reproduce.py`."
    for file in (inline_file, file_beside) if reproducer else ("",):
        for sizes in SIZES:
            text = "\n\n".join(part for part in _parts(report, sizes, file) if part) + "\n"
            if len(text) < MOST_CHARACTERS:
                return text
    raise AssertionError(f"even the smallest report has {MOST_CHARACTERS} characters")  # each of its parts is bounded


def _parts(report: Report, sizes: Sizes, file: str) -> list[str]:
    versions = inline(report.tool_versions.get("repro", ""))
    return [
        f"# {inline(report.experiment, most=200)}: {_headline(report)}",
        _fenced(report.block[:4_000]) if report.block else "",
        "" if report.block else _answer(report.answer),
        "## Expected\n\nThe load runs its time, every operation ends, and users and process end with it.",
        "## What happens\n\n" + _table(report, sizes.rows),
        _waits(report.waits[: sizes.rows]),
        *_kinds(report, sizes),
        "## Versions\n\n" + _versions(report.cells, sizes.sets),
        f"## How to run it again\n\n{_fenced(report.command[:2_000])}",
        file,
        f"repro {versions}, {inline(report.started.isoformat())}, seed {report.seed}",
    ]


def _headline(report: Report) -> str:
    counted = Counter(cell.verdict for cell in report.tried)
    return ", ".join(f"{count} {verdict}" for verdict, count in counted.most_common())


def _answer(lines: Sequence[AnswerLine]) -> str:
    """The answer, a line each, its items below; a hunt's stands in its text to paste."""
    return "\n".join(row for line in lines[:MOST_LINES] for row in _answer_rows(line))


def _answer_rows(line: AnswerLine) -> Iterator[str]:
    count = f" ({inline(line.count)})" if line.count else ""
    yield f"- **{inline(line.head)}** {inline(line.whole, most=2_000)}{count}{':' if line.items else ''}"
    yield from (f"  - {inline(item, most=2_000)}" for item in line.items[:MOST_LINES])


def _table(report: Report, most: int) -> str:
    """A row a cell, with a column for each factor in which they differ; above it what they share."""
    tried = report.tried
    told = told_apart(tried, report.varied)
    order = sorted(range(len(tried)), key=lambda at: (tried[at].verdict is not CellVerdict.HANG, at))[:most]
    names = ["verdict", "hang rate", "hazard", *(inline(name) for name in told.names[:MOST_COLUMNS])]
    lines = [f"{'All cells' if told.factors else 'Cell'}: {inline(told.shared)}\n"] if told.shared else []
    lines += [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    lines += [_row(tried[at], told) for at in sorted(order)]
    if len(tried) > most:
        lines.append(f"\n{len(tried) - most} more cells are left out here.")
    return "\n".join(lines)


def _row(cell: ReportedCell, told: ToldApart) -> str:
    kind = f" ({cell.hang_class})" if cell.hang_class else ""
    levels = [inline(level, most=300) for level in told.levels_of(cell)[:MOST_COLUMNS]]
    rate, hazard = inline(rate_and_hosts(cell.rate, cell.hosts)), hazard_text(cell.hazard)
    return f"| {' | '.join([f'{cell.verdict}{kind}', rate, hazard, *levels])} |"


def _waits(lines: Sequence[WaitLine]) -> str:
    """The table of the longest waits; empty where there is none."""
    if not lines:
        return ""
    rows = [(line.fault, line.told_by, line.longest, line.then) for line in lines]
    table = [f"| {' | '.join(HEADS)} |", "|---|---|---|---|"]
    table += [f"| {' | '.join(inline(text, most=MOST_WAIT) for text in row)} |" for row in rows]
    return "## The longest waits\n\n" + "\n".join(table)


def _kinds(report: Report, sizes: Sizes) -> list[str]:
    found = [_kind(report, kind, sizes.stack) for kind in report.hangs[: sizes.kinds]]
    left = len(report.hangs) - sizes.kinds
    return [*found, *([f"{left} more kinds of hang are left out here."] if left > 0 else [])]


def _kind(report: Report, kind: ReportedKind, most: int) -> str:
    cell, trial, hang = report.telling(kind)
    parts = [
        f"## {kind.trials} × {kind.hang_class}",
        inline(hang.explanation, most=MOST_TEXT * 2),
        inline(hang.bound, most=MOST_TEXT),
        inline(hang.cause_text, most=MOST_TEXT * 2),
        f"Seen in {inline(told_apart(report.tried, report.varied).label_of(cell), most=300)}:",
    ]
    if trial.timeline:
        ended = sparkline([moment.ended for moment in trial.timeline])
        stuck = sparkline([moment.stuck for moment in trial.timeline])
        parts.append(_fenced(f"ended/s {ended}\nstuck   {stuck}"))
    stacks = [stack[:most] for stack in hang.stacks]
    if stacks:
        parts.append(_fenced(stacks[0]))
    if stacks[1:]:
        parts.append(_folded(f"{len(stacks) - 1} more stacks", "\n\n".join(_fenced(stack) for stack in stacks[1:6])))
    return "\n\n".join(part for part in parts if part)


def _versions(cells: Sequence[ReportedCell], most: int) -> str:
    sets = Counter(_versions_text(cell) for cell in cells if cell.versions)
    lines = [f"- {inline(text)} ({count} cells)" for text, count in list(sets.items())[:most]]
    if len(sets) > len(lines):
        lines.append(f"- {len(sets) - len(lines)} more sets")
    hung = (cell.versions for cell in cells if cell.verdict is CellVerdict.HANG and cell.versions)
    pins = [f"{name}=={version}" for name, version in sorted(next(hung, {}).items())[:MOST_PINS]]
    if pins:
        fenced = _fenced("\n".join(pins)[: MOST_PINS * 40])
        lines.append(f"\n{_folded('All pins of the first cell that hangs', fenced)}")
    return "\n".join(lines)


def _versions_text(cell: ReportedCell) -> str:
    shown = ", ".join(f"{name} {cell.versions[name]}" for name in SHOWN_PACKAGES if name in cell.versions)
    return f"Python {cell.python}, {shown}"


def inline(text: str, *, most: int = MOST_TEXT) -> str:
    """Untrusted text on one line: nothing in it is markup, a mention or a cell's end."""
    plain = " ".join(for_terminal(text).split())
    plain = plain if len(plain) <= most else plain[: most - 1] + "…"
    return re.sub(r"([\\`*_{}\[\]<>|#~!])", r"\\\1", plain).replace("@", "@\u200b")


def _fenced(text: str, language: str = "text") -> str:
    """Untrusted text in a fence longer than any in it."""
    plain = "\n".join(for_terminal(line) for line in text.splitlines())
    longest = max((len(run) for run in re.findall(r"`+", plain)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{plain}\n{fence}"


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"
