"""``--dask`` on its bad days, with schedulers and workers that are real processes on this machine.

Nothing is lost but the trials under way, nothing is counted twice, nothing is left running.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import repro as this_repro
from repro.cli.options.cluster import check_dask
from repro.errors import UsageError
from repro.orchestration.workers.address import ClusterAddress
from repro.world.runs.store import read_run
from repro.world.runs.this_machine import this_machine

SCRIPT = Path(sys.executable).with_name("repro")
LIMIT_S = 240.0
START_S = 60.0
GONE_S = 60.0
LOAD = """
import os
import boto3
boto3.client("sqs").get_queue_url(QueueName=os.environ["REPRO_QUEUE"])
if os.environ["MODE"] == "lock":
    import threading
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
"""
EXPERIMENT = """
scenario = "mine.py"
trials = 1
[settings]
launch = "script"
seconds = 6
[env]
MODE = ["lock", "quick"]
[limits]
stall_after_s = 1
beat_s = 1
"""
HUNTED = """
import os
import boto3
import planted
boto3.client("sqs").get_queue_url(QueueName=os.environ["REPRO_QUEUE"])
if planted.VERSION in ("1.3", "1.4"):
    import threading
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
"""
SETTLED = {("lock", 1), ("quick", 1)}


class Place:
    """A folder with an experiment, and the processes of a cluster, all of which carry the folder's name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        (folder / "mine.py").write_text(LOAD)
        (folder / "my.toml").write_text(EXPERIMENT)

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.folder), "COLUMNS": "200"}

    def dask(self, *words: str, **more: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words, "--no-dashboard"], cwd=self.folder, env={**self.environ, **more},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(self.folder / f"{words[0]}.log").open("ab"),
        )  # fmt: skip
        self._started.append(process)
        return process

    def scheduler(self) -> tuple[subprocess.Popen[bytes], str]:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            address = f"tcp://127.0.0.1:{one.getsockname()[1]}"
        port = address.rpartition(":")[2]
        process = self.dask("scheduler", "--host", "127.0.0.1", "--port", port)
        wait_until(lambda: is_open(int(port)), "the scheduler listens", START_S)
        return process, address

    def worker(self, address: str, **more: str) -> subprocess.Popen[bytes]:
        # Without its nanny, which would start a worker that was killed again.
        return self.dask("worker", address, "--nthreads", "1", "--no-nanny", **more)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return self.repro("run", "my.toml", "--python", sys.executable, "--until", "all", *words)

    def repro(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [SCRIPT, *words], cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self._started.append(process)  # type: ignore[arg-type]
        return process

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.begin(*words)
        stdout, stderr = process.communicate(timeout=LIMIT_S)
        return process.returncode, stdout, stderr

    def cells(self) -> list[psutil.Process]:
        """The processes of trials."""
        return [process for process in self.processes() if "REPRO_TRIAL_DIR" in environ_of(process)]

    def processes(self) -> list[psutil.Process]:
        """All but the cluster's own that have to do with this folder."""
        own = {process.pid for process in self._started}
        return [process for process in psutil.process_iter() if process.pid not in own and self._is_here(process)]

    def _is_here(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, OSError):
            texts = [*process.cmdline(), environ_of(process).get("REPRO_TRIAL_DIR", "")]
            return process.status() != psutil.STATUS_ZOMBIE and any(str(self.folder) in text for text in texts)
        return False

    def trials(self, name: str) -> list[tuple[str, int, str]]:
        run = read_run(self.folder / name)
        return sorted(
            (str(result.cell.factors["env.MODE"]), trial.number, trial.verdict.value)
            for result in run.cells
            for trial in result.trials
        )

    def end(self) -> None:
        for process in self._started:
            with suppress(psutil.Error):
                for child in psutil.Process(process.pid).children(recursive=True):
                    with suppress(psutil.Error):
                        child.kill()
            process.kill()
            process.wait(START_S)


def environ_of(process: psutil.Process) -> dict[str, str]:
    with suppress(psutil.Error, OSError):
        return dict(process.environ())
    return {}


def is_open(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1.0).close()
        return True
    return False


def wait_until(condition: Callable[[], object], what: str, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s:.0f} s: {what}"
        time.sleep(0.1)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    found.end()


@pytest.mark.timed
def test_local_workers_make_the_run_that_this_machine_would(place: Place) -> None:
    code, stdout, stderr = place.run("--dask", "local:2", "--out", "run", "--trials", "2", "--json")
    assert code == 1, stderr
    document = json.loads(stdout)
    assert document["hangs_when"] == "hangs when env.MODE=lock"
    assert [number for _, number, _ in place.trials("run")] == [1, 2, 1, 2]
    run = read_run(place.folder / "run")
    trials = [trial for result in run.cells for trial in result.trials]
    assert {trial.machine for trial in trials} == {this_machine().host} == {machine.host for machine in run.machines}
    assert all(trial.command.startswith("repro run my.toml") for trial in trials)
    assert all((run.folder / trial.evidence / "stderr.txt").is_file() for trial in trials)
    wait_until(lambda: not place.processes(), "nothing is left running", GONE_S)


@pytest.mark.timed
def test_a_worker_that_is_killed_costs_its_trial_and_one_that_joins_late_makes_it(place: Place) -> None:
    _, address = place.scheduler()
    first = place.worker(address)
    run = place.begin("--dask", address, "--out", "run")
    wait_until(place.cells, "a trial is under way", LIMIT_S)
    first.kill()
    first.wait(START_S)
    wait_until(lambda: not place.processes(), "the dead worker's cell and backend are gone", GONE_S)
    place.worker(address)
    _, stderr = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 1, stderr
    assert {(mode, number) for mode, number, _ in place.trials("run")} == SETTLED
    assert {verdict for _, _, verdict in place.trials("run")} == {"hang", "clean"}
    wait_until(lambda: not place.processes(), "the worker's session is closed", GONE_S)


@pytest.mark.timed
def test_a_dead_scheduler_loses_nothing_that_has_ended(place: Place) -> None:
    scheduler, address = place.scheduler()
    place.worker(address)
    run = place.begin("--dask", address, "--out", "run")
    wait_until(lambda: (place.folder / "run" / "run.sqlite").exists() and place.trials("run"), "one is kept", LIMIT_S)
    wait_until(place.cells, "another is under way", LIMIT_S)
    scheduler.kill()
    _, stderr = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 4
    assert "the scheduler of --dask is gone; start it again, then continue with --resume" in stderr
    wait_until(lambda: not place.processes(), "nothing is left of the trial under way", GONE_S)
    kept = read_run(place.folder / "run")
    started = {trial.started for result in kept.cells for trial in result.trials}
    _, address = place.scheduler()
    place.worker(address)
    code, _, stderr = place.run("--dask", address, "--out", "run", "--resume")
    assert code == 1, stderr
    assert {(mode, number) for mode, number, _ in place.trials("run")} == SETTLED
    again = read_run(place.folder / "run")
    assert started <= {trial.started for result in again.cells for trial in result.trials}, "kept as they were"


@pytest.mark.timed
def test_a_client_that_is_killed_leaves_idle_workers_and_goes_on(place: Place) -> None:
    _, address = place.scheduler()
    worker = place.worker(address)
    run = place.begin("--dask", address, "--out", "run")
    wait_until(place.cells, "a trial is under way", LIMIT_S)
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=START_S)
    wait_until(lambda: not place.processes(), "cell and backend are gone, though the worker lives", GONE_S)
    assert worker.poll() is None
    code, _, stderr = place.run("--dask", address, "--out", "run", "--resume")
    assert code == 1, stderr
    assert {(mode, number) for mode, number, _ in place.trials("run")} == SETTLED


@pytest.mark.timed
def test_ctrl_c_at_a_terminal_ends_trials_and_workers_and_says_how_to_go_on(place: Place) -> None:
    run = place.begin("--dask", "local:1", "--out", "run")
    wait_until(place.cells, "a trial is under way", LIMIT_S)
    os.killpg(run.pid, signal.SIGINT)  # the local workers get it, too
    _, stderr = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 130, stderr
    assert "continue with: repro run my.toml" in stderr
    assert "Traceback" not in stderr
    wait_until(lambda: not place.processes(), "nothing is left running", GONE_S)


@pytest.mark.timed
def test_another_repro_on_a_worker_is_refused_before_anything_runs(place: Place) -> None:
    _, address = place.scheduler()
    (place.folder / "old" / "repro").mkdir(parents=True)
    (place.folder / "old" / "repro" / "__init__.py").write_text('__version__ = "0.0.1"\n')
    place.worker(address, PYTHONPATH=str(place.folder / "old"))
    code, _, stderr = place.run("--dask", address, "--out", "run")
    assert code == 2
    assert stderr.splitlines()[-1].endswith(
        f"has repro 0.0.1, and this is repro {this_repro.__version__}; install the same version of repro-hangs there"
    )
    assert place.trials("run") == []


@pytest.mark.timed
@pytest.mark.parametrize(
    "words",
    [
        ("bisect", "planted", "my.toml", "--good", "1.1", "--bad", "1.4"),
        ("blame", "my.toml", "--good", "good.txt", "--bad", "bad.txt"),
    ],
    ids=["bisect", "blame"],
)
def test_a_hunt_probes_on_workers(words: tuple[str, ...], place: Place, index_folder) -> None:
    for number in range(1, 5):
        index_folder.add("planted", f"1.{number}")
    (place.folder / "mine.py").write_text(HUNTED)
    (place.folder / "my.toml").write_text(EXPERIMENT.replace('[env]\nMODE = ["lock", "quick"]\n', ""))
    for name, version in (("good", "1.1"), ("bad", "1.4")):
        (place.folder / f"{name}.txt").write_text(f"locust\nboto3\nplanted=={version}\n")
    hunt = place.repro(*words, "--confidence", "0.6", "--dask", "local:2", "--out", "hunt", "--json")
    stdout, stderr = hunt.communicate(timeout=LIMIT_S)
    assert hunt.returncode == 1, stderr
    answer = json.loads(stdout)["answer"]
    found = answer["packages"][0] if words[0] == "blame" else answer
    assert (answer["kind"], found["release"], found["previous"]) == ("first-bad", "1.3", "1.2")
    machines = {trial.machine for result in read_run(place.folder / "hunt").cells for trial in result.trials}
    assert machines == {this_machine().host}
    wait_until(lambda: not place.processes(), "nothing is left running", GONE_S)


def given(**more: object) -> object:
    options = {"backends": (), "provision_words": [], "serve": None, "before": None, **more}
    return type("Given", (), options)()


def test_without_the_extra_the_command_to_type_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"not installed; type: \S+ -m uv pip install --python \S+ distributed$"):
        check_dask(given(), ClusterAddress(local=1), jobs=None)  # type: ignore[arg-type]
    check_dask(given(), None, jobs=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "jobs", "said"),
    [
        ({}, 2, "--jobs says how many trials this machine runs at once"),
        ({"backends": ("moto", "aws")}, None, "leave --backend aws out"),
        ({"provision_words": ["--serve"], "serve": "python server.py"}, None, "leave --serve out"),
        ({"provision_words": ["--before"], "before": "python seed.py"}, None, "leave --before out"),
    ],
)
def test_what_does_not_go_with_it_is_refused(more: dict[str, object], jobs: int | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_dask(given(**more), ClusterAddress(url="tcp://a:1"), jobs=jobs)  # type: ignore[arg-type]
