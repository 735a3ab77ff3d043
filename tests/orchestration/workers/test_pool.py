"""Trials on workers that stand in this process, and that make trials up: what becomes of each, whatever comes and goes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from distributed import LocalCluster, get_worker

from repro.errors import ClusterError, UnreachableError, UsageError
from repro.model import Cell, EnvironmentSpec, Limits, Machine, Plan, Trial, TrialOptions, Verdict
from repro.orchestration.workers import admission, pool
from repro.orchestration.workers.address import ClusterAddress
from repro.orchestration.workers.connection import connected
from repro.orchestration.workers.load import PackedLoad
from repro.orchestration.workers.parcel import Parcel, pack
from repro.orchestration.workers.pool import WorkerPool
from repro.orchestration.workers.report import WorkerReport
from repro.orchestration.workers.slots import MOST_ATTEMPTS, MOST_WAITING
from repro.orchestration.workers.worker import Briefing, Returned, TrialsPlugin, install

CELL = Cell(id="cell", label="a cell", scenario="s", factors={}, settings={}, environ={}, environment=EnvironmentSpec())
PLAN = Plan(experiment="e", scenario="s", cells=(CELL,), varied=(), trials=1, limits=Limits())
LIMIT_S = 60.0
NO_PAGE = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


class Behaviour:
    """What the made-up trials do, and what was seen of them."""

    def __init__(self) -> None:
        self.trial: Callable[[str, int], Verdict] = lambda _worker, _number: Verdict.CLEAN
        self.report: Callable[[str], dict[str, str]] = lambda _worker: {"3.11": "3.11.7"}
        self.attempts: Counter[int] = Counter()
        self.makers: list[str] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()


behaviour = Behaviour()


@dataclass(frozen=True)
class MadeUpOpening:
    plugin: str

    def __call__(self) -> WorkerReport:
        address = get_worker().address
        found = behaviour.report(address)
        lacks = {} if "3.12" in found else {"3.12": "Python 3.12 is not installed"}
        return WorkerReport(
            address=address, slots=1, machine=Machine(host=f"host-{address[-5:]}"), interpreters=found, lacks=lacks
        )


@dataclass(frozen=True, kw_only=True)
class MadeUpAttempt:
    plugin: str
    cell: Cell
    number: int
    is_probe: bool

    def __call__(self) -> Returned:
        address = get_worker().address
        with behaviour.lock:
            behaviour.attempts[self.number] += 1
            behaviour.at_once += 1
            behaviour.most_at_once = max(behaviour.most_at_once, behaviour.at_once)
        try:
            verdict = behaviour.trial(address, self.number)
        finally:
            with behaviour.lock:
                behaviour.at_once -= 1
        behaviour.makers.append(address)
        trial = Trial(
            cell_id=self.cell.id, number=self.number, verdict=verdict, started=datetime.now(UTC), seconds=0.0,
            reason="the disk is full" if verdict is Verdict.ERROR else "", machine=address,
        )  # fmt: skip
        return Returned(trial, pack({"stdout.txt": Path(__file__)}, most_bytes=1_000_000))


class Stage:
    """A cluster, a pool of its workers, and what was noted of them."""

    def __init__(self, folder: Path, cluster: LocalCluster, made: WorkerPool) -> None:
        self.folder, self.cluster, self.pool = folder, cluster, made
        self.notes: list[str] = []

    def begin(self, number: int, *, is_probe: bool = False) -> Future[Trial]:
        return self.pool.begin(CELL, number, self.folder / str(number), is_probe=is_probe)

    def trials(self, count: int) -> list[Trial]:
        futures = [self.begin(number) for number in range(1, count + 1)]
        return [future.result(LIMIT_S) for future in futures]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    monkeypatch.setattr(pool, "Attempt", MadeUpAttempt)
    monkeypatch.setattr(admission, "Opening", MadeUpOpening)
    behaviour.__init__()  # type: ignore[misc]  # as new for each test
    with ExitStack() as stack:

        def made(workers: int) -> Stage:
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=False,
                    protocol="tcp",
                    host="127.0.0.1",
                    scheduler_kwargs=NO_PAGE,
                )
            )
            client = stack.enter_context(connected(ClusterAddress.read(cluster.scheduler_address)))
            load = PackedLoad(options=TrialOptions(locustfile=Path("mine.py")), parcel=Parcel(b""))
            found = Stage(tmp_path, cluster, None)  # type: ignore[arg-type]
            found.pool = WorkerPool(
                client,
                Briefing(name="repro-test", plan=PLAN, load=load),
                reproduce=lambda _: "repro run",
                on_note=found.notes.append,
            )
            stack.callback(found.pool.close)
            found.pool.open()
            return found

        yield made


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_trial_comes_back_with_its_evidence_and_its_command(stage: Callable[..., Stage]) -> None:
    here = stage(1)
    (trial,) = here.trials(1)
    assert (trial.verdict, trial.command) == (Verdict.CLEAN, "repro run")
    assert (here.folder / "1" / "stdout.txt").read_text() == Path(__file__).read_text()


def test_no_more_trials_are_begun_than_there_are_slots(stage: Callable[..., Stage]) -> None:
    here = stage(2)

    def slow(_worker: str, _number: int) -> Verdict:
        time.sleep(0.05)
        return Verdict.CLEAN

    behaviour.trial = slow
    assert here.pool.slots == 2
    assert len(here.trials(12)) == 12
    assert behaviour.most_at_once <= 2
    assert set(behaviour.attempts.values()) == {1}
    assert len(set(behaviour.makers)) == 2


def test_a_worker_whose_disk_is_full_gets_no_more_trials_and_costs_none(stage: Callable[..., Stage]) -> None:
    here = stage(2)
    bad = min(worker.worker_address for worker in here.cluster.workers.values())
    behaviour.trial = lambda worker, _: Verdict.ERROR if worker == bad else Verdict.CLEAN
    assert {trial.verdict for trial in here.trials(20)} == {Verdict.CLEAN}
    assert pool.MOST_ERRORS <= behaviour.makers.count(bad) <= pool.MOST_ERRORS + MOST_WAITING
    (note,) = here.notes
    assert note.endswith("gets no more trials, for 3 in a row failed: the disk is full")
    assert here.pool.slots == 1


def test_an_error_that_comes_wherever_it_is_tried_is_the_verdict(stage: Callable[..., Stage]) -> None:
    here = stage(2)
    behaviour.trial = lambda _worker, number: Verdict.ERROR if number == 2 else Verdict.CLEAN
    verdicts = [trial.verdict for trial in here.trials(6)]
    assert verdicts == [Verdict.CLEAN, Verdict.ERROR, *[Verdict.CLEAN] * 4]
    assert behaviour.attempts[2] == 2, "once on each worker"
    assert here.pool.slots == 2


def test_a_fault_of_the_way_is_tried_again_and_then_is_an_error(stage: Callable[..., Stage]) -> None:
    here = stage(1)

    def broken(_worker: str, number: int) -> Verdict:
        if number == 1 and behaviour.attempts[1] < MOST_ATTEMPTS:
            raise RuntimeError("once more")
        if number == 2:
            raise RuntimeError("never")
        return Verdict.CLEAN

    behaviour.trial = broken
    one, two = here.trials(2)
    assert (one.verdict, two.verdict) == (Verdict.CLEAN, Verdict.ERROR)
    assert two.reason.startswith("no verdict in 3 attempts: RuntimeError: never (test_pool.py, line ")


def test_what_says_nothing_of_a_cell_is_raised_to_a_hunt(stage: Callable[..., Stage]) -> None:
    here = stage(1)

    def unreachable(_worker: str, _number: int) -> Verdict:
        raise UnreachableError("the index does not answer")

    behaviour.trial = unreachable
    with pytest.raises(UnreachableError, match="the index does not answer"):
        here.begin(1, is_probe=True).result(LIMIT_S)


def test_a_worker_that_joins_late_takes_part_unless_it_does_not_fit(stage: Callable[..., Stage]) -> None:
    here = stage(1)
    here.cluster.scale(2)
    until(lambda: here.pool.slots == 2)
    behaviour.report = lambda _: {"3.11": "3.11.9"}
    here.cluster.scale(3)
    until(lambda: here.notes)
    assert "Python 3.11 is 3.11.7 on host-" in here.notes[0]
    assert here.pool.slots == 2


def test_workers_with_two_interpreters_are_refused_at_once(stage: Callable[..., Stage]) -> None:
    found = iter(("3.11.7", "3.11.9"))
    behaviour.report = lambda _: {"3.11": next(found)}
    with pytest.raises(UsageError, match="which would be two experiments; install the same on both"):
        stage(2)


def test_one_without_an_interpreter_that_another_has_is_set_aside(stage: Callable[..., Stage]) -> None:
    found = iter(({"3.11": "3.11.7", "3.12": "3.12.1"}, {"3.11": "3.11.7"}))
    behaviour.report = lambda _: next(found)
    here = stage(2)
    assert here.pool.slots == 1
    assert here.notes[0].endswith("gets no trials: Python 3.12 is not installed")


def test_without_any_worker_the_run_ends_with_the_next_step(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "NO_WORKER_S", 0.3)
    here = stage(1)
    here.cluster.scale(0)
    until(lambda: here.notes)
    assert here.notes[0].endswith(" is gone")
    with pytest.raises(ClusterError, match=r"no worker has been left for 0 s; start workers again, then .* --resume"):
        here.begin(1).result(LIMIT_S)
    with pytest.raises(ClusterError):
        here.begin(2).result(LIMIT_S)
    with pytest.raises(ClusterError):
        _ = here.pool.slots


def test_who_waits_for_a_trial_is_let_go_when_it_is_cancelled(stage: Callable[..., Stage]) -> None:
    here = stage(1)
    release = threading.Event()

    def waits(_worker: str, _number: int) -> Verdict:
        release.wait(LIMIT_S)
        return Verdict.CLEAN

    behaviour.trial = waits
    futures = [here.begin(number) for number in (1, 2)]
    until(lambda: behaviour.at_once)
    here.pool.cancel()
    assert wait(futures, timeout=LIMIT_S).done == set(futures)
    assert all(future.cancelled() for future in futures)
    assert here.begin(3).cancelled()
    release.set()


def test_no_worker_seems_gone_while_dask_asks_for_something_else(stage: Callable[..., Stage]) -> None:
    here = stage(1)
    client = here.pool._client
    for _ in range(200):
        client.loop.add_callback(client._update_scheduler_info)  # as it does by itself every few seconds
        assert here.pool._door.present()


def test_all_workers_are_told_of_an_environment_that_may_be_needed(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = stage(2)
    told: list[Cell] = []
    monkeypatch.setattr(TrialsPlugin, "build", lambda _, cell: told.append(cell))
    here.pool.build(CELL)
    until(lambda: told == [CELL, CELL])


def test_a_worker_has_one_run_at_a_time(stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    here = stage(1)
    other = Briefing(
        name="repro-other", plan=PLAN, load=PackedLoad(options=TrialOptions(locustfile=Path()), parcel=Parcel(b""))
    )
    monkeypatch.setattr(TrialsPlugin, "is_busy", property(lambda _: True))
    client = here.pool._client
    (answer,) = client.run(install, other, on_error="return").values()
    assert str(answer) == "another run of repro uses it; wait until that has ended"
    monkeypatch.setattr(TrialsPlugin, "is_busy", property(lambda _: False))
    client.run(install, other)
    with suppress(StopIteration):
        assert "repro-test" not in next(iter(here.cluster.workers.values())).plugins
