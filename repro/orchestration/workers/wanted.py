"""Trials on their way: asked for, running on a worker, fetched from it; and one that is given up."""

from __future__ import annotations

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
    """What came of a task: the trial, or why there is none."""

    task: str
    returned: Returned | None = None
    error: BaseException | None = None


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
