"""``repro run causes``: each known cause shows its hang and its cure, and what does not is told by the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from repro.cli import cli
from repro.errors import UsageError


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("causes", "--set", "users=5"), "--set does not go with `repro run causes`"),
        (("causes", "--resume"), "--resume: give --out and the folder of the `repro run causes`"),
        (("causes", "--resume", "--out", "no-such"), "--resume: give --out and the folder of the `repro run causes`"),
        (("causes", "--dask", "local:2"), "--dask does not go with"),
        (("causes", "--", "locust"), "-- COMMAND does not go with"),
        (("causes", "--cause", "gevent-1"), "--cause gevent-1: unknown cause; `repro list causes`"),
        (("known/clean", "--cause", "gevent-1957"), "--cause goes with `repro run causes`"),
        (("--against", "newest"), "--against goes with `repro run causes`"),
    ],
)
def test_what_does_not_go_together_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        CliRunner().invoke(cli, ["run", *words], catch_exceptions=False, standalone_mode=False)
    assert said in str(refused.value)


@pytest.mark.registry
@pytest.mark.timed
def test_a_cause_shows_its_hang_and_its_cure(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ("run", "causes", "--cause", "locust-2401", "--out", str(folder), "--json")
    done = subprocess.run(
        [sys.executable, "-m", "repro", *words], check=False, capture_output=True, text=True, timeout=300
    )
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert document["news"] == []
    (cause,) = document["causes"]
    assert cause["outcome"] == "as-claimed"
    hangs, cured = cause["cells"]
    assert (hangs["role"], hangs["verdict"], hangs["hang_class"], hangs["of"]) == ("hangs", "hang", "unstoppable", 1)
    assert (cured["role"], cured["verdict"], cured["seen"], cured["of"]) == ("cured", "clean", 0, 2)
    assert "1 of 1 causes showed what their files claim." in done.stderr
    assert (folder / "locust-2401" / "run.sqlite").exists()
    again = subprocess.run(
        [sys.executable, "-m", "repro", *words, "--resume"], check=False, capture_output=True, text=True, timeout=300
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == document  # every trial is there: none is run again
