"""The GitHub action: its file is one that GitHub takes, and its steps do what they say when a shell runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
LIMIT_S = 180.0


def steps() -> dict[str, Any]:
    return {step["name"]: step for step in ACTION["runs"]["steps"]}


def run(name: str, folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """One step, as GitHub runs it, with these inputs; its variables are the step's own names."""
    step = steps()[name]
    inputs = {key: entry["default"] for key, entry in ACTION["inputs"].items()} | given
    variables = {
        key: value
        for key, text in step["env"].items()
        if (value := inputs.get(text.removeprefix("${{ inputs.").removesuffix(" }}"))) is not None
    }
    own = {"RUNNER_TEMP": folder, "GITHUB_OUTPUT": folder / "output", "GITHUB_STEP_SUMMARY": folder / "summary"}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env={**os.environ, **variables, **own, "PATH": f"{TOOLS}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_the_file_is_one_that_github_takes() -> None:
    words = [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.github-actions", ROOT / "action.yml"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.timed
def test_a_run_is_reported_and_its_exit_code_handed_on(tmp_path: Path) -> None:
    options = f"--python '{sys.executable}' --set users=2 --set 'seconds=1'"
    done = run("Run it", tmp_path, experiment="known/frozen", options=options)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "output").read_text() == "exit-code=1\n"
    assert run("Report it", tmp_path).returncode == 0
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"report.html", "report.json", "report.xml"}
    assert "frozen" in (tmp_path / "summary").read_text()


def test_words_are_split_as_a_shell_does_and_not_run(tmp_path: Path) -> None:
    done = run("Run it", tmp_path, options="--set 'users=$(touch ran)'", experiment="known/clean")
    assert (done.returncode, (tmp_path / "ran").exists()) == (0, False)
    assert (tmp_path / "output").read_text() == "exit-code=2\n"
    assert "$(touch ran)" in done.stderr
    assert run("Report it", tmp_path).returncode == 0
