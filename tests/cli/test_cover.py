"""Few cells of a matrix by the command line: said before they run, extended later, dealt to shards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from repro.world.runs.store import read_run

pytestmark = pytest.mark.timed

SCRIPT = Path(sys.executable).with_name("repro")
LIMIT_S = 180.0
LOAD = """
import os
import boto3
boto3.client("sqs").get_queue_url(QueueName=os.environ["REPRO_QUEUE"])
"""
EXPERIMENT = """
scenario = "mine.py"
trials = 1
[settings]
launch = "script"
seconds = 1
[env]
A = ["0", "1"]
B = ["0", "1"]
C = ["0", "1"]
[[exclude]]
env.A = "1"
env.B = "1"
"""


def repro(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *words], cwd=folder, env={**os.environ, "COLUMNS": "300"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(LOAD)
    (tmp_path / "my.toml").write_text(EXPERIMENT.replace("env.A", '"env.A"').replace("env.B", '"env.B"'))
    return tmp_path


def test_few_cells_are_run_and_extended_by_what_they_lack(folder: Path) -> None:
    words = ("run", "my.toml", "--python", sys.executable, "--out", "few", "--jobs", "2", "--json")
    done = repro(*words, "--cover", "2", folder=folder)
    assert done.returncode == 0, done.stderr
    cover = json.loads(done.stdout)["cover"]
    assert (cover["strength"], cover["of"], cover["combinations"], cover["ruled_out"]) == (2, 6, 11, 1)
    assert cover["impossible"] == [{"env.A": "1", "env.B": "1"}]
    pairs = read_run(folder / "few")
    assert len(pairs.cells) == cover["cells"] < 6
    said = f"Note: {cover['cells']} of 6 cells have all 11 combinations of 2 levels that the rules leave: up to"
    assert done.stderr.startswith(said), done.stderr
    assert "1 combination of 2 levels is in no cell that the rules leave: those with env.A=1 and env.B=1" in done.stderr
    assert "Covered:" in done.stderr

    other = repro(*words, "--resume", folder=folder)
    assert other.returncode == 2
    assert "has other cells; type the command it was started with: repro run my.toml" in other.stderr

    again = repro(*words, "--cover", "3", "--resume", folder=folder)
    assert again.returncode == 0, again.stderr
    triples = read_run(folder / "few")
    started = {trial.cell_id: trial.started for result in triples.cells for trial in result.trials}
    assert {cell.cell.id for cell in pairs.cells} < started.keys() == {cell.id for cell in triples.plan.cells}
    for result in pairs.cells:
        assert started[result.cell.id] == result.trials[0].started, "what was run is not run again"
    assert (len(triples.plan.cells), triples.plan.cover) == (6, None), "three factors vary: these are all"
    assert triples.command.endswith("--json --cover 3")


def test_shards_share_the_same_few_cells(folder: Path) -> None:
    for number in (1, 2):
        done = repro("run", "my.toml", "--python", sys.executable, "--cover", "2", "--shard", f"{number}/2",
                     "--out", f"part{number}", folder=folder)  # fmt: skip
        assert done.returncode == 0, done.stderr
    first, second = (read_run(folder / f"part{number}") for number in (1, 2))
    assert first.plan == second.plan
    assert len(first.cells) + len(second.cells) == len(first.plan.cells) < 6
    larger = repro("run", "my.toml", "--python", sys.executable, "--cover", "3", "--shard", "1/2", "--out", "part1",
                   "--resume", folder=folder)  # fmt: skip
    assert (larger.returncode, "has other cells" in larger.stderr) == (2, True)
    merged = repro("merge", "part1", "part2", "-o", "whole", "--json", folder=folder)
    assert merged.returncode == 0, merged.stderr
    assert json.loads(merged.stdout)["cover"]["of"] == 6


def test_wrong_words_are_one_sentence(folder: Path) -> None:
    for words, said in (
        (("--cover", "1"), "--cover 1: give how many levels are combined, 2 for pairs"),
        (("--cover", "pairs"), "--cover pairs: give"),
        (("--cover", "2", "--resume", "--out", "none"), "none is not a run"),
    ):
        bad = repro("run", "my.toml", "--python", sys.executable, *words, folder=folder)
        assert (bad.returncode, bad.stdout) == (2, ""), bad.stderr
        assert said in bad.stderr
        assert len(bad.stderr.strip().splitlines()) == 1, bad.stderr


HANGING = (
    LOAD
    + """
if os.environ["A"] == os.environ["C"] == "1":
    import threading
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
"""
)


@pytest.mark.parametrize("where", [("--jobs", "2"), ("--dask", "local:2")], ids=["here", "on workers"])
def test_the_two_levels_that_hang_together_are_found_and_shown(where: tuple[str, str], folder: Path) -> None:
    (folder / "mine.py").write_text(HANGING)
    text = EXPERIMENT.split("[[exclude]]", maxsplit=1)[0].replace("seconds = 1", "seconds = 6") + 'D = ["0", "1"]\n'
    (folder / "my.toml").write_text(text + "[limits]\nstall_after_s = 1\nbeat_s = 1\n")
    done = repro("run", "my.toml", "--python", sys.executable, "--out", "few", *where, "--cover", "2", "--json",
                 folder=folder)  # fmt: skip
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    faulty = document["conclusion"]["faulty"]
    assert faulty["settled"], done.stderr
    (found,) = faulty["found"]
    assert (found["text"], found["enough"]) == ("env.A=1 and env.C=1", True)
    assert all(clause["shown"] for clause in found["clauses"])
    assert found["probability"] >= 0.95
    assert document["hangs_when"] == "hangs when env.A=1 and env.C=1"
    assert len(document["cells"]) < 16
    assert (
        "Shown:   env.A=1 and env.C=1: clean without any one of them, enough to make a clean cell hang" in done.stderr
    )
    report = repro("report", "few", "--format", "md", folder=folder)
    assert "clean without any one of them" in report.stdout
