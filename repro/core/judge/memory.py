"""What a trial has shown so far: takes samples and looks, one by one, and tells what is known at a sample."""

from __future__ import annotations

from collections.abc import Mapping

from repro.core.judge.locks import Looks
from repro.core.judge.now import Load, Now
from repro.core.judge.samples import Examination, Key, Sample
from repro.core.judge.tracks import Crowd, Helpers, Loops, Processor, ProgressMade, Starvation, StopOrder, Turns
from repro.model import Limits


class Memory:
    """All that is kept of a trial. ``at``, ``learn`` and ``ask_stop`` alone change it."""

    def __init__(self, limits: Limits, load: Load) -> None:
        self._limits = limits
        self._load = load
        self._first: Sample | None = None
        self._asked_stop: float | None = None
        self._starters_died_at: float | None = None
        self._last_call: Mapping[Key, float] | None = None
        self._progress = ProgressMade()
        self._crowd = Crowd()
        self._stop_order = StopOrder()
        self._loops = Loops()
        self._helpers = Helpers()
        self._processor = Processor()
        self._cell_starvation = Starvation()
        self._starvation = Starvation()
        self._turns = Turns()
        self._looks = Looks()

    def at(self, sample: Sample) -> Now:
        """Take a sample: what is known by it."""
        self._first = self._first or sample
        self._progress = self._progress.after(sample)
        self._crowd = self._crowd.after(sample)
        self._loops = self._loops.after(sample)
        self._helpers = self._helpers.after(sample, self._crowd)
        self._turns = self._turns.after(sample, self._crowd)
        self._processor = self._processor.after(sample)
        self._cell_starvation = self._cell_starvation.after(sample.now, sample.denied_s)
        self._starvation = self._starvation.after(sample.now, {**sample.denied_s, **sample.denied_beside_s})
        is_stopping = sample.quit_at is not None or self._asked_stop is not None
        self._stop_order = self._stop_order.after(sample, self._crowd, is_stopping=is_stopping)
        self._note_deaths(sample)
        self._call_last(sample, is_stopping=is_stopping)
        return self._now(self._first, sample)

    def learn(self, look: Examination) -> None:
        """Take a look at the stacks."""
        self._looks = self._looks.after(look, self._crowd.quiet_since)

    def ask_stop(self, at: float) -> None:
        """Note that the trial was asked to stop."""
        self._asked_stop = at

    def _note_deaths(self, sample: Sample) -> None:
        has_died = any(reading.deaths.starting_users for reading in sample.readings)
        if has_died and self._starters_died_at is None:
            self._starters_died_at = sample.now

    def _call_last(self, sample: Sample, *, is_stopping: bool) -> None:
        """Note who stands where at the first sample after the load's time: they are waited for."""
        if self._last_call is not None or is_stopping or sample.load_at is None:
            return
        if sample.now - sample.load_at >= self._load.seconds:
            self._last_call = self._crowd.quiet_since

    def _now(self, first: Sample, sample: Sample) -> Now:
        return Now(
            sample=sample,
            limits=self._limits,
            load=self._load,
            began=first.now,
            asked_stop=self._asked_stop,
            starters_died_at=self._starters_died_at,
            overflows=sample.backend.overflows - first.backend.overflows,
            last_call=self._last_call,
            progress=self._progress,
            crowd=self._crowd,
            stop_order=self._stop_order,
            loops=self._loops,
            helpers=self._helpers,
            processor=self._processor,
            cell_starvation=self._cell_starvation,
            starvation=self._starvation,
            turns=self._turns,
            looks=self._looks,
        )
