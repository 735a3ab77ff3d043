"""A bisection or a blame as it goes: a line for each probe, and below them, on a terminal, what is under way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console, Group

from repro.presentation.lines import duration
from repro.presentation.live.screen import Screen, line
from repro.presentation.live.under_way import UnderWay


class HuntProgress:
    """Shows a hunt as it goes; ``name_of`` is what a cell is called, ``most_trials`` where the hunt gives up."""

    def __init__(self, console: Console, *, name_of: Callable[[str], str], most_trials: int) -> None:
        self._name_of = name_of
        self._most_trials = most_trials
        self._probes = 0
        self._at = ""
        self._began = time.monotonic()
        self._screen = Screen(console, draw=self._drawn, progress=self._progress)
        self.under_way = UnderWay()

    def __enter__(self) -> Self:
        self._screen.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._screen.__exit__(*error)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._screen.say(text)

    def at(self, text: str) -> None:
        """What is looked for now, or what is likeliest so far: shown below what is under way."""
        self._at = text

    def probed(self, cell_id: str, number: int, text: str) -> None:
        """A probe has ended, and this is its line."""
        self._probes += 1
        self.under_way.ended(cell_id, number)
        self._screen.say(text)

    def tick(self) -> None:
        """Keep the clock going."""
        self._screen.tick()

    def _progress(self) -> str:
        what = [*self.under_way.trials(self._name_of), *self.under_way.builds(), self._foot()]
        return f"{'under way':<20} {'; '.join(' '.join(text.split()) for text in what)}"

    def _foot(self) -> str:
        """How far it has come. How many probes it still takes depends on what they show: nobody can say."""
        probes = "1 probe" if self._probes == 1 else f"{self._probes} probes"
        so_far = f"{probes} in {duration(time.monotonic() - self._began)}, at most {self._most_trials}"
        return f"{so_far}; {self._at}" if self._at else so_far

    def _drawn(self) -> Group:
        now = [line(text, style="cyan") for text in self.under_way.trials(self._name_of)]
        builds = [line(text, style="bright_black") for text in self.under_way.builds()]
        return Group(*now, *builds, line(self._foot()))
