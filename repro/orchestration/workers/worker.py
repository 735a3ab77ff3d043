"""What runs on a worker of dask: a session of its own, and in it one trial for each slot.

    admitted ─▶ plugin installed ─▶ opened by a task: environments, backend ─▶ trials ─▶ closed

It is closed when the plugin is removed, when the worker stops, and when the result of the task that opened it is
released. The last happens by itself when the client is gone, whatever ended it: dask keeps results for living clients
alone. A worker that is killed leaves its cells to the session's warden.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from distributed import Worker, WorkerPlugin, get_worker

from repro.core.matrix.effort import is_kept_whole
from repro.errors import ClusterError, ProcessError, ReproError
from repro.model import Cell, Effort, EnvironmentSpec, Plan, Trial
from repro.orchestration.session import Session, SessionOptions
from repro.orchestration.workers.load import PackedLoad, unpacked
from repro.orchestration.workers.parcel import Parcel, pack
from repro.orchestration.workers.report import WorkerReport
from repro.world.collecting import ptrace
from repro.world.environments import interpreters
from repro.world.environments.cache import interpreter_for
from repro.world.processes import door
from repro.world.runs.this_machine import this_machine

MOST_EVIDENCE_BYTES = 32_000_000
"""Evidence of a trial that is sent, before compression; most have less than one."""
PTRACE_S = 20.0
POLL_S = 0.02
START_S = 10.0
LAST_TRIALS_S = 30.0
"""Seconds that trials get to end in, with their processes, once the session is to be closed."""
_SLEEPER = "import time; print('ready', flush=True); time.sleep(60)"


@dataclass(frozen=True, kw_only=True)
class Briefing:
    """What a worker must know of a run: ``name`` is the plugin's, ``backend`` are the options of ``make_backend``."""

    name: str
    plan: Plan
    load: PackedLoad
    backend: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Returned:
    """A trial that was made on a worker, with its evidence; None where none is kept."""

    trial: Trial
    evidence: Parcel | None


class TrialsPlugin(WorkerPlugin):
    """A run's session on a worker."""

    def __init__(self, briefing: Briefing) -> None:
        self.name = briefing.name
        self._briefing = briefing

    def setup(self, worker: Worker) -> None:
        """Called by dask, once, on the worker."""
        self._worker = worker
        self._lock = threading.Lock()
        self._idle = threading.Condition()
        self._under_way = 0
        self._slots = threading.BoundedSemaphore(slots_of(worker))  # dask has a thread for each core
        self._session: Session | None = None
        self._is_closed = self._is_opening = False

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002  # dask's signature
        """Called by dask when the plugin is removed or the worker stops."""
        await asyncio.to_thread(self.close)

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """Called by dask for each change of a task: that its opening is let go of says that the client is gone."""
        if key == self.opening and (start, finish) in {("memory", "released"), ("executing", "cancelled")}:
            threading.Thread(target=self.close, name="repro-close").start()

    @property
    def opening(self) -> str:
        """The key of the task that opens this worker."""
        return opening_key(self.name, self._worker.address)

    @property
    def is_busy(self) -> bool:
        """Whether a run uses this worker."""
        return not self._is_closed and (self._is_opening or self._session is not None)

    def open(self) -> WorkerReport:
        """Build the environments, start the backend, and say what this worker is."""
        self._is_opening = True
        with self._lock:
            if self._is_closed:
                raise ClusterError("this worker is closed; start the run again")
            report = self._report()
            self._session = self._opened()
            self._session.build_ahead()
        return report

    def close(self) -> None:
        """End the trials under way and the backend; whoever calls it, too, returns once that is done."""
        self._is_closed = True
        with self._lock:
            session, self._session = self._session, None
            if session is not None:
                session.cancel()
                with self._idle:
                    self._idle.wait_for(lambda: not self._under_way, LAST_TRIALS_S)
                session.__exit__(None, None, None)

    def build(self, cell: Cell) -> None:
        """Have the environment of a cell built that may come next."""
        self._running.environment_of(cell)

    def trial(self, cell: Cell, number: int, *, is_probe: bool) -> Returned:
        """Run a trial; of a probe an index that cannot be reached is raised, for it says nothing of the cell."""
        with self._slots, self._counted() as session, tempfile.TemporaryDirectory(dir=session.scratch) as place:
            folder = Path(place) / f"{cell.id}-{number}"
            trial = (session.trial if is_probe else session.attempt)(cell, number, folder)
            evidence = _evidence(trial, folder, self._briefing.plan.effort)
        return Returned(replace(trial, machine=this_machine().host), evidence)

    @property
    def _running(self) -> Session:
        session = self._session
        if session is None:
            raise NotOpenError(self.name)
        return session

    @contextlib.contextmanager
    def _counted(self) -> Iterator[Session]:
        """The session while a trial runs in it."""
        with self._idle:
            session = self._running
            self._under_way += 1
        try:
            yield session
        finally:
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()

    def _opened(self) -> Session:
        briefing = self._briefing
        load = Path(tempfile.mkdtemp(prefix="repro-load-"))
        options = unpacked(briefing.load, load)
        slots = slots_of(self._worker)
        return Session(
            briefing.plan,
            SessionOptions(options, jobs=slots, backend=briefing.backend, reproduce=lambda _: "", belongings=(load,)),
        ).__enter__()

    def _report(self) -> WorkerReport:
        found: dict[str, str] = {}
        lacks: dict[str, str] = {}
        for asked, spec in _asked(self._briefing.plan):
            try:
                found[asked] = _interpreter_text(spec)
            except ReproError as error:
                lacks[asked] = str(error)
        return WorkerReport(
            address=self._worker.address,
            slots=slots_of(self._worker),
            machine=this_machine(),
            interpreters=found,
            lacks=lacks,
            debugger_refusal=_debugger_refusal(),
        )


class NotOpenError(Exception):
    """The worker has no session for this run: it was started anew under the same address."""


@dataclass(frozen=True)
class Opening:
    """The task that opens a worker."""

    plugin: str

    def __call__(self) -> WorkerReport:
        """What the worker is, once it is open."""
        return _plugin(self.plugin).open()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The task that runs a trial."""

    plugin: str
    cell: Cell
    number: int
    is_probe: bool

    def __call__(self) -> Returned:
        """The trial that was made."""
        return _plugin(self.plugin).trial(self.cell, self.number, is_probe=self.is_probe)


async def install(briefing: Briefing, dask_worker: Worker) -> None:
    """Give a worker the plugin.

    A session ends all that its process has started, so that a worker has one at a time.

    Raises:
        ClusterError: another run uses the worker.
    """
    for other in [plugin for plugin in dask_worker.plugins.values() if isinstance(plugin, TrialsPlugin)]:
        if other.is_busy and other.name != briefing.name:
            raise ClusterError("another run of repro uses it; wait until that has ended")
        await dask_worker.plugin_remove(other.name)
    await dask_worker.plugin_add(TrialsPlugin(briefing), name=briefing.name)


async def remove(name: str, dask_worker: Worker) -> None:
    """Take it away, which closes its session."""
    if name in dask_worker.plugins:
        await dask_worker.plugin_remove(name)


def outlive_interrupts() -> None:
    """Have this worker go on when Ctrl-C is typed: that is for the program which started it, and which ends it.

    Nothing is ignored, or what a cell starts would ignore it, too.
    """
    signal.signal(signal.SIGINT, lambda *_: None)


async def build(name: str, cell: Cell, dask_worker: Worker) -> None:
    """Have an environment built ahead; a coroutine, for dask waits for anything else."""
    plugin = dask_worker.plugins.get(name)
    if isinstance(plugin, TrialsPlugin):
        plugin.build(cell)


def opening_key(name: str, address: str) -> str:
    """The key of the task that opens a worker."""
    return f"{name}-open-{address}"


def slots_of(worker: Worker) -> int:
    """Trials at once: each keeps a core busy and its backend another. Dask has a thread for each core, unless told."""
    return max(1, worker.state.nthreads // 2)


def _plugin(name: str) -> TrialsPlugin:
    plugin = get_worker().plugins.get(name)
    if plugin is None:
        raise NotOpenError(name)
    return cast("TrialsPlugin", plugin)


def _evidence(trial: Trial, folder: Path, effort: Effort) -> Parcel | None:
    """What was kept of it, links left out: a cell may have made some that lead anywhere."""
    if not is_kept_whole(trial, effort) or not folder.is_dir():
        return None
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return pack({path.relative_to(folder).as_posix(): path for path in files}, most_bytes=MOST_EVIDENCE_BYTES)


def _asked(plan: Plan) -> Iterator[tuple[str, EnvironmentSpec]]:
    """What the environments of a run ask for of interpreters, each once, by what it is called."""
    yield from {_called(cell.environment): cell.environment for cell in plan.cells}.items()


def _called(spec: EnvironmentSpec) -> str:
    if spec.interpreter is not None:
        return str(spec.interpreter)
    if spec.base is not None and not spec.python:
        return str(spec.base.interpreter)
    return spec.python or interpreters.PREFERRED


def _interpreter_text(spec: EnvironmentSpec) -> str:
    """The full version; of one that is used as it is, or that others are made from, with what is installed."""
    if spec.interpreter is None and (spec.base is None or spec.python):
        return interpreter_for(spec).version
    path = spec.interpreter or (spec.base.interpreter if spec.base else Path())
    version, packages = interpreters.inspect(path)
    digest = hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()[:8]
    return f"{version}, with packages {digest}"


def _debugger_refusal() -> str:
    """Why a debugger may not attach to what this worker starts, tried on a process like a cell."""
    with tempfile.TemporaryDirectory(prefix="repro-") as folder:
        output = door.Output(Path(folder) / "out", Path(folder) / "err")
        try:
            argv = [sys.executable, "-I", "-c", _SLEEPER]
            child = door.start(argv, env={}, cwd=Path(folder), output=output, mark="sleeper")
        except ProcessError as error:
            return str(error)
        try:
            deadline = time.monotonic() + START_S
            while not output.stdout.stat().st_size and time.monotonic() < deadline:
                time.sleep(POLL_S)
            return ptrace.look(child.pid, limit_s=PTRACE_S).refusal
        finally:
            child.end()
