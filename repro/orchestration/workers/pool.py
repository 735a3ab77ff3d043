"""The workers of a dask cluster as slots for trials: who takes part, which trial is where, and what comes back.

    begin(trial) ─▶ waiting ─▶ a slot of a worker ─▶ task ─▶ parcel ─▶ the trial's folder and its future
                       ▲                        │
                       └── its worker is lost ──┘

One thread decides; what takes time, admitting a worker and fetching a result, is done in others, which tell it by a
queue. The scheduler keeps nothing over its own death and nothing is asked of it: each task is for one worker, so that a
worker that goes takes its tasks along, and which trials those were is known here. The first verdict of a trial counts.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from distributed import Client
from distributed import Future as Task

import repro
from repro.errors import ClusterError, ReproError
from repro.model import Cell, Machine, Trial, Verdict
from repro.orchestration.workers.parcel import unpack
from repro.orchestration.workers.report import (
    WorkerReport,
    check_interpreters,
    check_version,
    difference,
    lack_text,
    notes_on,
    set_aside,
    version_text,
)
from repro.orchestration.workers.slots import MOST_ATTEMPTS, Slots, TrialKey
from repro.orchestration.workers.worker import (
    Attempt,
    Briefing,
    NotOpenError,
    Opening,
    Returned,
    build,
    install,
    opening_key,
    remove,
)

POLL_S = 0.5
FIRST_WORKER_S = 15.0
"""Seconds that a scheduler gets to show a worker."""
NO_WORKER_S = 60.0
"""Seconds without any worker after which a run ends: a nanny starts a lost one again within a few."""
OPENING_POLL_S = 2.0
FETCH_S = 120.0
END_S = 40.0
_VERSION = "__import__('repro').__version__"


@dataclass
class _Wanted:
    """A trial that was asked for, and its tasks so far, the last one being the one that runs."""

    cell: Cell
    number: int
    folder: Path
    is_probe: bool
    future: Future[Trial] = field(default_factory=Future)

    @property
    def key(self) -> TrialKey:
        return TrialKey(self.cell.id, self.number)


@dataclass(frozen=True)
class _Running:
    """A trial on a worker."""

    trial: TrialKey
    worker: str
    task: Task[Returned]


@dataclass(frozen=True)
class _Fetched:
    """What came of a task: the trial, or why there is none."""

    task: str
    returned: Returned | None = None
    error: BaseException | None = None


@dataclass(frozen=True)
class _Admitted:
    """A worker that has been looked at: its report, or why there is none."""

    address: str
    report: WorkerReport | None = None
    reason: str = ""


class WorkerPool:
    """Trials on the workers of a cluster.

    ``reproduce`` gives the command that runs a cell again, ``on_note`` is told what must be known of workers.
    """

    def __init__(
        self,
        client: Client,
        briefing: Briefing,
        *,
        reproduce: Callable[[Cell], str],
        on_note: Callable[[str], object],
    ) -> None:
        self._client, self._briefing = client, briefing
        self._reproduce, self._on_note = reproduce, on_note
        self._slots = Slots()
        self._events: queue.SimpleQueue[_Fetched | _Admitted | _Wanted | None] = queue.SimpleQueue()
        self._wanted: dict[TrialKey, _Wanted] = {}
        self._waiting: deque[TrialKey] = deque()
        self._running: dict[str, _Running] = {}
        self._reports: dict[str, WorkerReport] = {}
        self._openings: dict[str, Task[WorkerReport]] = {}
        self._known: set[str] = set()
        self._last_worker_at = time.monotonic()
        self._error: ReproError | None = None
        self._is_closing = threading.Event()
        self._is_over = False
        self._asking = threading.Lock()
        self._helpers = ThreadPoolExecutor(8, thread_name_prefix="worker")
        self._thread = threading.Thread(target=self._decide, name="workers", daemon=True)

    # Asked from outside

    def open(self) -> None:
        """Admit the workers that are there.

        Raises:
            UsageError: they do not fit this repro, or each other; one sentence.
            ClusterError: there is none, or none can take part.
        """
        addresses = self._first_workers()
        self._known |= addresses
        versions = {address: self._version_of(address) for address in sorted(addresses)}
        check_version(versions, own=repro.__version__)
        found = list(self._helpers.map(self._admitted, sorted(addresses)))
        reports = [one.report for one in found if one.report is not None]
        if not reports:
            raise ClusterError(f"no worker can take part: {found[0].reason}; look at the log of dask's workers")
        check_interpreters(reports)
        aside = set_aside(reports)
        for one in found:
            self._admit(one, aside.get(one.address, ""))
        self._thread.start()

    @property
    def slots(self) -> int:
        """Trials at once, as of now.

        Raises:
            ClusterError: there will be none any more.
        """
        if self._error is not None:
            raise self._error
        return self._slots.total

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The machines of all workers that took part so far, each once."""
        return tuple({one.machine.host: one.machine for one in tuple(self._reports.values())}.values())

    def begin(self, cell: Cell, number: int, folder: Path, *, is_probe: bool = False) -> Future[Trial]:
        """A trial to come, with its evidence in ``folder``.

        Its future raises ClusterError when the cluster is lost, and what the worker raised of a probe.
        """
        wanted = _Wanted(cell, number, folder, is_probe)
        with self._asking:
            if self._is_over:
                self._refuse(wanted)
            else:
                self._events.put(wanted)
        return wanted.future

    def build(self, cell: Cell) -> None:
        """Have an environment built on all workers."""
        with suppress(OSError, RuntimeError):
            workers = sorted(self._slots.workers)
            self._client.run(build, self._briefing.name, cell, workers=workers, wait=False, on_error="ignore")

    def cancel(self) -> None:
        """Give up all trials that have no verdict yet."""
        self._is_closing.set()
        self._events.put(None)

    def close(self) -> None:
        """End the trials under way, and the sessions on the workers."""
        self.cancel()
        if self._thread.is_alive():
            self._thread.join(END_S)
        if self._client.status == "running":
            with suppress(OSError, TimeoutError, RuntimeError):
                self._helpers.submit(self._remove_all).result(END_S)
        self._helpers.shutdown(wait=False, cancel_futures=True)

    # The one thread that decides

    def _decide(self) -> None:
        look_at = 0.0
        try:
            while not self._is_closing.is_set():
                with suppress(queue.Empty):
                    self._take(self._events.get(timeout=POLL_S))
                if time.monotonic() >= look_at:
                    self._look_at_workers()
                    look_at = time.monotonic() + POLL_S
                self._check_scheduler()
                self._place()
        except ReproError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  # a fault of dask's, or ours, must end the run and not hang it
            self._error = ClusterError(f"--dask: {type(error).__name__}: {error}; go on with --resume")
        self._end_all()

    def _check_scheduler(self) -> None:
        if self._client.status != "running":
            raise ClusterError("the scheduler of --dask is gone; start it again, then go on with --resume")

    def _take(self, event: _Fetched | _Admitted | _Wanted | None) -> None:
        if isinstance(event, _Wanted):
            self._wanted[event.key] = event
            self._waiting.append(event.key)
        elif isinstance(event, _Admitted):
            self._admit(event, self._why_not(event.report))
        elif isinstance(event, _Fetched):
            self._end(event)

    def _place(self) -> None:
        while self._waiting and (worker := self._slots.free()) is not None:
            wanted = self._wanted.get(self._waiting.popleft())
            if wanted is not None:
                self._start(wanted, worker)

    def _start(self, wanted: _Wanted, worker: str) -> None:
        attempt = self._slots.begin(worker, wanted.key)
        work = Attempt(plugin=self._briefing.name, cell=wanted.cell, number=wanted.number, is_probe=wanted.is_probe)
        key = f"{self._briefing.name}-{wanted.cell.id}-{wanted.number}-{attempt}"
        task = self._client.submit(work, key=key, workers=[worker], pure=False)
        self._running[str(task.key)] = _Running(wanted.key, worker, task)
        task.add_done_callback(self._fetch)

    def _end(self, fetched: _Fetched) -> None:
        running = self._running.pop(fetched.task, None)
        if running is None:
            return  # its worker was lost, and the trial is under way elsewhere
        self._slots.end(running.worker, running.trial)
        wanted = self._wanted[running.trial]
        returned = fetched.returned
        if returned is not None and returned.trial.verdict is not Verdict.INTERRUPTED:
            self._keep(wanted, returned)
        elif isinstance(fetched.error, ReproError):
            self._wanted.pop(wanted.key)
            wanted.future.set_exception(fetched.error)
        else:
            if isinstance(fetched.error, NotOpenError):
                self._lose(running.worker)
            reason = f"{type(fetched.error).__name__}: {fetched.error}" if fetched.error else ""
            self._again(wanted, reason, worker=running.worker)

    def _keep(self, wanted: _Wanted, returned: Returned) -> None:
        self._wanted.pop(wanted.key)
        self._slots.forget(wanted.key)
        try:
            if returned.evidence is not None:
                unpack(returned.evidence, wanted.folder)
        except OSError as error:
            reason = f"the evidence cannot be written to {wanted.folder}: {error.strerror or error}"
            wanted.future.set_exception(ClusterError(f"{reason}; free some space, then go on with --resume"))
            return
        wanted.future.set_result(replace(returned.trial, command=self._reproduce(wanted.cell)))

    def _again(self, wanted: _Wanted, reason: str, *, worker: str) -> None:
        """A trial without a verdict goes to another worker; after several it is this program's error."""
        if not self._slots.is_given_up(wanted.key):
            self._waiting.appendleft(wanted.key)
            return
        self._wanted.pop(wanted.key)
        self._slots.forget(wanted.key)
        told = reason or "each worker that ran it was lost"
        trial = Trial(
            cell_id=wanted.cell.id,
            number=wanted.number,
            verdict=Verdict.ERROR,
            reason=f"no verdict in {MOST_ATTEMPTS} attempts: {told}; look at the log of dask's workers",
            started=datetime.now(UTC),
            seconds=0.0,
            command=self._reproduce(wanted.cell),
            seed=self._briefing.load.options.of_trial(wanted.number).seed,
            machine=self._reports[worker].machine.host,
        )
        wanted.future.set_result(trial)

    # Workers

    def _look_at_workers(self) -> None:
        present = self._present()
        for address in self._known - present.keys():
            self._lose(address)
        for address in _running(present) - self._known:
            self._known.add(address)
            self._helpers.submit(self._admit_late, address)
        if self._slots.total:
            self._last_worker_at = time.monotonic()
        elif time.monotonic() - self._last_worker_at > NO_WORKER_S:
            raise ClusterError(
                f"no worker is left since {NO_WORKER_S:.0f} s; start workers again, then go on with --resume"
            )

    def _lose(self, address: str) -> None:
        self._known.discard(address)
        self._openings.pop(address, None)
        lost = self._slots.leave(address)
        for key in [key for key, one in self._running.items() if one.worker == address]:
            self._running.pop(key).task.cancel()
        for trial in lost:
            if wanted := self._wanted.get(trial):
                self._again(wanted, "", worker=address)

    def _admit(self, one: _Admitted, why_not: str) -> None:
        report = one.report
        if report is None or why_not:
            self._openings.pop(one.address, None)  # let go of, its session is closed
            self._on_note(why_not or one.reason)
            return
        for text in notes_on(report):
            self._on_note(text)
        self._reports[one.address] = report
        if one.address in self._known:
            self._slots.join(one.address, report.slots)

    def _why_not(self, report: WorkerReport | None) -> str:
        """Why a worker that came late takes no part."""
        others = list(self._reports.values())
        if report is None or not others:
            return ""
        wanted = {asked for other in others for asked in other.interpreters}
        return lack_text(report, wanted) or difference(others[0], report)

    def _present(self) -> dict[str, str]:
        """The addresses of the cluster's workers, with dask's word for how each one is."""
        self._check_scheduler()
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return {address: str(info.get("status")) for address, info in workers.items()}

    def _first_workers(self) -> set[str]:
        deadline = time.monotonic() + FIRST_WORKER_S
        while not (found := _running(self._present())):
            if time.monotonic() > deadline:
                raise ClusterError("the scheduler of --dask has no workers; start some with `dask worker ADDRESS`")
            time.sleep(POLL_S)
        return found

    # In threads of their own

    def _version_of(self, address: str) -> str:
        """A worker's version of repro; asked without anything of repro, which it may not have."""
        answers = self._client.run(eval, _VERSION, workers=[address], on_error="return")
        answer = answers.get(address)
        return answer if isinstance(answer, str) else ""

    def _admit_late(self, address: str) -> None:
        self._events.put(self._admitted(address))

    def _admitted(self, address: str) -> _Admitted:
        try:
            version = self._version_of(address)
            if version != repro.__version__:
                return _Admitted(address, reason=version_text(address, version, own=repro.__version__))
            self._client.run(install, self._briefing, workers=[address])
            opening = Opening(self._briefing.name)
            task = self._client.submit(
                opening, key=opening_key(self._briefing.name, address), workers=[address], pure=False
            )
            self._openings[address] = task  # as long as it is held, the worker's session stays open
            return _Admitted(address, report=self._awaited(task, address))
        except Exception as error:  # noqa: BLE001  # whatever is wrong with one worker, the others go on
            return _Admitted(address, reason=f"the worker {address} gets no trials: {error}")

    def _awaited(self, opening: Task[WorkerReport], address: str) -> WorkerReport:
        while True:
            with suppress(TimeoutError):
                report: WorkerReport = opening.result(timeout=OPENING_POLL_S)
                return report
            if address not in self._present():
                raise ClusterError("it was lost before it was ready")

    def _remove_all(self) -> None:
        self._client.run(remove, self._briefing.name, on_error="return", workers=sorted(self._known))

    def _fetch(self, task: Task[Returned]) -> None:
        """What came of a task; called by dask in a thread."""
        key = str(task.key)
        if key not in self._running:
            return
        try:
            fetched = _Fetched(key, returned=task.result(timeout=FETCH_S))
        except BaseException as error:  # noqa: BLE001  # of the task, of the way here; a cancelled one is no Exception
            fetched = _Fetched(key, error=error)
        self._events.put(fetched)

    # The end

    def _end_all(self) -> None:
        """Whoever waits for a trial must not wait on."""
        with self._asking:
            self._is_over = True
        while not self._events.empty():
            event = self._events.get()
            if isinstance(event, _Wanted):
                self._wanted[event.key] = event
        tasks = [running.task for running in self._running.values()]
        self._running.clear()
        for task in tasks:
            with suppress(Exception):
                task.cancel()
        for wanted in self._wanted.values():
            self._refuse(wanted)
        self._wanted.clear()

    def _refuse(self, wanted: _Wanted) -> None:
        if self._error is None:
            wanted.future.cancel()
        else:
            wanted.future.set_exception(self._error)


def _running(present: dict[str, str]) -> set[str]:
    return {address for address, status in present.items() if status == "running"}
