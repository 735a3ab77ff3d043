"""Estimates the time left of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from repro.model import Plan
from repro.presentation.lines import duration

BESIDE_THE_LOAD_S = 5.0
"""Seconds of a usual trial besides its load: starting, stopping, evidence."""
COARSE_S = 120
HOUR_MIN = 60


def about(seconds: float) -> str:
    """A rounded duration, for estimates: ``40 s``, ``5 min``, ``2 h 30 min``."""
    if seconds < COARSE_S:
        return f"{max(10, 10 * round(seconds / 10))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < HOUR_MIN else duration(minutes * 60)


@dataclass
class TimeLeft:
    """How long the trials still take, by those that have ended; before the first one by the load of the plan."""

    plan: Plan
    jobs: int
    _seconds: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        """Record how long a trial took."""
        self._seconds.append(seconds)

    def text(self, left: int, under_way_s: Sequence[float]) -> str:
        """``up to 5 min left``: ``left`` is the most trials to come, those under way included, which run so long.

        ``longer than expected`` where all of those have had their time: nobody knows for how long users will be waited
        for.
        """
        if not left:
            return "done"
        if sum(seconds > self._trial_s for seconds in under_way_s) >= left:
            return "longer than expected"
        whole = self._trial_s * left - sum(min(seconds, self._trial_s) for seconds in under_way_s)
        return f"up to {about(whole / min(self.jobs, left))} left"

    @property
    def _trial_s(self) -> float:
        if self._seconds:
            return sum(self._seconds) / len(self._seconds)
        loads = [float(cell.settings.get("seconds", 0)) for cell in self.plan.cells]
        return sum(loads) / max(len(loads), 1) + BESIDE_THE_LOAD_S
