"""Trials on their way: asked for, running on a worker, fetched from it; and one that is given up."""

from __future__ import annotations

import traceback
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from distributed import Future as Task

from repro.model import Cell, Machine, Trial, TrialOptions, Verdict
from repro.orchestration.workers.slots import MOST_ATTEMPTS, TrialKey
from repro.orchestration.workers.worker import Returned


@dataclass
class Wanted:
    """A trial that was asked for; ``failed_on`` are the workers on which it came to an error of this program."""

    cell: Cell
    number: int
    folder: Path
    is_probe: bool
    failed_on: set[str] = field(default_factory=set)
    future: Future[Trial] = field(default_factory=Future)

    @property
    def key(self) -> TrialKey:
        """What tells it from others."""
        return TrialKey(self.cell.id, self.number)


@dataclass(frozen=True)
class Running:
    """A trial on a worker."""

    trial: TrialKey
    worker: str
    task: Task[Returned]


@dataclass(frozen=True)
class Fetched:
    """What came of a task: the trial, or why there is none; ``reason`` is the error with the line that raised it."""

    task: str
    returned: Returned | None = None
    error: BaseException | None = None
    reason: str = ""

    @classmethod
    def failed(cls, task: str, error: BaseException) -> Fetched:
        """Of an error as it was raised; it is kept without its frames, which would keep whatever they hold."""
        frames = traceback.extract_tb(error.__traceback__)
        at = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, {frames[-1].name})" if frames else ""
        return cls(task, error=error.with_traceback(None), reason=f"{type(error).__name__}: {error}{at}")


def given_up(wanted: Wanted, reason: str, *, options: TrialOptions, machine: Machine) -> Trial:
    """The trial that no worker brought to a verdict; ``machine`` is the last that tried."""
    return Trial(
        cell_id=wanted.cell.id,
        number=wanted.number,
        verdict=Verdict.ERROR,
        reason=f"no verdict in {MOST_ATTEMPTS} attempts: {reason}; look at the log of dask's workers",
        started=datetime.now(UTC),
        seconds=0.0,
        seed=options.of_trial(wanted.number).seed,
        machine=machine.host,
    )
