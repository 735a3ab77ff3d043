"""What one file has to hold of a command's load: modules in packages, and the data that they read."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.command import Typed
from repro.core.command.parser import parse
from repro.errors import UsageError
from repro.world.runs.kept.load import read_load, read_program

FILES = {
    "locust.conf": "tags = smoke\n",
    "load/file.py": "import load.setup, shared, json, locust\nfrom far.off import client\n",
    "load/__init__.py": "",
    "load/setup.py": "from . import users\nfrom .data import ROWS\n",
    "load/users.py": "from load.data import ROWS\n",
    "load/data.py": "import os\nROWS = open(os.path.join(os.path.dirname(__file__), '..', 'data', 'names.csv'))\n",
    "load/unused.py": "x = 1\n",
    "load/shared.py": "y = 1\n",
    "src/far/off/client.py": "z = 1\n",
    "data/names.csv": "name\nä\n",
    "data/other.csv": "not read\n",
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tests" / name).write_text(text, "utf-8")
    return tmp_path


def test_modules_of_packages_come_along_with_the_data_that_they_name_and_nothing_else(copy: Path) -> None:
    load = read_load(copy, Typed(place="tests", locustfile="load/file.py", variables={"PYTHONPATH": "src:"}))
    assert load.path == "tests/load/file.py"
    assert load.places == {
        "load": "tests/load/__init__.py",
        "load.setup": "tests/load/setup.py",
        "load.users": "tests/load/users.py",
        "load.data": "tests/load/data.py",
        "shared": "tests/load/shared.py",
        "far": "far/__init__.py",
        "far.off": "far/off/__init__.py",
        "far.off.client": "tests/src/far/off/client.py",
    }
    assert load.modules["far.off.client"] == "z = 1\n"
    assert load.files == {"tests/data/names.csv": "name\nä\n", "tests/locust.conf": "tags = smoke\n"}


def test_data_that_one_file_cannot_hold_is_named(copy: Path) -> None:
    (copy / "tests" / "data" / "names.csv").write_text("x" * 300_000)
    with pytest.raises(UsageError, match=r"the load reads tests/data/names.csv, and with it more than 200 KB"):
        read_load(copy, Typed(place="tests", locustfile="load/file.py"))


PROGRAM = {
    "jobs/__init__.py": "",
    "jobs/main.py": "from . import parts\nimport far, subprocess, sys\nsubprocess.run([sys.executable, 'tools/other.py'])\n",
    "jobs/parts.py": "ROWS = open('rows.csv')\n",
    "jobs/__main__.py": "import jobs.parts\n",
    "src/far.py": "",
    "tools/other.py": "print('other')\n",
    "tools/unused.py": "",
    "rows.csv": "a\n",
}


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    for name, text in PROGRAM.items():
        (tmp_path / "perf" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "perf" / name).write_text(text, "utf-8")
    return tmp_path


@pytest.mark.parametrize("words", [("python", "-m", "jobs.main"), ("python", "jobs/main.py")])
def test_a_program_comes_with_its_modules_its_data_and_the_programs_that_it_starts(jobs: Path, words) -> None:
    load = read_program(jobs, parse(words), Typed(place="perf", variables={"PYTHONPATH": "src"}))
    assert load.path == "perf/jobs/main.py"
    assert load.files == {"perf/rows.csv": "a\n", "perf/tools/other.py": "print('other')\n"}
    assert load.places["far"] == "perf/src/far.py"
    assert "perf/src" in load.paths
    if "-m" in words:
        assert set(load.modules) == {"jobs", "jobs.parts", "far"}


@pytest.mark.parametrize("words", [("python", "-m", "jobs"), ("python", "jobs")])
def test_of_a_folder_and_of_a_package_the_main_file_is_run(jobs: Path, words) -> None:
    load = read_program(jobs, parse(words), Typed(place="perf"))
    assert (load.path, load.paths) == ("perf/jobs/__main__.py", ())
    assert set(load.modules) == {"jobs", "jobs.parts"}


@pytest.mark.parametrize("words", [("pytest", "tests"), ("python", "-m", "pytest"), ("python", "../away.py")])
def test_a_program_that_is_not_of_the_folder_is_refused_with_its_reason(jobs: Path, words) -> None:
    (jobs.parent / "away.py").touch()
    with pytest.raises(UsageError, match=r"is not a Python file in the folder of the command.*run -- python FILE"):
        read_program(jobs, parse(words), Typed(place=""))
