"""Sets up and tears down what trials need: backends, health probes, environments and a scratch folder.

with Session(plan, options) as session:
    session.run(work)                     a run over all cells
    session.trial(cell, number, folder)   one trial, for a hunt or an export
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from repro.core.experiment.factors.level_text import typed
from repro.errors import ReproError, UnreachableError, UntestableError
from repro.model import Cell, Environment, Machine, Plan, Trial, TrialOptions, Verdict
from repro.orchestration.runner import POLL_S, Work, run_cells
from repro.orchestration.trial.collector import Investigator, examine
from repro.orchestration.trial.gateway import Gateways
from repro.orchestration.trial.status import Stage, TrialStatus
from repro.orchestration.trial.trial import TrialServices, run_trial, untestable
from repro.world.backends.capacity import measure_capacity
from repro.world.backends.make import make_backend
from repro.world.backends.protocol import Backend
from repro.world.backends.servers.served import ServedBackend
from repro.world.environments.cache import Builder, EnvironmentCache
from repro.world.processes import door
from repro.world.runs.this_machine import this_machine
from repro.world.shipped.causes import known_causes

if TYPE_CHECKING:
    from repro.world.faults.tls import Authority

EARLY_BUILDERS = 2
CAPACITY_S = 0.5


def _command_of(cell: Cell) -> str:
    """The command that runs a cell of the report's experiment again."""
    own = (shlex.quote(f"{name}={typed(cell.factors[name])}") for name in cell.named)
    return " ".join(["repro run", *(f"--set {one}" for one in own)])


@dataclass(frozen=True)
class SessionOptions:
    """The options of a session; ``backend`` holds those of ``make_backend``.

    ``on_build`` and ``on_built`` are told of environments that are made, ``on_status`` where a trial stands: each in a
    thread of its own. ``belongings`` are folders that go with the session.
    """

    trials: TrialOptions
    _: KW_ONLY
    jobs: int = 1
    backend: Mapping[str, str | None] = field(default_factory=dict)
    reproduce: Callable[[Cell], str] = _command_of
    on_build: Callable[[str], object] = lambda _: None
    on_built: Callable[[str], object] = lambda _: None
    on_moved: Callable[[str], object] = lambda _: None
    on_status: Callable[[TrialStatus], object] = lambda _: None
    on_capacity: Callable[[str, float], None] = lambda _name, _operations_s: None
    belongings: tuple[Path, ...] = ()


class Session:
    """What all trials of a plan share."""

    def __init__(self, plan: Plan, options: SessionOptions) -> None:
        self._plan = plan
        self._options = options
        self._stack = contextlib.ExitStack()
        self._backends: dict[str, Backend] = {}
        self._authority: Authority | None = None
        self._cancelled = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        cache = EnvironmentCache()
        if any(cell.environment.interpreter is None for cell in self._plan.cells):
            cache.check()
        with self._stack:
            self._scratch = Path(tempfile.mkdtemp(prefix="repro-"))
            folders = (self._scratch, *self._options.belongings)
            for folder in folders:
                self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
            self._stack.enter_context(door.warded(*folders))
            self._stack.callback(door.end_all)
            self._builder = self._stack.enter_context(
                Builder(
                    cache,
                    workers=EARLY_BUILDERS,
                    on_progress=self._options.on_build,
                    on_moved=self._options.on_moved,
                    on_built=self._options.on_built,
                )
            )
            for name in {str(cell.settings.get("backend", "moto")) for cell in self._plan.cells}:
                self._start_backend(name)
            if any(cell.settings.get("tls") for cell in self._plan.cells):
                from repro.world.faults.tls import Authority

                self._authority = Authority(self._scratch)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancelled.set()
        self._stack.close()

    @property
    def backends(self) -> Mapping[str, Backend]:
        """The running backends, by name."""
        return self._backends

    def run(self, work: Work) -> None:
        """Run all cells of the plan, or of each the trials of a share; see ``runner.run_cells``."""
        self.build_ahead()
        with ThreadPoolExecutor(max_workers=self._options.jobs, thread_name_prefix="trial") as pool:
            run_cells(self._plan, work, _Threads(self, pool, slots=self._options.jobs))

    def build_ahead(self) -> None:
        """Start to build the environments of the plan's cells, in its order."""
        for cell in self._plan.cells:
            self.environment_of(cell)

    def trial(self, cell: Cell, number: int, folder: Path) -> Trial:
        """Run one trial of a cell, which need not be in the plan; it is untestable if its environment cannot be built.

        Raises:
            UnreachableError: nobody knows whether it can be made; that says nothing of the cell.
        """
        coming = self.environment_of(cell)
        if not coming.done():
            self._options.on_status(
                TrialStatus(cell_id=cell.id, number=number, stage=Stage.ENVIRONMENT, began=time.monotonic())
            )
        while not coming.done() and not self._cancelled.is_set():
            wait([coming], timeout=POLL_S)
        if self._cancelled.is_set():
            trial = untestable(cell, number=number, reason="interrupted", services=self.services)
            return replace(trial, verdict=Verdict.INTERRUPTED)
        try:
            environment = coming.result()
        except UnreachableError:
            raise
        except UntestableError as error:
            return untestable(cell, number=number, reason=str(error), services=self.services)
        return run_trial(cell, environment, number=number, folder=folder, services=self.services)

    def attempt(self, cell: Cell, number: int, folder: Path) -> Trial:
        """The same for a run, which must continue: an error of this program becomes the trial's verdict."""
        try:
            return self.trial(cell, number, folder)
        except UntestableError as error:
            return untestable(cell, number=number, reason=str(error), services=self.services)
        except ReproError as error:
            trial = untestable(cell, number=number, reason=str(error), services=self.services)
            return replace(trial, verdict=Verdict.ERROR)

    def environment_of(self, cell: Cell) -> Future[Environment]:
        """The cell's environment, which is built only once."""
        return self._builder.submit(cell.environment)

    def cancel(self) -> None:
        """Stop the trials under way; they keep their evidence so far."""
        self._cancelled.set()

    def pause(self, limit_s: float) -> None:
        """Wait this long, or until the session is cancelled."""
        self._cancelled.wait(limit_s)

    @property
    def slots(self) -> int:
        """How many trials run at once."""
        return self._options.jobs

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The machines that run trials: this one."""
        return (this_machine(),)

    @property
    def scratch(self) -> Path:
        """A folder that is deleted when the session ends."""
        return self._scratch

    @property
    def services(self) -> TrialServices:
        """The services that the trials of this session share."""
        return TrialServices(
            options=self._options.trials,
            limits=self._plan.limits,
            gateways=self._gateways,
            examine=examine,
            investigate=Investigator(known_causes()),
            reproduce=self._options.reproduce,
            cancelled=self._cancelled,
            scratch=self._scratch,
            on_status=self._options.on_status,
        )

    def _start_backend(self, name: str) -> None:
        folder = self._scratch / name
        folder.mkdir()
        backend = self._make_backend(name, folder)
        backend.start()
        self._stack.callback(backend.stop)
        self._backends[name] = backend
        self._gateways.rehearse(name, folder)
        self._options.on_capacity(name, measure_capacity(backend, CAPACITY_S))

    def _make_backend(self, name: str, folder: Path) -> Backend:
        provision = self._options.trials.provision
        if provision.serve:
            return ServedBackend(provision.serve, provision.serve_url, mark=f"backend-{name}")
        return make_backend(name, folder=folder, mark=f"backend-{name}", **self._options.backend)

    @property
    def _gateways(self) -> Gateways:
        return Gateways(backends=self._backends, authority=self._authority, provision=self._options.trials.provision)


@dataclass(frozen=True)
class _Threads:
    """A session's own trials, each in a thread of this program."""

    session: Session
    pool: ThreadPoolExecutor
    _: KW_ONLY
    slots: int
    ahead: int = 0

    def is_ready(self, cell: Cell) -> bool:
        return self.session.environment_of(cell).done()

    def begin(self, cell: Cell, number: int, folder: Path) -> Future[Trial]:
        return self.pool.submit(self.session.attempt, cell, number, folder)

    def pause(self, limit_s: float) -> None:
        self.session.pause(limit_s)

    def cancel(self) -> None:
        self.session.cancel()
