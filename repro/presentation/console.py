"""The console, and the summary of a run on it; ``live`` shows a run under way."""

from __future__ import annotations

import os
import re
import shlex
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum

from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro.core.course.timeline import sparkline
from repro.core.hang.same import HangKind, hang_kinds
from repro.core.matrix.timeouts import timeout_worth
from repro.core.scrubbing.terminal import for_terminal
from repro.model import CellResult, CellVerdict, StoredRun, Verdict
from repro.presentation.hang.explanation import bound_text, brief_cause_of, brief_reason_of, explanation_of
from repro.presentation.lines import AnswerLine, fitted, laid_out
from repro.presentation.matrix.conclusion import answer_lines
from repro.presentation.matrix.levels import ToldApart, told_apart
from repro.presentation.matrix.timeouts import HEADS, WaitLine, worth_lines
from repro.presentation.rates import chances_text, hazard_text, rate_text

_NUMBER = re.compile(r"\d[\d.]*")
PLAIN_WIDTH = 240
MOST_HEADING = 13
PROSE_WIDTH = 100
"""Sentences in longer lines are hard to read, however wide the terminal."""


def make_console(*, to_stderr: bool) -> Console:
    """A console as wide as the terminal or ``COLUMNS`` says; without either, wide enough for a cell on each line."""
    console = Console(stderr=to_stderr)
    return Console(stderr=to_stderr, width=PLAIN_WIDTH) if width_of(console) is None else console


def width_of(console: Console) -> int | None:
    """The width to wrap text at; None without a terminal, where text is not wrapped."""
    return console.width if console.is_terminal or os.environ.get("COLUMNS", "").isdigit() else None


def terminal_width(*, to_stderr: bool) -> int | None:
    """The same for a standard stream."""
    return width_of(Console(stderr=to_stderr))


def summary(console: Console, run: StoredRun) -> None:
    """The table of the cells, the hangs with their reasons, the answer, and what to type next."""
    results, folder = run.cells, str(run.folder)
    tried = [result for result in results if result.trials] or list(results)
    told = told_apart([result.cell for result in tried], run.plan.varied)
    if told.shared:
        _print(console, AnswerLine("All cells:" if told.factors else "Cell:", told.shared))
    console.print(_table(console, tried, told))
    reasons = _reasons(results)
    if reasons:
        console.print()
    for reason, cells in reasons.items():
        _print(console, f"{len(cells)} × {reason}")
    for kind in hang_kinds(results):
        console.print()
        _print(console, _hang(kind, told))
    if lines := worth_lines(timeout_worth(results, run.plan.varied)):
        console.print()
        console.print(_waits(lines))
    console.print()
    for line in answer_lines(run):
        _print(console, line, style="bold" if line.head.isupper() else "")
    step = shlex.join(["repro", "report", folder, "--format", "html", "-o", "report.html"])
    console.print(Text(f"Evidence: {for_terminal(folder)}", style="bright_black"), soft_wrap=True)
    console.print(Text(f"Next:     {for_terminal(step)}", style="bright_black"), soft_wrap=True)


def _print(console: Console, what: AnswerLine | str, *, style: str = "") -> None:
    """Print a line of the answer, or text, at the console's width; where there is no terminal a line stays one."""
    width = width_of(console)
    prose = None if width is None else min(width, PROSE_WIDTH)
    text = laid_out(what, width=width) if isinstance(what, AnswerLine) else fitted(what, width=prose)
    console.print(Text(for_terminal(text), style=style), soft_wrap=True)


class Hazards(Enum):
    """How the table shows a cell's hazard: with its bounds, by the operations only, or not at all."""

    WHOLE = "hazard"
    OPERATIONS = "operations"
    NONE = ""


_LAYOUTS = (
    (Hazards.WHOLE, False),
    (Hazards.OPERATIONS, False),
    (Hazards.OPERATIONS, True),
    (Hazards.NONE, True),
)
"""How much the table tells, and whether its lines are folded: the first one that fits the console is taken."""


def _table(console: Console, results: Sequence[CellResult], told: ToldApart) -> Table:
    """A row a cell: what it came to, and a column for each factor in which the cells differ.

    If that is wider than the console, brackets and the parts of a long heading stand below one another, and a hazard is
    only its operations. If that is still too wide, a rate has no interval. Reports have all of it.
    """
    tables = [_cells(results, told, hazards=hazards, is_narrow=is_narrow) for hazards, is_narrow in _LAYOUTS]
    tables.append(_cells(results, told, hazards=Hazards.NONE, is_narrow=True, has_intervals=False))
    unbounded = console.options.update(max_width=PLAIN_WIDTH * 10)  # else nothing measures more than the console has
    widths = (console.measure(table, options=unbounded).maximum for table in tables)
    return next((table for table, width in zip(tables, widths, strict=True) if width <= console.width), tables[-1])


def _cells(
    results: Sequence[CellResult], told: ToldApart, *, hazards: Hazards, is_narrow: bool, has_intervals: bool = True
) -> Table:
    def folded(text: str) -> str:
        return text.replace(" (", "\n(") if is_narrow else text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in filter(None, ("verdict", "hang rate" if has_intervals else "hung", hazards.value)):
        table.add_column(name, no_wrap=is_narrow)
    for name in told.names:
        table.add_column(Text(for_terminal(_heading(name) if is_narrow else name)), overflow="fold")
    for result in results:
        levels = (Text(for_terminal(level)) for level in told.levels_of(result.cell))
        text, style = _verdict(result)
        hazard = [] if hazards is Hazards.NONE else [_hazard(result, hazards)]
        rate = _rate(result) if has_intervals else _hung(result)
        table.add_row(Text(folded(text), style=style), folded(rate), *hazard, *levels)
    return table


def _heading(name: str) -> str:
    """A factor's name on several lines, parted behind its underscores."""
    return "\n".join(line.replace("_ ", "_") for line in textwrap.wrap(name.replace("_", "_ "), MOST_HEADING))


def _waits(lines: Sequence[WaitLine]) -> Table:
    """What timeouts are worth: the longest wait under each fault, and what a short timeout costs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in HEADS:
        table.add_column(name, overflow="fold")
    for line in lines:
        table.add_row(*(Text(for_terminal(text)) for text in (line.fault, line.told_by, line.longest, line.then)))
    return table


def _verdict(result: CellResult) -> tuple[str, str]:
    """A cell's verdict with the classes of its hangs, and its colour."""
    style = {CellVerdict.HANG: "bold red", CellVerdict.CLEAN: "green"}.get(result.verdict, "yellow")
    classes = Counter(trial.hang.hang_class for trial in result.trials if trial.hang)
    kind = f" ({', '.join(classes)})" if classes else ""
    return f"{result.verdict}{kind}", style


def _rate(result: CellResult) -> str:
    """A cell's hang rate, with the trials that do not count in it beside: ``1 of 2 hung (95 % CI …), 1 of 3 crash``."""
    others = Counter(trial.verdict for trial in result.trials if not trial.verdict.counts_in_rate)
    beside = [f"{count} of {len(result.trials)} {verdict}" for verdict, count in others.items()]
    return ", ".join([rate_text(result.rate), *beside] if result.rate or not beside else beside)


def _hung(result: CellResult) -> str:
    """``1 of 3``, without the interval; empty where no trial counts."""
    return f"{result.rate.hits} of {result.rate.n}" if result.rate else ""


def _hazard(result: CellResult, hazards: Hazards) -> str:
    """A cell's hazard, or what it is of; empty where no trial counts in one."""
    if not result.rate:
        return ""
    if hazards is Hazards.WHOLE or result.hazard is None:
        return hazard_text(result.hazard)
    return chances_text(result.hazard)


def _reasons(results: Sequence[CellResult]) -> Mapping[str, list[str]]:
    """The reasons of what is neither clean nor a hang: of those with one cause, or that differ in numbers, one."""
    found: dict[str, tuple[str, list[str]]] = {}
    for result in results:
        for trial in result.trials:
            if trial.verdict not in {Verdict.CLEAN, Verdict.HANG}:
                text = f"{trial.verdict}: {brief_reason_of(trial)}"
                cause = trial.findings.cause if trial.findings else None
                same = f"{trial.verdict} {cause.id}" if cause else _NUMBER.sub("#", text)
                found.setdefault(same, (text, []))[1].append(result.cell.label)
    return dict(found.values())


def _hang(kind: HangKind, told: ToldApart) -> str:
    """A paragraph for one of the different hangs: how often, where, why, a timeline."""
    telling = kind.telling
    hang, found = telling.hang, telling.trial.findings
    example = f", for example with {told.label_of(telling.cell)}" if told.factors else ""
    lines = [
        f"{len(kind.seen)} × {kind.hang_class}{example}:",
        f"  {explanation_of(telling.trial)}",
        f"  {bound_text(hang.bound, found.row if found else None)}"
        + (f"; it recovered after {hang.bound.recovered_after_s:.0f} s." if hang.bound.recovered_after_s else "."),
    ]
    if cause := brief_cause_of(telling.trial):
        lines.append(f"  {cause}")
    if telling.trial.timeline:
        lines.append(f"  ended/s {sparkline([moment.ended for moment in telling.trial.timeline])}")
        lines.append(f"  stuck   {sparkline([moment.stuck for moment in telling.trial.timeline])}")
    return "\n".join(lines)
