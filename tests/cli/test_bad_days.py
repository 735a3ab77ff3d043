"""What goes wrong around a run, for real: interruptions, kills, a dead backend, no network. Nothing is left, nothing is lost."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from repro.world.processes.marks import VARIABLE, is_running
from repro.world.runs.store import read_run

pytestmark = pytest.mark.timed

LONG = ("known/slow-rare", "--set", "seconds=60", "--trials", "3")
LIMIT_S = 180.0


@contextmanager
def repro(*words: str, folder: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command line as a user's shell starts it, with a temporary folder of its own; it is ended afterwards."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        program = subprocess.Popen(
            [sys.executable, "-m", "repro", *words],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(temporary), **env},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            # A shell's `nohup` around the tests must not reach what they start.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509  # no thread runs here
        )
    try:
        yield program
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def children_of(pid: int) -> list[psutil.Process]:
    """What a program with this id started, whether it lives or not: all carry its mark."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(VARIABLE, "").startswith(f"repro-{pid}-") and is_running(process):
                found.append(process)
    return found


def until(condition: Callable[[], object], *, limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)


def cells_of(pid: int) -> list[psutil.Process]:
    return [process for process in children_of(pid) if any("boot.py" in part for part in process.cmdline())]


def is_under_load(run: Path) -> bool:
    """Whether a trial has got to its output, which Locust begins once it is up."""
    return any(file.stat().st_size for file in run.glob("evidence/*/stderr.txt"))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_leaves_nothing_and_can_be_read(signum: int, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with repro("run", *LONG, "--python", sys.executable, "--out", str(run), folder=tmp_path) as program:
        until(lambda: is_under_load(run))
        program.send_signal(signum)
        if signum == signal.SIGHUP:  # of a terminal that is closed there come two
            time.sleep(0.2)
            program.send_signal(signum)
        assert program.wait(LIMIT_S) == 130
        until(lambda: not children_of(program.pid), limit_s=10)
    assert not list((tmp_path / "tmp").iterdir())
    stored = read_run(run)
    assert [trial.verdict for cell in stored.cells for trial in cell.trials] == ["interrupted"]
    assert stored.ended is None
    said = (tmp_path / "stderr").read_text()
    assert "Traceback" not in said
    (step,) = [line for line in said.splitlines() if line.startswith("Finished trials are kept; continue with: ")]
    assert step.endswith(f"{shlex.join([*LONG, '--python', sys.executable, '--out', str(run), '--resume'])}")


def test_after_kill_9_the_cells_end_and_the_run_goes_on(tmp_path: Path) -> None:
    run, words = tmp_path / "run", ("--python", sys.executable, "--trials", "2", "--set", "users=2,3")
    with repro("run", "known/clean", *words, "--out", str(run), folder=tmp_path) as program:
        until(
            lambda: (
                (run / "run.sqlite").exists()
                and any(cell.trials for cell in read_run(run).cells)
                and cells_of(program.pid)
            )
        )
        before = {(trial.cell_id, trial.number) for cell in read_run(run).cells for trial in cell.trials}
        program.kill()
        program.wait()
        until(lambda: not children_of(program.pid), limit_s=15)
    until(lambda: not list((tmp_path / "tmp").iterdir()), limit_s=15)
    with repro("run", "known/clean", *words, "--out", str(run), "--resume", folder=tmp_path) as program:
        assert program.wait(LIMIT_S * 2) == 0, (tmp_path / "stderr").read_text()
    stored = read_run(run)
    assert before <= {(trial.cell_id, trial.number) for cell in stored.cells for trial in cell.trials}
    assert [cell.verdict for cell in stored.cells] == ["clean", "clean"]
    assert stored.ended is not None


def test_a_backend_that_dies_is_never_a_hang(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("known/clean", "--set", "seconds=30", "--trials", "1", "--python", sys.executable, "--json")
    with repro("run", *words, "--out", str(run), folder=tmp_path) as program:
        until(lambda: is_under_load(run))
        for process in children_of(program.pid):
            if any("moto_server.py" in part for part in process.cmdline()):
                process.kill()
        assert program.wait(LIMIT_S) == 4
    (cell,) = json.loads((tmp_path / "stdout").read_text())["cells"]
    assert [trial["verdict"] for trial in cell["trials"]] == ["backend"]
    assert cell["verdict"] == "inconclusive"


def test_without_a_network_and_a_cold_cache_one_sentence_says_so(tmp_path: Path) -> None:
    nowhere = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_CACHE_DIR": str(tmp_path / "uv")}
    words = ("known/clean", "--set", "locust=2.32.0", "--trials", "1", "--out", str(tmp_path / "run"), "--json")
    with repro("run", *words, folder=tmp_path, REPRO_CACHE_DIR=str(tmp_path / "cache"), **nowhere) as program:
        assert program.wait(LIMIT_S) == 3
    (cell,) = json.loads((tmp_path / "stdout").read_text())["cells"]
    assert cell["verdict"] == "untestable"
    assert "no network" in cell["trials"][0]["reason"] or "cannot be reached" in cell["trials"][0]["reason"]


def test_a_port_that_answers_nothing_is_named_with_the_next_step(tmp_path: Path) -> None:
    words = ("known/clean", "--python", sys.executable, "--backend", "endpoint", "--endpoint-url", "http://127.0.0.1:9")
    with repro("run", *words, folder=tmp_path) as program:
        assert program.wait(LIMIT_S) == 4
    said = (tmp_path / "stderr").read_text().strip().splitlines()
    assert said[-1].startswith("Error: ")
    assert "127.0.0.1:9" in said[-1]
    assert not list((tmp_path / "tmp").iterdir())


def test_where_all_crashed_nobody_has_looked_for_a_hang(tmp_path: Path) -> None:
    words = ("run", "known/crash-start", "--python", sys.executable, "--out", str(tmp_path / "run"), "--json")
    with repro(*words, folder=tmp_path) as program:
        assert program.wait(LIMIT_S) == 3
    (cell,) = json.loads((tmp_path / "stdout").read_text())["cells"]
    assert cell["verdict"] == "crash"


def test_an_environment_without_locust_is_told_before_anything_is_started(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    with repro("run", "known/clean", "--python", str(bare), folder=tmp_path) as program:
        assert program.wait(LIMIT_S) == 2
    assert "Locust is not installed in this environment; give one that has it" in (tmp_path / "stderr").read_text()
    assert not (tmp_path / "repro-runs").exists()
