"""What ``--dask`` costs: its throughput beside ``--jobs``, this program's memory, and a fleet that loses workers.

    python benchmarks/workers.py throughput [ROUNDS] [TRIALS]    real trials, on 1 and 2 workers and by --jobs 1 and 2
    python benchmarks/workers.py memory [TRIALS]                 made-up trials through scheduler, workers and store
    python benchmarks/workers.py fleet                           a simulation: no process is started

``throughput`` takes turns, so that what else the machine does hits all alike, and counts from the first trial's start
to the last one's end; what comes before, the start of workers or of the backend, is told apart. ``memory`` runs two
workers; what a trial does there is made up, and so is the number of their slots. ``fleet`` drives the slots and the schedule of a run by a clock of
its own: 40 slots, 5,000 trials of 30 s.
"""

from __future__ import annotations

import contextlib
import gc
import heapq
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import psutil

from repro.core.matrix.schedule import Schedule
from repro.findings import Findings, RowName
from repro.model import Cell, Effort, EnvironmentSpec, Machine, Operations, Plan, Trial, TrialOptions, Until, Verdict
from repro.orchestration.preparation import RunRequest, prepare
from repro.orchestration.workers.slots import Slots, TrialKey
from repro.world.runs.store import create_run, read_run

MEBIBYTE = 1024 * 1024
CELLS = 100
FLEET_CELLS = 20
EXPERIMENT = """
scenario = "quick.py"
[settings]
launch = "script"
seconds = 6
"""
LOAD = """
import os
import time
import boto3
client = boto3.client("sqs")
url = client.get_queue_url(QueueName=os.environ["REPRO_QUEUE"])["QueueUrl"]
end = time.monotonic() + 2
while time.monotonic() < end:
    client.send_message(QueueUrl=url, MessageBody="x")
    time.sleep(0.2)
"""


# Throughput


def throughput(rounds: int, trials: int) -> None:
    """Real runs, in turns."""
    ways = {"--jobs 1": ["--jobs", "1"], "1 worker": ["--dask", "local:1"]}
    ways |= {"--jobs 2": ["--jobs", "2"], "2 workers": ["--dask", "local:2"]}
    rates: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "quick.py").write_text(LOAD)
        (folder / "quick.toml").write_text(EXPERIMENT)
        for number in range(rounds):
            for name, words in ways.items():
                rate, before_s, idle_s, verdicts = _timed(folder, words, f"{number}-{name}", trials)
                rates[name].append(rate)
                idle = f" {idle_s:.2f} s idle between two," if words[-1].endswith("1") else ""
                print(f"round {number + 1}  {name:<9}  {rate:5.1f} trials a minute, {before_s:4.1f} s before the first,"
                      f"{idle} load {os.getloadavg()[0]:.0f}, {verdicts}", flush=True)  # fmt: skip
    for jobs, workers in (("--jobs 1", "1 worker"), ("--jobs 2", "2 workers")):
        ratios = [ours / theirs for ours, theirs in zip(rates[workers], rates[jobs], strict=True)]
        print(f"{workers} / {jobs}: median {statistics.median(ratios):.2f} of {[round(one, 2) for one in ratios]}")


def _timed(folder: Path, words: list[str], name: str, trials: int) -> tuple[float, float, float, str]:
    """Trials a minute, the seconds before the first one and (median) between two, and what they came to."""
    began = datetime.now(UTC)
    argv = [sys.executable, "-m", "repro", "run", "quick.toml", "--python", sys.executable, "--trials", str(trials)]
    subprocess.run([*argv, "--out", name, *words], cwd=folder, check=True, capture_output=True)
    made = [trial for result in read_run(folder / name).cells for trial in result.trials]
    made.sort(key=lambda trial: trial.started)
    pauses = [(after.started - one.started).total_seconds() - one.seconds for one, after in itertools.pairwise(made)]
    first = made[0].started
    last = max(trial.started + timedelta(seconds=trial.seconds) for trial in made)
    verdicts = {
        verdict: sum(trial.verdict.value == verdict for trial in made)
        for verdict in {one.verdict.value for one in made}
    }
    rate = 60 * len(made) / (last - first).total_seconds()
    return rate, (first - began).total_seconds(), statistics.median(pauses), json.dumps(verdicts)


# Memory


@dataclass(frozen=True, kw_only=True)
class MadeUp:
    """What stands in for a trial on a worker: a record and a file of evidence as large as a quick script's."""

    plugin: str
    cell: Cell
    number: int
    is_probe: bool

    def __call__(self) -> object:
        """The trial that was not made."""
        from repro.orchestration.workers.parcel import pack
        from repro.orchestration.workers.worker import Returned

        with tempfile.NamedTemporaryFile() as file:
            file.write(random.randbytes(3000))
            file.flush()
            evidence = pack({"flight-1.bin": Path(file.name)}, most_bytes=10_000)
        return Returned(_trial(self.cell, self.number), evidence)


def memory(trials: int) -> None:
    """Feed them all through a cluster of two workers, and print what this program has grown to."""
    from repro.orchestration.runner import Work
    from repro.orchestration.session import SessionOptions
    from repro.orchestration.workers import pool
    from repro.orchestration.workers.address import ClusterAddress
    from repro.orchestration.workers.session import WorkersSession

    pool.Attempt = MadeUp  # type: ignore[misc, assignment]
    pool.Slots = _ManySlots  # type: ignore[misc]
    prepared = prepare(RunRequest(experiment="known/clean", python=Path(sys.executable)))
    plan = _plan(prepared.plan.cells[0], prepared.plan, trials=trials // CELLS)
    options = SessionOptions(TrialOptions(locustfile=prepared.scenario.locustfile, is_untouched=True))
    with tempfile.TemporaryDirectory() as place:
        store = create_run(Path(place) / "run", plan=plan, command="", seed=0, machine={}, tool_versions={})
        with (
            store,
            _cluster(Path(place)) as url,
            WorkersSession(plan, options, address=ClusterAddress(url=url), on_note=print) as session,
        ):
            session.run(Work(store=store, observer=_Watcher(trials), seed=0))
            print(f"{len(store.finished_trials())} trials in the store")


@contextlib.contextmanager
def _cluster(folder: Path) -> Iterator[str]:
    """A scheduler and two workers in processes of their own, so that this one holds what a run holds."""
    file = folder / "scheduler.json"
    words = ([sys.executable, "-m", "dask"], ["--scheduler-file", str(file), "--no-dashboard"])
    commands = [["scheduler", "--host", "127.0.0.1", "--port", "0"], *[["worker", "--nthreads", "1"]] * 2]
    started: list[subprocess.Popen[bytes]] = []
    try:
        started += [
            subprocess.Popen([*words[0], *command, *words[1]], stderr=subprocess.DEVNULL) for command in commands
        ]
        while not file.exists():
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"]
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


class _ManySlots(Slots):
    """Sixteen slots for each worker: made-up trials wait for one another and not for their way here and back."""

    def join(self, worker: str, slots: int) -> None:
        """Take part with more."""
        super().join(worker, slots * 16)


class _Watcher:
    """An observer that looks at this process now and then."""

    def __init__(self, trials: int) -> None:
        self._each = max(1, trials // 10)
        self._count = 0
        self._began = time.monotonic()

    def trial_began(self, cell: Cell, number: int) -> None:
        """Nothing to see."""

    def trial_ended(self, cell: Cell, trial: Trial, *, left: int) -> None:  # noqa: ARG002  # the Protocol's
        """Print the memory after each tenth."""
        self._count += 1
        if self._count % self._each == 0 or self._count == self._each // 10:
            gc.collect()
            held = psutil.Process().memory_info().rss / MEBIBYTE
            print(f"{self._count:>8} trials  {held:.0f} MB  {time.monotonic() - self._began:.0f} s", flush=True)

    def tick(self) -> None:
        """Nothing to do."""


def _plan(cell: Cell, plan: Plan, *, trials: int) -> Plan:
    made = tuple(replace(cell, id=f"{number:012d}", label=f"cell={number}") for number in range(CELLS))
    return replace(plan, cells=made, trials=trials, effort=Effort(until=Until.ALL))


def _trial(cell: Cell, number: int) -> Trial:
    return Trial(
        cell_id=cell.id,
        number=number,
        verdict=Verdict.CLEAN,
        findings=Findings(row=RowName.RAN_AND_ENDED, ended=8),
        started=datetime.now(UTC),
        seconds=8.0,
        operations=Operations(begun=8, ended=8),
        machine=Machine(host="made-up").host,
        evidence=f"{cell.id}-{number}",
    )


# A fleet


@dataclass(frozen=True)
class Fleet:
    """A fleet in a simulation: times in seconds, ``lost_an_hour`` a share of the workers."""

    workers: int
    slots: int
    trials: int = 5000
    trial_s: float = 30.0
    spread: float = 0.1
    lost_an_hour: float = 0.02
    turn_s: float = 0.2
    back_after_s: float | None = None


def fleet() -> None:
    """The time that a fleet takes beside the ideal, over five seeds."""
    for kind in (
        Fleet(40, 1, lost_an_hour=0),
        Fleet(40, 1),
        Fleet(10, 4),
        Fleet(10, 4, back_after_s=30),
        Fleet(10, 4, lost_an_hour=0.2),
        Fleet(10, 4, lost_an_hour=2.0, back_after_s=30),
    ):
        ideal = kind.trials * kind.trial_s / (kind.workers * kind.slots)
        found = [Simulation(kind, seed).run() for seed in range(5)]
        ratios = sorted(one.now / ideal for one in found)
        lost = statistics.mean(one.lost_workers for one in found)
        again = statistics.mean(one.again for one in found)
        back = "never" if kind.back_after_s is None else f"after {kind.back_after_s:.0f} s"
        print(
            f"{kind.workers} workers of {kind.slots}, {kind.lost_an_hour:.0%} lost an hour, back {back}: ideal {ideal:.0f} s, "
            f"median {statistics.median(ratios):.3f} of it, worst of 5 {ratios[-1]:.3f}; {lost:.1f} workers lost, {again:.1f} trials made again"
        )


class Simulation:
    """A run over a fleet by a clock of its own."""

    def __init__(self, kind: Fleet, seed: int) -> None:
        self.kind = kind
        self.now = 0.0
        self.lost_workers = self.again = 0
        self._chance = random.Random(seed)
        plain = Cell(id="", label="", scenario="", factors={}, settings={}, environ={}, environment=EnvironmentSpec())
        self._cells = {str(number): replace(plain, id=str(number)) for number in range(FLEET_CELLS)}
        self._schedule = Schedule(
            [*self._cells.values()], trials=kind.trials // FLEET_CELLS, seed=seed, effort=Effort(until=Until.ALL)
        )
        self._slots = Slots()
        self._waiting: list[TrialKey] = []
        self._places: dict[TrialKey, str] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = itertools.count()

    def run(self) -> Self:
        """Until every cell has its trials."""
        for number in range(self.kind.workers):
            self._join(f"worker-{number}")
        self._place()
        while not self._schedule.is_over():
            self.now, _, happens = heapq.heappop(self._events)
            happens()
            self._place()
        return self

    def _after(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._serial), happens))

    def _join(self, worker: str) -> None:
        self._slots.join(worker, self.kind.slots)
        if self.kind.lost_an_hour:
            self._after(self._chance.expovariate(self.kind.lost_an_hour / 3600), lambda: self._lose(worker))

    def _lose(self, worker: str) -> None:
        lost = self._slots.leave(worker)
        self.lost_workers += 1
        self.again += len(lost)
        self._waiting += lost
        for trial in lost:
            del self._places[trial]
        if self.kind.back_after_s is not None:
            self._after(self.kind.back_after_s, lambda: self._join(f"{worker}'"))

    def _place(self) -> None:
        while (worker := self._slots.free()) is not None and (trial := self._next()) is not None:
            self._begin(worker, trial)

    def _next(self) -> TrialKey | None:
        if self._waiting:
            return self._waiting.pop()
        chosen = self._schedule.next_trial(lambda _: True)
        return chosen and TrialKey(chosen[0].id, chosen[1])

    def _begin(self, worker: str, trial: TrialKey) -> None:
        self._slots.begin(worker, trial)
        self._places[trial] = worker
        seconds = self.kind.trial_s * self._chance.uniform(1 - self.kind.spread, 1 + self.kind.spread)
        self._after(self.kind.turn_s + seconds, lambda: self._end(worker, trial))

    def _end(self, worker: str, trial: TrialKey) -> None:
        if self._places.get(trial) == worker:
            del self._places[trial]
            self._slots.end(worker, trial)
            self._slots.forget(trial)
            self._schedule.record(_trial(self._cells[trial.cell_id], trial.number))


if __name__ == "__main__":
    what, *numbers = sys.argv[1:] or ["fleet"]
    given = [int(number) for number in numbers]
    if what == "throughput":
        throughput(*(given + [3, 20][len(given) :]))
    elif what == "memory":
        memory(*(given or [50_000]))
    else:
        fleet()
