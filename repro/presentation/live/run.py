"""A run as it goes: its cells with their trials, what is under way, how long it still takes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from repro.core.scrubbing.terminal import for_terminal
from repro.model import Cell, Plan, Trial, Verdict
from repro.presentation.console import width_of
from repro.presentation.hang.explanation import title_of
from repro.presentation.lines import duration, fitted
from repro.presentation.live.durations import TimeLeft
from repro.presentation.live.screen import Screen, line
from repro.presentation.live.under_way import MOST_LINES, UnderWay
from repro.presentation.matrix.levels import told_apart

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
UNDER_WAY = ("…", "cyan")
MOST_HOSTS = 5
MOST_SIGNS = 40
"""Trials of a cell that are shown, the last ones."""
ROWS_BESIDE_THE_CELLS = 6
"""Heading, legend, foot, an environment and what the terminal itself takes."""


class Progress:
    """Shows a run as it goes; on a terminal as a live grid, elsewhere as one line a trial."""

    def __init__(self, plan: Plan, console: Console, *, jobs: int) -> None:
        self._plan = plan
        self._console = console
        self._jobs = jobs
        self._told = told_apart(plan.cells, plan.varied)
        self._cells = {cell.id: cell for cell in plan.cells}
        self._signs: dict[str, list[Verdict]] = {cell.id: [] for cell in plan.cells}
        self._running: Counter[str] = Counter()
        self._added = 0
        self._said: set[str] = set()
        self._left = len(plan.cells) * plan.trials
        self._began = time.monotonic()
        self._time_left = TimeLeft(plan, jobs)
        self._screen = Screen(console, draw=self._drawn, progress=self._progress)
        self.under_way = UnderWay()

    def __enter__(self) -> Self:
        self._screen.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._screen.__exit__(*error)

    def already(self, trial: Trial) -> None:
        """Show a trial of an earlier start of this run."""
        if trial.cell_id in self._signs:
            self._signs[trial.cell_id].append(trial.verdict)

    def building(self, what: str) -> None:
        """An environment is being built."""
        self.under_way.on_build(what)
        if not self._screen.is_live:
            self._screen.say(f"environment  {what}")

    def moved(self, what: str) -> None:
        """Say what else a changed package changes."""
        self._screen.say(f"environment  {what}")

    def workers(self, what: str) -> None:
        """Say what must be known of workers elsewhere."""
        self._screen.say(f"workers      {what}")

    def runs_on(self, hosts: Sequence[str], *, jobs: int) -> None:
        """So many trials run at once, now that it is known, on the workers of these machines."""
        self._jobs = self._time_left.jobs = jobs
        more = f" and {len(hosts) - MOST_HOSTS} more" if len(hosts) > MOST_HOSTS else ""
        self.workers(f"{jobs} {'trial' if jobs == 1 else 'trials'} at once on {', '.join(hosts[:MOST_HOSTS])}{more}")

    def will_take(self, text: str, *, trials: int) -> None:
        """What an effort without a fixed number of trials will take, before the first of them."""
        self._left = trials
        self._screen.say(f"effort       {text}")

    def carries(self, backend: str, operations_s: float) -> None:
        """A backend's capacity is known, in operations a second."""
        if operations_s < float("inf"):
            self._screen.say(f"backend      {backend} carries about {operations_s:.0f} operations a second")

    def cell_added(self, cell: Cell) -> None:
        """A cell that the plan did not foresee is tried, to see what its hangs are caused by."""
        if not self._added:
            self._screen.say("confirming   cells that show which combination hangs are added")
        self._added += 1
        self._plan = replace(self._plan, cells=(*self._plan.cells, cell))
        self._cells[cell.id] = cell
        self._signs.setdefault(cell.id, [])

    def trial_began(self, cell: Cell, number: int) -> None:
        """A trial is under way."""
        self._running[cell.id] += 1
        self._screen.tick(at_once=True)
        if number == 1 and len(self._plan.cells) == 1:
            self._screen.say(f"running      {self._told.label_of(cell)}")

    def trial_ended(self, cell: Cell, trial: Trial, *, left: int) -> None:
        """A trial has ended."""
        self._running[cell.id] -= 1
        self.under_way.ended(cell.id, trial.number)
        self._signs[cell.id].append(trial.verdict)
        self._time_left.add(trial.seconds)
        self._left = left
        what = f"{trial.verdict} ({trial.hang.hang_class})" if trial.hang else str(trial.verdict)
        name = self._name(cell) if self._told.factors else f"trial {trial.number}"
        if not self._screen.is_live:
            self._screen.say(f"{what:<20} {trial.seconds:5.1f} s  {name}  [{self._left_text}]")
        if trial.hang:
            if self._screen.is_live:
                self._screen.say(f"{what:<20} {name}")
            self._say_reason(trial)
        self._screen.tick(at_once=True)

    def tick(self) -> None:
        """Keep the clock going."""
        self._screen.tick()

    def _say_reason(self, trial: Trial) -> None:
        """Why it hung, as soon as it is known; the same reason only once."""
        title = " ".join(title_of(trial).split())
        if title not in self._said:
            self._said.add(title)
            self._screen.say(fitted(title, width=width_of(self._console), indent="  "))

    def _name(self, cell: Cell) -> str:
        """A cell by what tells it from the others; on a terminal, below their headings, by its levels alone."""
        return ", ".join(self._told.levels_of(cell)) if self._screen.is_live else self._told.label_of(cell)

    def _name_of(self, cell_id: str) -> str:
        return self._name(self._cells[cell_id]) if self._told.factors else ""

    @property
    def _left_text(self) -> str:
        return self._time_left.text(self._left, self.under_way.seconds)

    def _progress(self) -> str:
        what = [*self.under_way.trials(self._name_of), *self.under_way.builds()]
        return f"{'under way':<20} {'; '.join(' '.join(text.split()) for text in what)}  [{self._left_text}]"

    # On a terminal

    def _drawn(self) -> Group:
        under_way, builds = self.under_way.trials(self._name_of), self.under_way.builds()
        room = self._console.height - ROWS_BESIDE_THE_CELLS - min(self._jobs, MOST_LINES) - len(builds)
        rows = self._rows() if len(self._plan.cells) <= room else self._compact()
        now = [line(text, style="cyan") for text in under_way]
        return Group(rows, self._legend(), *now, *(line(text, style="bright_black") for text in builds), self._foot())

    def _foot(self) -> Text:
        ended = sum(map(len, self._signs.values()))
        so_far = f"{ended} of up to {ended + self._left} trials in {duration(time.monotonic() - self._began)}"
        more = ", besides the environments" if self.under_way.is_building else ""
        return line(f"{so_far}; {self._left_text}{more}")

    def _legend(self) -> Text:
        seen = {verdict for verdicts in self._signs.values() for verdict in verdicts}
        signs = [(*SIGNS[verdict], str(verdict)) for verdict in Verdict if verdict in seen]
        shown = [*signs, (*UNDER_WAY, "under way")] if any(self._running.values()) else signs
        return Text("  ").join(Text(f"{sign} ", style=style) + Text(name) for sign, style, name in shown)

    def _rows(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bright_black", show_header=bool(self._told.factors))
        for name in ("", *self._told.names) if self._told.factors else ("", ""):
            table.add_column(Text(for_terminal(name)), overflow="ellipsis", no_wrap=True)
        for cell in self._plan.cells:
            levels = self._told.levels_of(cell) if self._told.factors else (self._told.label_of(cell),)
            table.add_row(self._marks(cell), *(line(level) for level in levels))
        return table

    def _marks(self, cell: Cell) -> Text:
        marks = Text()
        for verdict in self._signs[cell.id][-MOST_SIGNS:]:
            marks.append(*SIGNS[verdict])
        marks.append(UNDER_WAY[0] * self._running[cell.id], UNDER_WAY[1])
        return marks + Text(" " * max(0, min(self._plan.trials, MOST_SIGNS) - len(marks)))

    def _compact(self) -> Text:
        """One sign a cell, where there are more cells than lines."""
        text = Text()
        for cell in self._plan.cells:
            text.append(*self._sign(cell))
        return text

    def _sign(self, cell: Cell) -> tuple[str, str]:
        verdicts = self._signs[cell.id]
        worst = [verdict for verdict in Verdict if verdict in verdicts and verdict is not Verdict.CLEAN]
        if worst or verdicts:
            return SIGNS[worst[0] if worst else Verdict.CLEAN]
        return UNDER_WAY if self._running[cell.id] else ("_", "bright_black")
