"""What is published: a wheel and an sdist that hold what they should, and a wheel that works away from any checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from repro import __version__

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
LIMIT_S = 300.0

pytestmark = [pytest.mark.registry, pytest.mark.timed]


def ran(*words: str | Path, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = ran(ROOT / "publishing" / "distributions", folder, folder=folder, REPRO_VENV=str(TOOLS.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (found,) = distributions.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the command, as `uv tool install` puts it there: in an environment that holds nothing else."""
    folder = tmp_path_factory.mktemp("tools")
    bin_folder = folder / "bin"
    done = ran(
        *(TOOLS / "uv", "tool", "install", "--python", sys.executable, "--constraint", ROOT / "constraints.txt", wheel),
        folder=folder,
        UV_TOOL_DIR=str(folder / "environments"),
        UV_TOOL_BIN_DIR=str(bin_folder),
    )
    assert done.returncode == 0, done.stderr
    return bin_folder


def away(*words: str, installed: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The installed command in a folder outside of any checkout, which no variable leads back to."""
    return ran(installed / words[0], *words[1:], folder=folder, PYTHONPATH="", VIRTUAL_ENV="", COLUMNS="100")


def test_the_wheel_puts_one_package_and_nothing_else_beside_those_of_others(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"repro", f"repro_hangs-{__version__}.dist-info"}
    for name in ("py.typed", "scenarios/locust-2637/experiment.toml", "scenarios/known/truths.toml"):
        assert f"repro/{name}" in names


@pytest.mark.parametrize("folder", ["repro", "scenarios"])
def test_the_wheel_holds_every_file_that_the_checkout_has(folder: str, wheel: Path) -> None:
    kept = ran("git", "ls-files", folder, folder=ROOT)
    if kept.returncode:
        pytest.skip("not a checkout of git: " + kept.stderr)
    names = {name.removeprefix("repro/").removeprefix("scenarios/") for name in zipfile.ZipFile(wheel).namelist()}
    missing = [name for name in kept.stdout.split() if name.partition("/")[2] not in names]
    assert missing == []


def test_the_description_says_what_the_distribution_is_called_and_what_it_is(wheel: Path) -> None:
    file = zipfile.ZipFile(wheel)
    said = HeaderParser().parsestr(file.read(f"repro_hangs-{__version__}.dist-info/METADATA").decode())
    assert (said["Name"], said["Version"], said["License-Expression"]) == ("repro-hangs", __version__, "MIT")
    assert file.read(f"repro_hangs-{__version__}.dist-info/licenses/LICENSE").startswith(b"MIT License")


def test_the_sdist_holds_what_a_packager_needs(distributions: Path) -> None:
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "constraints.txt", "check", "tests/conftest.py"} <= names


def test_an_installed_command_runs_a_trial_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    done = away("repro", "run", "known/clean", "--json", installed=installed, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert (cell["verdict"], [trial["verdict"] for trial in cell["trials"]]) == ("clean", ["clean"])
    assert [path.name for path in tmp_path.iterdir()] == ["repro-runs"]
    report = away("repro", "report", "--format", "html", "-o", "report.html", installed=installed, folder=tmp_path)
    assert (report.returncode, (tmp_path / "report.html").is_file()) == (0, True), report.stderr


def test_an_installed_command_knows_the_experiments_and_looks_at_a_process(installed: Path, tmp_path: Path) -> None:
    listed = away("repro", "list", "--json", installed=installed, folder=tmp_path)
    assert {"locust-2637", "known/clean"} <= {row["experiment"] for row in json.loads(listed.stdout)}
    doctor = away("repro", "doctor", sys.executable, "--json", installed=installed, folder=tmp_path)
    assert "locust" in json.loads(doctor.stdout)["packages"]
    words = [sys.executable, "-c", "import time; print(flush=True); time.sleep(300)"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as asleep:
        try:
            asleep.stdout.readline()
            pid = str(asleep.pid)
            looked = away("repro", "attach", pid, "--for", "0.5", "--json", installed=installed, folder=tmp_path)
        finally:
            asleep.kill()
    assert json.loads(looked.stdout)["stacks"], looked.stderr
