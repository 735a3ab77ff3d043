"""The trials under way and the environments that are being built, as their own threads say and one thread draws."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from repro.orchestration.trial.status import Stage, TrialStatus
from repro.presentation.lines import duration

STAGES = {
    Stage.ENVIRONMENT: "waits for its environment",
    Stage.PREPARING: "preparing",
    Stage.STARTING: "starting",
    Stage.LOAD: "load",
    Stage.STOPPING: "stopping",
    Stage.COLLECTING: "collecting evidence",
    Stage.WAITING: "waiting for it to recover",
}
MOST_LINES = 8
"""Trials under way that are shown, and environments; the others are counted."""


@dataclass
class UnderWay:
    """What is under way. ``on_status``, ``on_build`` and ``on_built`` keep a record and return: their threads judge."""

    _statuses: dict[tuple[str, int], TrialStatus] = field(default_factory=dict)
    _since: dict[tuple[str, int], float] = field(default_factory=dict)
    _builds: dict[str, float] = field(default_factory=dict)

    def on_status(self, status: TrialStatus) -> None:
        """A trial stands there now."""
        key = (status.cell_id, status.number)
        before = self._statuses.get(key)
        if before is None or before.stage is not status.stage:
            self._since[key] = time.monotonic()
        self._statuses[key] = status

    def on_build(self, what: str) -> None:
        """An environment is being built."""
        self._builds[what] = time.monotonic()

    def on_built(self, what: str) -> None:
        """It is there, or cannot be made."""
        self._builds.pop(what, None)

    def ended(self, cell_id: str, number: int) -> None:
        """A trial is over."""
        self._statuses.pop((cell_id, number), None)
        self._since.pop((cell_id, number), None)

    @property
    def seconds(self) -> tuple[float, ...]:
        """How long each trial under way has run."""
        now = time.monotonic()
        return tuple(now - status.began for status in tuple(self._statuses.values()))

    @property
    def is_building(self) -> bool:
        """Whether an environment is being built."""
        return bool(self._builds)

    def trials(self, name_of: Callable[[str], str]) -> list[str]:
        """A line for each trial under way; ``name_of`` is what its cell is called."""
        now, statuses = time.monotonic(), tuple(self._statuses.values())
        since = [self._since.get((status.cell_id, status.number), now) for status in statuses[:MOST_LINES]]
        texts = [status_text(status, seconds=now - at) for status, at in zip(statuses, since, strict=False)]
        width = max(map(len, texts), default=0)
        lines = [f"{text:<{width}}  {name_of(status.cell_id)}" for text, status in zip(texts, statuses, strict=False)]
        return [*lines, *_more(len(statuses))]

    def builds(self) -> list[str]:
        """A line for each environment that is being built."""
        now, builds = time.monotonic(), tuple(self._builds.items())
        lines = [f"building {duration(now - since)}  {what}" for what, since in builds[:MOST_LINES]]
        return [*lines, *_more(len(builds))]


def status_text(status: TrialStatus, *, seconds: float) -> str:
    """``load 6 s, 412 operations/s``; once it is decided ``hang (unstoppable), collecting evidence 2 s``.

    ``seconds`` is how long it has been at this stage.
    """
    stage = f"{STAGES[status.stage]} {duration(seconds)}"
    if status.verdict is not None:
        kind = f" ({status.hang_class})" if status.hang_class else ""
        return f"{status.verdict}{kind}, {stage}"
    is_loaded = status.stage in {Stage.LOAD, Stage.STOPPING}
    return f"{stage}, {status.per_s:,.0f} operations/s" if is_loaded else stage


def _more(count: int) -> list[str]:
    return [f"and {count - MOST_LINES} more"] if count > MOST_LINES else []
