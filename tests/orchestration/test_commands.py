"""A command as it is prepared: what its cells get, what is said of it, and what is refused before anything runs."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from repro.answer import BisectionRequest, Direction, HuntedRange
from repro.errors import UsageError
from repro.model import BaseEnvironment
from repro.orchestration import commands
from repro.orchestration.commands import CommandRequest, PreparedCommand, prepare_command
from repro.orchestration.hunt.ranges import prepared_for
from repro.orchestration.preparation import RunRequest, prepare

LOCUSTFILE = """
import os
POOL = os.environ.get("POOL", "5")
NAMES = open("data/names.csv")
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a load test, and a shell whose ``python`` and ``locust`` have Locust 2.24.0."""
    folder, shell, site = tmp_path / "mine", tmp_path / "bin", tmp_path / "site"
    for path in (folder, shell, site / "locust-2.24.0.dist-info"):
        path.mkdir(parents=True)
    (site / "locust-2.24.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: locust\nVersion: 2.24.0\n")
    for name, text in (("python", f'#!/bin/sh\nexec {sys.executable} "$@"\n'), ("locust", f"#!{sys.executable}\n")):
        (shell / name).write_text(text)
        (shell / name).chmod(0o755)
    (folder / "locustfile.py").write_text(LOCUSTFILE)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{shell}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LOCUST_USERS", raising=False)
    return folder


def prepared(line: str, *names: str, has_no_variables: bool = False) -> PreparedCommand:
    request = CommandRequest(words=tuple(shlex.split(line)), names=names, has_no_variables=has_no_variables)
    return prepare_command(request, python=None)


@pytest.mark.usefixtures("here")
def test_what_the_command_gives_is_taken_and_what_it_does_not_is_said() -> None:
    command = prepared("locust -u 50 -r 5 -t 2m --tags smoke --web-port 8090")
    assert command.line.levels == {"users": 50, "spawn_rate": 5, "seconds": 120}
    said = " | ".join(command.notices)
    assert "the web UI is not started" in said
    assert "without effect here: --web-port 8090" in said
    assert "the command gives no" not in said
    assert "the command gives no users: 20 are started at once; no run time: the load lasts 8 s" in " | ".join(
        prepared("locust").notices
    )


def test_locusts_file_says_it_too_and_the_command_wins(here: Path) -> None:
    (here / "locust.conf").write_text("locustfile = load.py\nheadless\nusers = 12\nspawn-rate = 4\nrun-time = 6s\n")
    (here / "load.py").write_text("x = 1\n")
    command = prepared("locust -u 3")
    assert command.line.levels == {"users": 3, "spawn_rate": 4, "seconds": 6}
    assert command.locustfile == here / "load.py"
    assert "the web UI" not in " | ".join(command.notices)


@pytest.mark.usefixtures("here")
def test_a_long_load_is_named_for_there_are_several_trials() -> None:
    assert "each trial lasts 60 min, as the command says" in " | ".join(prepared("locust -t 1h").notices)
    assert "each trial lasts" not in " | ".join(prepared("locust -t 2m").notices)
    asked = RunRequest(command=CommandRequest(words=("locust", "-t", "1h")), overrides=("seconds=3",))
    assert "each trial lasts" not in " | ".join(prepare(asked).notices)


def test_a_shape_that_is_imported_decides_the_users_and_one_beside_it_does_not(here: Path) -> None:
    (here / "waves.py").write_text("from locust import LoadTestShape\nclass Waves(LoadTestShape):\n    pass\n")
    assert "20 are started at once" in " | ".join(prepared("locust").notices)
    (here / "locustfile.py").write_text("from waves import Waves\n")
    said = " | ".join(prepared("locust").notices)
    assert "a LoadTestShape decides the users" in said
    assert "the command gives no run time: the load lasts 8 s" in said


@pytest.mark.usefixtures("here")
def test_variables_that_the_files_read_are_passed_on_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POOL", "7")
    monkeypatch.setenv("OTHER", "1")
    monkeypatch.setenv("AWS_PROFILE", "production")
    assert prepared("locust -u 1").variables["POOL"] == "7"
    assert "passed on from this shell: POOL" in " | ".join(prepared("locust -u 1").notices)
    assert dict(prepared("A=1 locust", "OTHER", "NEW=2", has_no_variables=True).variables) == {
        "OTHER": "1", "NEW": "2", "A": "1",
    }  # fmt: skip
    with pytest.raises(UsageError, match="--env AWS_PROFILE: credentials and addresses"):
        prepared("locust", "AWS_PROFILE")
    with pytest.raises(UsageError, match=r"--env NOWHERE: this shell does not have it; export it"):
        prepared("locust", "NOWHERE")


def test_paths_within_the_folder_lead_into_its_copy(here: Path) -> None:
    command = prepared(f"locust -f {here}/locustfile.py --data {here}/data/names.csv --other /etc/hosts")
    assert command.line.locustfile == "locustfile.py"
    assert command.line.arguments == ("--data", "data/names.csv", "--other", "/etc/hosts")


def test_a_file_beyond_the_folder_is_used_where_it_is_and_named(here: Path) -> None:
    far = here.parent / "far.py"
    far.write_text("x = 1\n")
    command = prepared("locust -f ../far.py -u 1")
    assert command.line.locustfile == str(here / "../far.py")
    assert "outside of this folder, so used where they are" in " | ".join(command.notices)


def test_several_files_or_a_folder_are_taken(here: Path) -> None:
    (here / "more").mkdir()
    (here / "more" / "a.py").write_text("x = 1\n")
    assert prepared("locust -f locustfile.py,more -u 1").line.locustfile == "locustfile.py,more"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("make load", "make is not on the PATH|make is not a Python program"),
        ("locust -f gone.py", "locustfile gone.py does not exist; check the path"),
        ("locust -f empty", "is a folder without a Python file"),
        ("locust -f broken.py", r"broken.py:2: .*; fix the file"),
        ("python broken.py", r"broken.py:2: .*; fix the file"),
        ("python gone.py", "file gone.py does not exist"),
        ("locust --config gone.conf", "--config .*gone.conf does not exist"),
    ],
)
def test_what_cannot_run_is_refused_in_one_sentence(here: Path, line: str, says: str) -> None:
    (here / "empty").mkdir()
    (here / "broken.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(UsageError, match=says):
        prepared(line)


@pytest.mark.usefixtures("here")
def test_an_interpreter_without_locust_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "read_base", lambda path: BaseEnvironment(interpreter=path, python="3.11.7"))
    asked = RunRequest(command=CommandRequest(words=("locust",)))
    with pytest.raises(UsageError, match="Locust is not installed in this environment; activate the one that has it"):
        prepare(asked)
    assert prepare(replace(asked, overrides=("locust=2.24.0",))).plan.cells[0].environment.pins == {"locust": "2.24.0"}


def test_a_command_in_a_folder_without_a_locustfile_is_refused(here: Path) -> None:
    (here / "locustfile.py").unlink()
    with pytest.raises(UsageError, match=r"there is no locustfile.py in this folder; give the command's -f FILE"):
        prepared("locust")


@pytest.mark.usefixtures("here")
def test_the_plan_of_a_command_has_its_levels_and_set_varies_them() -> None:
    command = CommandRequest(words=("locust", "-u", "3"))
    plan = prepare(RunRequest(command=command, overrides=("users=1,10", "seconds=4"))).plan
    assert [cell.settings["users"] for cell in plan.cells] == [1, 10]
    assert {cell.environment.interpreter for cell in plan.cells} == {Path(sys.executable)}
    assert plan.varied == ("users",)
    script = prepare(RunRequest(command=CommandRequest(words=("python", "locustfile.py")))).plan
    assert script.cells[0].settings["launch"] == "script"


@pytest.mark.usefixtures("here")
def test_settings_that_the_files_do_not_read_are_named() -> None:
    asked = RunRequest(command=CommandRequest(words=("locust",)), overrides=("client=shared",))
    assert "do not read REPRO_CLIENT: --set does not change them" in " | ".join(prepare(asked).notices)


def test_a_locustfile_beside_a_command_is_refused(here: Path) -> None:
    with pytest.raises(UsageError, match="both say what is run"):
        prepare(RunRequest(command=CommandRequest(words=("locust",)), locustfile=here / "locustfile.py"))


@pytest.mark.usefixtures("here")
def test_a_bisection_varies_one_package_of_the_commands_own_environment() -> None:
    hunted = HuntedRange(
        asked=BisectionRequest(
            package="gevent", good="24.2.1", bad="25.9.1", find=Direction.BAD, days=None, pre=False, yanked=False
        ),
        factor="gevent",
        released={"24.2.1": None, "25.9.1": None},
    )
    found = prepared_for(hunted, RunRequest(command=CommandRequest(words=("locust", "-u", "3"))))
    assert [dict(cell.environment.pins) for cell in found.plan.cells] == [{"gevent": "24.2.1"}, {"gevent": "25.9.1"}]
    assert all(cell.environment.base is not None for cell in found.plan.cells)
