"""``repro bisect`` killed, continued, and told to forget probes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from repro.errors import StoreError
from repro.model import Trial
from repro.world.runs.store import read_run

pytestmark = pytest.mark.timed

LIMIT_S = 500
NOWHERE = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
NARROW = ("--good", "1.14", "--bad", "1.22", "--confidence", "0.8", "--jobs", "2")


def trials_of(folder: Path) -> list[Trial]:
    with suppress(StoreError):  # it is being made
        return [trial for cell in read_run(folder).cells for trial in cell.trials]
    return []


def test_a_killed_hunt_goes_on_and_its_probes_can_be_forgotten(planted, tmp_path: Path, typed) -> None:
    words = [*planted(1.0), *NARROW]
    hunt = tmp_path / "hunt"
    with subprocess.Popen([sys.executable, "-m", "repro", *words], cwd=tmp_path, stderr=subprocess.DEVNULL) as program:
        deadline = time.monotonic() + LIMIT_S
        while len(trials_of(hunt)) < 2:
            assert time.monotonic() < deadline, "it made no two probes"
            time.sleep(0.2)
        program.kill()
    before = {(trial.cell_id, trial.number): trial.started for trial in trials_of(hunt)}
    other = typed(*words, "--find", "fixed", "--resume", folder=tmp_path)
    assert (other.returncode, "belongs to another search" in other.stderr) == (2, True), other.stderr

    last = max(before, key=before.__getitem__)
    done = typed(*words, "--resume", "--undo", "--log", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "HANGS    since planted 1.18; 1.17 does not" in done.stdout
    assert done.stderr.count("forgotten") == 1
    assert done.stdout.count("repro run mine.toml") == len(trials_of(hunt))
    after = {(trial.cell_id, trial.number): trial.started for trial in trials_of(hunt)}
    assert all(after[key] == started for key, started in before.items() if key != last)
    assert after.get(last) != before[last]

    count = len(after)
    again = typed(*words, "--jobs", "1", "--resume", "--drop", "1.18/1", "--json", folder=tmp_path, **NOWHERE)
    assert again.returncode == 1, again.stderr
    assert json.loads(again.stdout)["answer"]["release"] == "1.18"
    assert len(trials_of(hunt)) == count
    cold = typed(*words, "--resume", "--drop", "1.18", "--json", folder=tmp_path, REPRO_CACHE_DIR="cold", **NOWHERE)
    assert cold.returncode == 3
    assert "Error: the package index cannot be reached" in cold.stderr
    assert f"{count - 2} probes are kept; continue with: repro bisect planted mine.toml" in cold.stderr
    assert json.loads(cold.stdout)["answer"]["kind"] == "unknown"
