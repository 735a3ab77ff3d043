"""What a person sees of a run: a live grid on a terminal, plain lines elsewhere, and at its end what it came to."""

from __future__ import annotations

import re
import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from repro.core.hang.same import HangKind, hang_kinds
from repro.core.intervals import could_have_missed
from repro.core.judge.timeline import sparkline
from repro.core.matrix.timeouts import timeout_worth
from repro.core.scrubbing.terminal import for_terminal
from repro.model import Cell, CellResult, CellVerdict, Plan, StoredRun, Trial, Verdict
from repro.presentation.conclusion import sentences_of
from repro.presentation.explanation import bound_text, cause_text_of, explanation_of, reason_of
from repro.presentation.rates import rate_text
from repro.presentation.timeouts import HEADS, WaitLine, worth_lines

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


def make_console(*, to_stderr: bool) -> Console:
    """A console as wide as the terminal; elsewhere wide enough that a cell keeps its line."""
    console = Console(stderr=to_stderr)
    return console if console.is_terminal else Console(stderr=to_stderr, width=PLAIN_WIDTH)


class Progress:
    """Shows a run as it goes; on a terminal as a live grid, elsewhere as one line a trial."""

    def __init__(self, plan: Plan, console: Console, *, jobs: int) -> None:
        self._plan = plan
        self._console = console
        self._jobs = jobs
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

    def trial_began(self, cell: Cell, number: int) -> None:
        """A trial is under way."""
        self._running[cell.id] += 1
        self._refresh()
        if not self._live and number == 1 and len(self._plan.cells) == 1:
            self._say(f"running      {cell.label}")

    def carries(self, backend: str, operations_s: float) -> None:
        """A backend's capacity is known, in operations a second."""
        if operations_s < float("inf"):
            self._say(f"backend      {backend} carries about {operations_s:.0f} operations a second")

    def trial_ended(self, cell: Cell, trial: Trial, *, left: int) -> None:
        """A trial has ended."""
        self._running[cell.id] -= 1
        self._signs[cell.id].append(trial.verdict)
        self._seconds.append(trial.seconds)
        self._left = left
        self._refresh()
        if not self._live:
            what = f"{trial.verdict} ({trial.hang.hang_class})" if trial.hang else str(trial.verdict)
            self._say(f"{what:<20} {trial.seconds:5.1f} s  {cell.label}  [{self._time_left()}]")

    def tick(self) -> None:
        """Keep the clock going."""
        self._refresh()

    def _say(self, text: str) -> None:
        self._console.print(escape(for_terminal(text)), highlight=False, soft_wrap=True)

    def _time_left(self) -> str:
        mean_s = sum(self._seconds) / len(self._seconds) if self._seconds else USUAL_TRIAL_S
        return f"at most {_duration(mean_s * self._left / self._jobs)} left" if self._left else "done"

    def _refresh(self) -> None:
        if self._live:
            self._live.update(self._grid())

    def _grid(self) -> Group:
        rows = self._rows() if len(self._plan.cells) <= self._console.height - ROWS_BESIDE_THE_GRID else self._compact()
        elapsed = _duration(time.monotonic() - self._began)
        foot = f"{elapsed} gone, {self._time_left()}; {sum(self._running.values())} under way"
        building = (
            [Text(f"environment: {for_terminal(self._building)}", style="bright_black")] if self._building else []
        )
        return Group(rows, Text(LEGEND, style="bright_black"), *building, Text(foot))

    def _rows(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for cell in self._plan.cells:
            table.add_row(self._marks(cell), Text(for_terminal(cell.label), overflow="ellipsis", no_wrap=True))
        return table

    def _marks(self, cell: Cell) -> Text:
        marks = Text()
        for verdict in self._signs[cell.id]:
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
    """The table of the cells, the hangs with their reasons, the conclusion, and what to type next."""
    results, folder = run.cells, str(run.folder)
    console.print(_table(results))
    for reason, cells in _reasons(results).items():
        console.print(escape(for_terminal(f"{len(cells)} × {reason}")), highlight=False, soft_wrap=True)
    for kind in hang_kinds(results):
        console.print()
        console.print(escape(for_terminal(_hang(kind))), highlight=False, soft_wrap=True)
    if lines := worth_lines(timeout_worth(results, run.plan.varied)):
        console.print()
        console.print(_waits(lines))
    console.print()
    console.print(Text(for_terminal("; ".join(sentences_of(run))), style="bold"), soft_wrap=True)
    step = shlex.join(["repro", "report", folder, "--format", "html", "-o", "report.html"])
    console.print(
        Text(f"Evidence is in {for_terminal(folder)}. Next: `{for_terminal(step)}`", style="bright_black"),
        soft_wrap=True,
    )


def _table(results: Sequence[CellResult]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("verdict", "hang rate", "cell"):
        table.add_column(name, overflow="fold")
    for result in results:
        table.add_row(_verdict(result), _rate(result), Text(for_terminal(result.cell.label)))
    return table


def _waits(lines: Sequence[WaitLine]) -> Table:
    """What timeouts are worth: the longest wait under each fault, and what a short timeout costs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in HEADS:
        table.add_column(name, overflow="fold")
    for line in lines:
        table.add_row(*(Text(for_terminal(text)) for text in (line.fault, line.told_by, line.longest, line.then)))
    return table


def _verdict(result: CellResult) -> Text:
    style = {CellVerdict.HANG: "bold red", CellVerdict.CLEAN: "green"}.get(result.verdict, "yellow")
    classes = Counter(trial.hang.hang_class for trial in result.trials if trial.hang)
    kind = f" ({', '.join(classes)})" if classes else ""
    return Text(f"{result.verdict}{kind}", style=style)


def _rate(result: CellResult) -> str:
    if result.rate is not None and result.verdict is CellVerdict.CLEAN:
        return f"0 of {result.rate.n}; a rate of up to {could_have_missed(result.rate.n):.0%} could have been missed"
    others = Counter(trial.verdict for trial in result.trials if not trial.verdict.counts_in_rate)
    beside = "".join(f", beside {count} {verdict}" for verdict, count in others.items())
    return rate_text(result.rate) + beside


def _reasons(results: Sequence[CellResult]) -> Mapping[str, list[str]]:
    """The reasons of what is neither clean nor a hang; those that differ in numbers alone are one, the first."""
    found: dict[str, tuple[str, list[str]]] = {}
    for result in results:
        for trial in result.trials:
            if trial.verdict not in {Verdict.CLEAN, Verdict.HANG}:
                text = f"{trial.verdict}: {reason_of(trial)}"
                found.setdefault(_NUMBER.sub("#", text), (text, []))[1].append(result.cell.label)
    return dict(found.values())


def _hang(kind: HangKind) -> str:
    """A paragraph for one of the different hangs: how often, where, why, a timeline."""
    telling = kind.telling
    hang = telling.hang
    lines = [
        f"{len(kind.seen)} × {kind.hang_class}, shown by {telling.cell.label}:",
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


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
