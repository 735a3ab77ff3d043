"""A session whose trials run on the workers of a dask cluster: what ``Session`` is to a run or a hunt, elsewhere."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from types import TracebackType
from typing import Self

from repro.errors import ClusterError
from repro.model import Cell, Machine, Plan, Trial
from repro.orchestration.runner import Work, run_cells
from repro.orchestration.session import SessionOptions
from repro.orchestration.workers.address import ClusterAddress
from repro.orchestration.workers.connection import connected
from repro.orchestration.workers.load import packed
from repro.orchestration.workers.pool import WorkerPool
from repro.orchestration.workers.worker import Briefing


class WorkersSession:
    """The standing world of a plan's trials, on workers; ``on_note`` is told what must be known of one."""

    def __init__(
        self, plan: Plan, options: SessionOptions, *, address: ClusterAddress, on_note: Callable[[str], object]
    ) -> None:
        self._plan, self._options = plan, options
        self._address, self._on_note = address, on_note
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        briefing = Briefing(
            name=f"repro-{secrets.token_hex(6)}",
            plan=self._plan,
            load=packed(self._options.trials),
            backend=self._options.backend,
        )
        with self._stack:
            client = self._stack.enter_context(connected(self._address))
            self._pool = WorkerPool(client, briefing, reproduce=self._options.reproduce, on_note=self._on_note)
            self._stack.callback(self._pool.close)
            self._pool.open()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def slots(self) -> int:
        """Trials at once, as of now."""
        return self._pool.slots

    @property
    def ahead(self) -> int:
        """Trials besides that can wait on the workers, so that none idles while a result is on its way."""
        return self._pool.ahead

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Those of the workers that took part so far."""
        return self._pool.machines

    def run(self, work: Work) -> None:
        """Run all cells of the plan, or of each the trials of a share; see ``runner.run_cells``."""
        run_cells(self._plan, work, self)

    def trial(self, cell: Cell, number: int, folder: Path) -> Trial:
        """One trial of a cell that need not be of the plan.

        Raises:
            UnreachableError: nobody knows whether its environment can be made; that says nothing of the cell.
            ClusterError: the cluster is lost, or the session was cancelled.
        """
        try:
            return self._pool.begin(cell, number, folder, is_probe=True).result()
        except CancelledError:
            raise ClusterError("interrupted; continue with --resume") from None

    def environment_of(self, cell: Cell) -> None:
        """Have the cell's environment built on all workers."""
        self._pool.build(cell)

    # An engine of the runner

    def is_ready(self, cell: Cell) -> bool:  # noqa: ARG002  # the Protocol's signature
        """A worker waits for its environments itself."""
        return True

    def begin(self, cell: Cell, number: int, folder: Path) -> Future[Trial]:
        """Begin a trial of a run."""
        return self._pool.begin(cell, number, folder)

    def pause(self, limit_s: float) -> None:
        """Wait this long."""
        time.sleep(limit_s)

    def cancel(self) -> None:
        """Give up the trials under way: their workers end them when the session does."""
        self._pool.cancel()
