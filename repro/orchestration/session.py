"""Everything that must stand for trials to run: backends, their health, environments, scratch; and its end, whatever happens.

with Session(plan, options) as session:
    session.run(store, observer)          a run over all cells
    session.trial(cell, number, folder)   one trial, for a hunt or an export
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from repro.core.judge.samples import BackendHealth
from repro.errors import UnreachableError, UntestableError
from repro.model import Cell, Environment, Plan, Trial, Verdict
from repro.orchestration.collector import Investigator, examine
from repro.orchestration.health import HealthWatch
from repro.orchestration.runner import POLL_S, Observer, TrialStore, Work, run_cells
from repro.orchestration.trial import Gateway, TrialServices, run_trial, untestable
from repro.world.backends.capacity import measure_capacity
from repro.world.backends.make import make_backend
from repro.world.backends.protocol import Backend
from repro.world.backends.request_log import LoggedRequest, write_requests
from repro.world.environments.cache import Builder, EnvironmentCache
from repro.world.processes import door
from repro.world.shipped.causes import known_causes

if TYPE_CHECKING:
    from repro.world.faults.tls import Authority

EARLY_BUILDERS = 2
CAPACITY_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a session is run, besides its plan; ``backend`` are the options of ``make_backend``."""

    locustfile: Path
    jobs: int = 1
    seed: int = 0
    is_untouched: bool = False
    wait_out_s: float = 0.0
    request_budget: int = 0
    backend: Mapping[str, str | None] = field(default_factory=dict)
    reproduce: Callable[[Cell], str] = lambda cell: f"repro run --set {shlex.quote(cell.label)}"
    on_build: Callable[[str], None] = lambda _: None
    on_capacity: Callable[[str, float], None] = lambda _name, _operations_s: None


class Session:
    """The standing world of a plan's trials."""

    def __init__(self, plan: Plan, options: Options) -> None:
        self._plan = plan
        self._options = options
        self._stack = contextlib.ExitStack()
        self._backends: dict[str, Backend] = {}
        self._health: dict[str, HealthWatch] = {}
        self._authority: Authority | None = None
        self._cancelled = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        cache = EnvironmentCache()
        if any(cell.environment.interpreter is None for cell in self._plan.cells):
            cache.check()
        with self._stack:
            self._scratch = Path(tempfile.mkdtemp(prefix="repro-"))
            self._stack.callback(shutil.rmtree, self._scratch, ignore_errors=True)
            self._stack.enter_context(door.warded(self._scratch))
            self._stack.callback(door.end_all)
            self._builder = self._stack.enter_context(
                Builder(cache, workers=EARLY_BUILDERS, on_progress=self._options.on_build)
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
        """The backends that stand, by name."""
        return self._backends

    def run(self, store: TrialStore, observer: Observer, *, finished: tuple[Trial, ...] = ()) -> None:
        """Run all cells of the plan; see ``runner.run_cells``."""
        for cell in self._plan.cells:
            self.environment_of(cell)  # asked for in the plan's order, built ahead of their trials
        run_cells(
            self._plan,
            Work(
                site=self.site,
                store=store,
                environment_of=self.environment_of,
                observer=observer,
                jobs=self._options.jobs,
                finished=finished,
            ),
        )

    def trial(self, cell: Cell, number: int, folder: Path) -> Trial:
        """One trial of a cell that need not be of the plan; an environment that cannot be made is its verdict.

        Raises:
            UnreachableError: nobody knows whether it can be made; that says nothing of the cell.
        """
        coming = self.environment_of(cell)
        while not coming.done() and not self._cancelled.is_set():
            wait([coming], timeout=POLL_S)
        if self._cancelled.is_set():
            trial = untestable(cell, number=number, reason="interrupted", site=self.site)
            return replace(trial, verdict=Verdict.INTERRUPTED)
        try:
            environment = coming.result()
        except UnreachableError:
            raise
        except UntestableError as error:
            return untestable(cell, number=number, reason=str(error), site=self.site)
        return run_trial(cell, environment, number=number, folder=folder, site=self.site)

    def environment_of(self, cell: Cell) -> Future[Environment]:
        """The cell's environment, built once however often it is asked for."""
        return self._builder.submit(cell.environment)

    def cancel(self) -> None:
        """End the trials under way; they keep what evidence they have."""
        self._cancelled.set()

    @property
    def site(self) -> TrialServices:
        """What the trials of this session share."""
        options = self._options
        return TrialServices(
            locustfile=options.locustfile,
            limits=self._plan.limits,
            open_gateway=self._open_gateway,
            health=self._health_of,
            examine=examine,
            investigate=Investigator(known_causes()),
            reproduce=options.reproduce,
            cancelled=self._cancelled,
            seed=options.seed,
            is_untouched=options.is_untouched,
            wait_out_s=options.wait_out_s,
            request_budget=options.request_budget,
        )

    def _start_backend(self, name: str) -> None:
        folder = self._scratch / name
        folder.mkdir()
        backend = make_backend(name, folder=folder, mark=f"backend-{name}", **self._options.backend)
        backend.start()
        self._stack.callback(backend.stop)
        self._backends[name] = backend
        self._options.on_capacity(name, measure_capacity(backend, CAPACITY_S))
        self._health[name] = self._stack.enter_context(HealthWatch(backend))

    def _health_of(self, name: str) -> BackendHealth:
        return self._health[name].latest()

    @contextlib.contextmanager
    def _open_gateway(self, cell: Cell, folder: Path, mark: str, seed: int) -> Iterator[Gateway]:
        """A fresh queue, and between it and the cell what the cell asks for: a fault, TLS, both, or nothing."""
        backend = self._backends[str(cell.settings.get("backend", "moto"))]
        queue = f"repro-{cell.id[:8]}-{secrets.token_hex(4)}"
        since = backend.request_mark()
        backend.new_queue(queue, messages=int(cell.settings.get("messages", 0)))
        try:
            with self._way_to(backend, cell, folder, mark, seed) as gateway:
                yield replace(
                    gateway(queue), open_requests=lambda: _open_requests(backend.requests_since(since), queue)
                )
        finally:
            write_requests(folder / "backend-requests.jsonl", backend.requests_since(since), queue=queue)
            backend.drop_queue(queue)

    @contextlib.contextmanager
    def _way_to(
        self, backend: Backend, cell: Cell, folder: Path, mark: str, seed: int
    ) -> Iterator[Callable[[str], Gateway]]:
        fault, tls = str(cell.settings.get("fault", "")), bool(cell.settings.get("tls"))
        variables = dict(backend.cell_environ())
        secret = backend.secrets
        if not fault and not tls:
            yield lambda queue: Gateway(queue=queue, variables=variables, secrets=secret)
            return
        from repro.core.experiment.faults import parse_fault
        from repro.world.faults import Proxy

        authority = self._authority if tls else None
        with Proxy.start(
            backend.endpoint_url,
            faults=parse_fault(fault),
            seed=seed,
            folder=folder,
            mark=f"{mark}-proxy",
            tls=authority,
        ) as proxy:
            variables |= {"AWS_ENDPOINT_URL": proxy.url, "AWS_ENDPOINT_URL_SQS": proxy.url}
            if authority is not None:
                variables["AWS_CA_BUNDLE"] = str(authority.ca_file)
            yield lambda queue: Gateway(
                queue=queue, variables=variables, secrets=secret, begin_load=proxy.mark_load_started
            )


def _open_requests(requests: tuple[LoggedRequest, ...], queue: str) -> int | None:
    own = [request for request in requests if request.queue == queue]
    return sum(1 for request in own if request.status is None) if own else None
