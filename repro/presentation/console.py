"""What a person sees of a run: a live grid on a terminal, plain lines elsewhere, and at its end what it came to."""

from __future__ import annotations

import os
import re
import shlex
import textwrap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from repro.core.course.timeline import sparkline
from repro.core.hang.same import HangKind, hang_kinds
from repro.core.matrix.timeouts import timeout_worth
from repro.core.scrubbing.terminal import for_terminal
from repro.model import Cell, CellResult, CellVerdict, Plan, StoredRun, Trial, Verdict
from repro.presentation.hang.explanation import bound_text, cause_text_of, explanation_of, reason_of, title_of
from repro.presentation.lines import AnswerLine, duration, fitted, laid_out
from repro.presentation.matrix.conclusion import answer_lines
from repro.presentation.matrix.levels import ToldApart, told_apart
from repro.presentation.matrix.timeouts import HEADS, WaitLine, worth_lines
from repro.presentation.rates import hazard_text, rate_text

SIGNS = {
    Verdict.CLEAN: ("·", "green"),
    Verdict.HANG: ("H", "bold red"),
    Verdict.CRASH: ("X", "magenta"),
    Verdict.FAILING: ("F", "yellow"),
    Verdict.UNTESTABLE: ("U", "bright_black"),
    Verdict.BACKEND: ("B", "yellow"),
    Verdict.ERROR: ("E", "yellow"),
    Verdict.INTERRUPTED: ("I", "bright_black"),
    Verdict.INCONCLUSIVE: ("?", "yellow"),
}
LEGEND = "· clean  H hang  X crash  F failing  U untestable  B backend  E error  I interrupted  ? inconclusive"
_NUMBER = re.compile(r"\d[\d.]*")
ROWS_BESIDE_THE_GRID = 6
USUAL_TRIAL_S = 12.0
PLAIN_WIDTH = 240
MOST_HEADING = 13
MOST_SIGNS = 40


def make_console(*, to_stderr: bool) -> Console:
    """A console as wide as the terminal, or as ``COLUMNS`` says; elsewhere wide enough that a cell keeps its line."""
    console = Console(stderr=to_stderr)
    return Console(stderr=to_stderr, width=PLAIN_WIDTH) if width_of(console) is None else console


def width_of(console: Console) -> int | None:
    """The columns that text is wrapped at; None where there is no terminal, whose lines stay as they are."""
    return console.width if console.is_terminal or os.environ.get("COLUMNS", "").isdigit() else None


def terminal_width(*, to_stderr: bool) -> int | None:
    """The same for a standard stream."""
    return width_of(Console(stderr=to_stderr))


class Progress:
    """Shows a run as it goes; on a terminal as a live grid, elsewhere as one line a trial."""

    def __init__(self, plan: Plan, console: Console, *, jobs: int) -> None:
        self._plan = plan
        self._console = console
        self._jobs = jobs
        self._told = told_apart(plan.cells, plan.varied)
        self._signs: dict[str, list[Verdict]] = {cell.id: [] for cell in plan.cells}
        self._running: Counter[str] = Counter()
        self._seconds: list[float] = []
        self._left = len(plan.cells) * plan.trials
        self._building = ""
        self._began = time.monotonic()
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def already(self, trial: Trial) -> None:
        """Show a trial of an earlier start of this run."""
        if trial.cell_id in self._signs:
            self._signs[trial.cell_id].append(trial.verdict)

    def building(self, text: str) -> None:
        """Say what is being built."""
        if text != self._building and text and not self._live:
            self._say(f"environment  {text}")
        self._building = text

    def moved(self, text: str) -> None:
        """Say what else a changed package changes."""
        self._say(f"environment  {text}")

    def trial_began(self, cell: Cell, number: int) -> None:
        """A trial is under way."""
        self._running[cell.id] += 1
        self._refresh()
        if not self._live and number == 1 and len(self._plan.cells) == 1:
            self._say(f"running      {self._told.label_of(cell)}")

    def carries(self, backend: str, operations_s: float) -> None:
        """A backend's capacity is known, in operations a second."""
        if operations_s < float("inf"):
            self._say(f"backend      {backend} carries about {operations_s:.0f} operations a second")

    def will_take(self, text: str, *, trials: int) -> None:
        """What an effort without a fixed number of trials will take, before the first of them."""
        self._left = trials
        self._say(f"effort       {text}")

    def trial_ended(self, cell: Cell, trial: Trial, *, left: int) -> None:
        """A trial has ended."""
        self._running[cell.id] -= 1
        self._signs[cell.id].append(trial.verdict)
        self._seconds.append(trial.seconds)
        self._left = left
        self._refresh()
        if not self._live:
            what = f"{trial.verdict} ({trial.hang.hang_class})" if trial.hang else str(trial.verdict)
            self._say(f"{what:<20} {trial.seconds:5.1f} s  {self._told.label_of(cell)}  [{self._time_left()}]")
        if trial.hang:
            self._say_reason(cell, trial)

    def tick(self) -> None:
        """Keep the clock going."""
        self._refresh()

    def _say_reason(self, cell: Cell, trial: Trial) -> None:
        """Why it hung, in one line as soon as it is known; on a terminal above the grid, with its cell."""
        where = f"{self._told.label_of(cell)}: " if self._live else ""
        line = f"  {where}{' '.join(title_of(trial).split())}"
        width = width_of(self._console)
        is_long = width is not None and len(line) > width
        self._say(f"{line[: (width or 0) - 1]}…" if is_long else line)

    def _say(self, text: str) -> None:
        self._console.print(escape(for_terminal(text)), highlight=False, soft_wrap=True)

    def _time_left(self) -> str:
        mean_s = sum(self._seconds) / len(self._seconds) if self._seconds else USUAL_TRIAL_S
        return f"at most {duration(mean_s * self._left / self._jobs)} left" if self._left else "done"

    def _refresh(self) -> None:
        if self._live:
            self._live.update(self._grid())

    def _grid(self) -> Group:
        rows = self._rows() if len(self._plan.cells) <= self._console.height - ROWS_BESIDE_THE_GRID else self._compact()
        elapsed = duration(time.monotonic() - self._began)
        foot = f"{elapsed} gone, {self._time_left()}; {sum(self._running.values())} under way"
        building = (
            [Text(f"environment: {for_terminal(self._building)}", style="bright_black")] if self._building else []
        )
        return Group(rows, Text(LEGEND, style="bright_black"), *building, Text(foot))

    def _rows(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for cell in self._plan.cells:
            table.add_row(
                self._marks(cell), Text(for_terminal(self._told.label_of(cell)), overflow="ellipsis", no_wrap=True)
            )
        return table

    def _marks(self, cell: Cell) -> Text:
        marks = Text()
        for verdict in self._signs[cell.id][-MOST_SIGNS:]:
            marks.append(*SIGNS[verdict])
        marks.append("…" * self._running[cell.id], "cyan")
        return marks + Text(" " * max(0, self._plan.trials - len(marks)))

    def _compact(self) -> Text:
        text = Text()
        for cell in self._plan.cells:
            verdicts = self._signs[cell.id]
            worst = next(
                (v for v in Verdict if v in verdicts and v is not Verdict.CLEAN), Verdict.CLEAN if verdicts else None
            )
            sign, style = SIGNS[worst] if worst else ("…" if self._running[cell.id] else "_", "cyan")
            text.append(sign, style)
        return text


def summary(console: Console, run: StoredRun) -> None:
    """The table of the cells, the hangs with their reasons, the answer, and what to type next."""
    results, folder = run.cells, str(run.folder)
    tried = [result for result in results if result.trials] or list(results)
    told = told_apart([result.cell for result in tried], run.plan.varied)
    if told.shared:
        _print(console, AnswerLine("All cells:" if told.factors else "Cell:", told.shared))
    console.print(_table(console, tried, told))
    for reason, cells in _reasons(results).items():
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
    text = laid_out(what, width=width) if isinstance(what, AnswerLine) else fitted(what, width=width)
    console.print(Text(for_terminal(text), style=style), soft_wrap=True)


def _table(console: Console, results: Sequence[CellResult], told: ToldApart) -> Table:
    """A row a cell: what it came to, and a column for each factor in which the cells differ.

    Where that is wider than the console, brackets and the parts of a long heading stand below one another.
    """
    table = _cells(results, told, is_narrow=False)
    return table if console.measure(table).maximum <= console.width else _cells(results, told, is_narrow=True)


def _cells(results: Sequence[CellResult], told: ToldApart, *, is_narrow: bool) -> Table:
    def folded(text: str) -> str:
        return text.replace(" (", "\n(") if is_narrow else text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("verdict", "hang rate", "hazard"):
        table.add_column(name, no_wrap=is_narrow)
    for name in told.names:
        table.add_column(Text(for_terminal(_heading(name) if is_narrow else name)), overflow="fold")
    for result in results:
        levels = (Text(for_terminal(level)) for level in told.levels_of(result.cell))
        text, style = _verdict(result)
        table.add_row(
            Text(folded(text), style=style), folded(_rate(result)), _hazard(result, is_narrow=is_narrow), *levels
        )
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


def _hazard(result: CellResult, *, is_narrow: bool) -> str:
    """A cell's hazard; empty where no trial counts in one."""
    text = hazard_text(result.hazard) if result.rate else ""
    return text.replace(": ", ":\n").replace(" (", "\n(") if is_narrow else text


def _reasons(results: Sequence[CellResult]) -> Mapping[str, list[str]]:
    """The reasons of what is neither clean nor a hang; those that differ in numbers alone are one, the first."""
    found: dict[str, tuple[str, list[str]]] = {}
    for result in results:
        for trial in result.trials:
            if trial.verdict not in {Verdict.CLEAN, Verdict.HANG}:
                text = f"{trial.verdict}: {reason_of(trial)}"
                found.setdefault(_NUMBER.sub("#", text), (text, []))[1].append(result.cell.label)
    return dict(found.values())


def _hang(kind: HangKind, told: ToldApart) -> str:
    """A paragraph for one of the different hangs: how often, where, why, a timeline."""
    telling = kind.telling
    hang = telling.hang
    lines = [
        f"{len(kind.seen)} × {kind.hang_class}{f', shown by {told.label_of(telling.cell)}' if told.factors else ''}:",
        f"  {explanation_of(telling.trial)}",
        f"  {bound_text(hang.bound)}"
        + (f"; it recovered after {hang.bound.recovered_after_s:.0f} s" if hang.bound.recovered_after_s else ""),
    ]
    if cause := cause_text_of(telling.trial):
        lines.append(f"  {cause}")
    if telling.trial.timeline:
        lines.append(f"  ended/s {sparkline([moment.ended for moment in telling.trial.timeline])}")
        lines.append(f"  stuck   {sparkline([moment.stuck for moment in telling.trial.timeline])}")
    return "\n".join(lines)
