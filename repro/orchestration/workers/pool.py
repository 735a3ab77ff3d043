"""The workers of a dask cluster as slots for trials: who takes part, which trial is where, and what comes back.

    begin(trial) ─▶ waiting ─▶ a slot of a worker ─▶ task ─▶ parcel ─▶ the trial's folder and its future
                       ▲                        │
                       └── its worker is lost ──┘

One thread decides; what takes time, admitting a worker and fetching a result, is done in others, which tell it by a
queue. The scheduler keeps nothing over its own death and nothing is asked of it: each task is for one worker, so that a
worker that goes takes its tasks along, and which trials those were is known here. The first verdict of a trial counts.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from distributed import Client
from distributed import Future as Task

import repro
from repro.errors import ClusterError, ReproError
from repro.model import Cell, Machine, Trial, Verdict
from repro.orchestration.workers.admission import Admission, Admitted, running
from repro.orchestration.workers.parcel import unpack
from repro.orchestration.workers.report import (
    WorkerReport,
    check_interpreters,
    check_version,
    difference,
    lack_text,
    lost_text,
    notes_on,
    set_aside,
)
from repro.orchestration.workers.slots import Slots, TrialKey
from repro.orchestration.workers.wanted import Fetched, Running, Wanted, given_up
from repro.orchestration.workers.worker import (
    Attempt,
    Briefing,
    NotOpenError,
    Returned,
    build,
)

POLL_S = 0.5
NO_WORKER_S = 60.0
"""Seconds without any worker after which a run ends: a nanny starts a lost one again within a few."""
FETCH_S = 120.0
END_S = 40.0
MOST_ERRORS = 3
"""Errors of this program in a row, on one worker, after which it gets no more trials: its disk is full, or the like."""


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
        self._door = Admission(client, briefing)
        self._slots = Slots()
        self._events: queue.SimpleQueue[Fetched | Admitted | Wanted | None] = queue.SimpleQueue()
        self._wanted: dict[TrialKey, Wanted] = {}
        self._waiting: deque[TrialKey] = deque()
        self._running: dict[str, Running] = {}
        self._serial = itertools.count(1)
        self._reports: dict[str, WorkerReport] = {}
        self._errors: Counter[str] = Counter()
        self._known: set[str] = set()
        self._last_worker_at = time.monotonic()
        self._error: ReproError | None = None
        self._is_closing = threading.Event()
        self._is_over = False
        self._asking = threading.Lock()
        self._helpers = ThreadPoolExecutor(8, thread_name_prefix="worker")
        self._fetchers = ThreadPoolExecutor(8, thread_name_prefix="fetch")
        self._thread = threading.Thread(target=self._decide, name="workers", daemon=True)

    # Asked from outside

    def open(self) -> None:
        """Admit the workers that are there.

        Raises:
            UsageError: they do not fit this repro, or each other; one sentence.
            ClusterError: there is none, or none can take part.
        """
        addresses = self._door.first_workers()
        self._known |= addresses
        versions = {address: self._door.version_of(address) for address in sorted(addresses)}
        check_version(versions, own=repro.__version__)
        found = list(self._helpers.map(self._door.admit, sorted(addresses)))
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
    def ahead(self) -> int:
        """Trials besides that can wait on the workers."""
        return self._slots.ahead

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The machines of all workers that took part so far, each once."""
        return tuple({one.machine.host: one.machine for one in tuple(self._reports.values())}.values())

    def begin(self, cell: Cell, number: int, folder: Path, *, is_probe: bool = False) -> Future[Trial]:
        """A trial to come, with its evidence in ``folder``.

        Its future raises ClusterError when the cluster is lost, and what the worker raised of a probe.
        """
        wanted = Wanted(cell, number, folder, is_probe)
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
            self._client.run(build, self._briefing.name, cell, workers=workers, wait=False)

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
                self._helpers.submit(self._door.remove, sorted(self._known)).result(END_S)
        for threads in (self._helpers, self._fetchers):
            threads.shutdown(wait=False, cancel_futures=True)

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
                self._door.check_scheduler()
                self._place()
        except ReproError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  # a fault of dask's, or ours, must end the run and not hang it
            self._error = ClusterError(f"--dask: {type(error).__name__}: {error}; continue with --resume")
        self._end_all()

    def _take(self, event: Fetched | Admitted | Wanted | None) -> None:
        if isinstance(event, Wanted):
            self._wanted[event.key] = event
            self._waiting.append(event.key)
        elif isinstance(event, Admitted):
            self._admit(event, self._why_not(event.report))
        elif isinstance(event, Fetched):
            self._end(event)

    def _place(self) -> None:
        """Begin the trials that wait, the first ones first, each on a worker that it has not failed on."""
        for key in tuple(self._waiting):
            if self._slots.next_for() is None:
                return
            wanted = self._wanted[key]
            if self._slots.workers <= wanted.failed_on:
                wanted.failed_on.clear()  # those that it could have gone to are lost
            if (worker := self._slots.next_for(wanted.failed_on)) is not None:
                self._waiting.remove(key)
                self._start(wanted, worker)

    def _start(self, wanted: Wanted, worker: str) -> None:
        self._slots.begin(worker, wanted.key)
        work = Attempt(plugin=self._briefing.name, cell=wanted.cell, number=wanted.number, is_probe=wanted.is_probe)
        key = f"{self._briefing.name}-{wanted.cell.id}-{wanted.number}-{next(self._serial)}"
        task = self._client.submit(work, key=key, workers=[worker], pure=False)
        self._running[str(task.key)] = Running(wanted.key, worker, task)
        task.add_done_callback(self._fetch_soon)

    def _end(self, fetched: Fetched) -> None:
        running = self._running.pop(fetched.task, None)
        if running is None:
            return  # its worker was lost, and the trial is under way elsewhere
        self._slots.end(running.worker, running.trial)
        wanted, returned, error = self._wanted[running.trial], fetched.returned, fetched.error
        if isinstance(error, ReproError):
            self._wanted.pop(wanted.key)
            self._slots.forget(wanted.key)
            wanted.future.set_exception(error)
        elif returned is not None and returned.trial.verdict is Verdict.ERROR:
            self._fail(wanted, returned, running.worker)
        elif returned is not None and returned.trial.verdict is not Verdict.INTERRUPTED:
            self._errors.pop(running.worker, None)
            self._keep(wanted, returned)
        else:
            if error is None or isinstance(error, NotOpenError):
                self._lose(running.worker)  # its session is closed
            self._again(wanted, fetched.reason, worker=running.worker)

    def _fail(self, wanted: Wanted, returned: Returned, worker: str) -> None:
        """This program's error on one worker need not be one on another."""
        wanted.failed_on.add(worker)
        self._errors[worker] += 1
        if self._slots.is_given_up(wanted.key) or not self._slots.workers - wanted.failed_on:
            self._keep(wanted, returned)
        else:
            self._waiting.appendleft(wanted.key)
        if self._errors[worker] >= MOST_ERRORS and len(self._slots.workers) > 1:
            self._expel(worker, returned.trial)

    def _expel(self, worker: str, trial: Trial) -> None:
        """A worker that fails at once would take trial after trial: the others' share, too."""
        host = self._reports[worker].machine.host
        self._on_note(f"{host} ({worker}) gets no more trials, for {MOST_ERRORS} in a row failed: {trial.reason}")
        self._lose(worker)
        self._known.add(worker)  # nor is it admitted again

    def _keep(self, wanted: Wanted, returned: Returned) -> None:
        self._wanted.pop(wanted.key)
        self._slots.forget(wanted.key)
        try:
            if returned.evidence is not None:
                unpack(returned.evidence, wanted.folder)
        except OSError as error:
            reason = f"the evidence cannot be written to {wanted.folder}: {error.strerror or error}"
            wanted.future.set_exception(ClusterError(f"{reason}; free some space, then continue with --resume"))
            return
        wanted.future.set_result(replace(returned.trial, command=self._reproduce(wanted.cell)))

    def _again(self, wanted: Wanted, reason: str, *, worker: str) -> None:
        """A trial without a verdict goes to another worker; after several it is this program's error."""
        if not self._slots.is_given_up(wanted.key):
            self._waiting.appendleft(wanted.key)
            return
        self._wanted.pop(wanted.key)
        self._slots.forget(wanted.key)
        trial = given_up(
            wanted,
            reason or "each worker that ran it was lost",
            options=self._briefing.load.options,
            machine=self._reports[worker].machine,
        )
        wanted.future.set_result(replace(trial, command=self._reproduce(wanted.cell)))

    # Workers

    def _look_at_workers(self) -> None:
        present = self._door.present()
        for address in self._known - present.keys():
            self._lose(address, is_said=True)
        for address in running(present) - self._known:
            self._known.add(address)
            self._helpers.submit(self._admit_late, address)
        if self._slots.total:
            self._last_worker_at = time.monotonic()
        elif time.monotonic() - self._last_worker_at > NO_WORKER_S:
            raise ClusterError(
                f"no worker has been left for {NO_WORKER_S:.0f} s; start workers again, then continue with --resume"
            )

    def _lose(self, address: str, *, is_said: bool = False) -> None:
        self._known.discard(address)
        self._door.let_go(address)
        has_part = address in self._slots.workers
        lost = self._slots.leave(address)
        if is_said and has_part:
            self._on_note(lost_text(self._reports[address], trials=len(lost)))
        for key in [key for key, one in self._running.items() if one.worker == address]:
            self._running.pop(key).task.cancel()
        for trial in lost:
            if wanted := self._wanted.get(trial):
                self._again(wanted, "", worker=address)

    def _admit(self, one: Admitted, why_not: str) -> None:
        report = one.report
        if report is None or why_not:
            self._door.let_go(one.address)
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

    # In threads of their own

    def _admit_late(self, address: str) -> None:
        self._events.put(self._door.admit(address))

    def _fetch_soon(self, task: Task[Returned]) -> None:
        """Called by dask in the one thread that it has for this, where nothing may wait."""
        with suppress(RuntimeError):  # shut down
            self._fetchers.submit(self._fetch, task)

    def _fetch(self, task: Task[Returned]) -> None:
        """What came of a task; it may have to be waited for, when its worker is lost just now."""
        key = str(task.key)
        if key not in self._running:
            return
        try:
            fetched = Fetched(key, returned=task.result(timeout=FETCH_S))
        except BaseException as error:  # noqa: BLE001  # of the task, of the way; a cancelled one is no Exception
            fetched = Fetched.failed(key, error)
        self._events.put(fetched)

    # The end

    def _end_all(self) -> None:
        """Whoever waits for a trial must not wait on."""
        with self._asking:
            self._is_over = True
        while not self._events.empty():
            event = self._events.get()
            if isinstance(event, Wanted):
                self._wanted[event.key] = event
        tasks = [running.task for running in self._running.values()]
        self._running.clear()
        for task in tasks:
            with suppress(Exception):
                task.cancel()
        for wanted in self._wanted.values():
            self._refuse(wanted)
        self._wanted.clear()

    def _refuse(self, wanted: Wanted) -> None:
        if self._error is None:
            wanted.future.cancel()
            wanted.future.set_running_or_notify_cancel()  # or who waits for several would not be told
        else:
            wanted.future.set_exception(self._error)
