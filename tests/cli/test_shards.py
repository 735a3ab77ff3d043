"""Shards of one run by the command line: each on its own, put together, refused where something is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.world.runs.store import open_run, read_run

pytestmark = pytest.mark.timed

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
trials = 2
[settings]
launch = "script"
seconds = 6
[env]
MODE = ["lock", "quick"]
[limits]
stall_after_s = 1
beat_s = 1
"""


@pytest.fixture(scope="module")
def repro(typed) -> Callable[..., subprocess.CompletedProcess[str]]:
    return typed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, repro) -> Path:
    """A folder with both shards of an experiment of two cells, one of which hangs."""
    folder = tmp_path_factory.mktemp("shards")
    (folder / "mine.py").write_text(LOAD)
    (folder / "my.toml").write_text(EXPERIMENT)
    for number in (1, 2):
        done = repro("run", "my.toml", "--python", sys.executable, "--shard", f"{number}/2", "--out", f"part{number}",
                     folder=folder)  # fmt: skip
        assert done.returncode == 1, done.stderr + done.stdout
    return folder


def test_the_shards_together_are_the_run(made: Path, repro) -> None:
    for number in (1, 2):
        cells = read_run(made / f"part{number}").cells
        assert [len(cell.trials) for cell in cells] == [1, 1], "a trial of each cell on each machine"
    done = repro("merge", "part1", "part2", "-o", "whole", "--json", folder=made)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["hangs_when"] == "hangs when env.MODE=lock"
    assert [[trial["number"] for trial in cell["trials"]] for cell in document["cells"]] == [[1, 2], [1, 2]]
    assert "HANGS" in done.stderr
    whole = read_run(made / "whole")
    evidence = [whole.folder / trial.evidence for cell in whole.cells for trial in cell.trials]
    assert len(set(evidence)) == 4
    assert all(any(folder.iterdir()) for folder in evidence)
    assert repro("report", "whole", "--fail-on", "hang", folder=made).returncode == 1


def test_a_shard_goes_on_as_itself_alone(made: Path, repro) -> None:
    shutil.copytree(made / "part2", made / "half")
    with open_run(made / "half") as store:
        trial = store.finished_trials()[0]
        store.drop_trial(trial.cell_id, trial.number)
    refused = repro("merge", "part1", "half", "-o", "never", folder=made)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "shard 2/2 in half lacks 1 trial; continue it with: repro run my.toml" in refused.stderr
    assert not (made / "never").exists()
    again = ("run", "my.toml", "--python", sys.executable, "--out", "half", "--resume")
    for words in (again, (*again, "--shard", "1/2"), (*again, "--shard", "2/2", "--trials", "3")):
        other = repro(*words, folder=made)
        assert other.returncode == 2
        assert "is shard 2/2 of 2 trials for each cell; type the command it was started with: repro run" in other.stderr
    assert repro(*again, "--shard", "2/2", folder=made).returncode == 1
    merged = repro("merge", "part1", "half", "-o", "mended", folder=made)
    assert merged.returncode == 1, merged.stderr
    assert [len(cell.trials) for cell in read_run(made / "mended").cells] == [2, 2]


def test_a_machine_that_gets_no_trial_makes_a_shard_all_the_same(made: Path, repro) -> None:
    done = repro("run", "my.toml", "--python", sys.executable, "--shard", "9/9", "--out", "idle", folder=made)
    assert done.returncode == 0, done.stderr
    assert "Note: shard 9/9 has none of the 4 trials; merge it with the others anyway" in done.stderr
    assert read_run(made / "idle").cells == ()


def test_wrong_words_are_one_sentence(made: Path, repro) -> None:
    bad = repro("run", "my.toml", "--shard", "3of20", folder=made)
    assert (bad.returncode, bad.stderr) == (
        2, "Error: --shard 3of20: give I/N, shard I of N, such as 3/20\n",
    )  # fmt: skip
    (made / "full").mkdir(exist_ok=True)
    (made / "full" / "file").touch()
    busy = repro("merge", "part1", "part2", "-o", "full", folder=made)
    assert (busy.returncode, busy.stderr) == (2, "Error: -o full: it already exists; choose another folder\n")
    gone = repro("merge", "part1", "part9", "-o", "new", folder=made)
    assert (gone.returncode, "part9 is not a run" in gone.stderr) == (2, True)
