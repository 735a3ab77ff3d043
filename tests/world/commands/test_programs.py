"""Which interpreter the shell would run a command with."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from repro.core.command.parser import parse
from repro.errors import UsageError
from repro.world.commands import programs, sources
from repro.world.commands.programs import Found, find


def found(line: str, folder: Path) -> Found:
    return find(parse(shlex.split(line)), folder=folder)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the PATH, with a python that is a wrapper of this one."""
    script(tmp_path / "bin" / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path


def test_a_python_is_the_one_that_it_says_it_is(shell: Path) -> None:
    assert found("python x.py", shell) == Found(interpreter=Path(sys.executable))
    assert found(f"{sys.executable} -m load", shell) == Found(interpreter=Path(sys.executable))


@pytest.mark.parametrize(
    "first",
    [
        f"#!{sys.executable}\n",
        "#!/usr/bin/env python\n",
        "#!/usr/bin/env -S python -u\n",
        f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n' '''\n",
    ],
)
def test_a_console_script_names_its_interpreter(shell: Path, first: str) -> None:
    path = script(shell / "bin" / "loadtool", f"{first}import sys\n")
    assert found("loadtool --fast", shell) == Found(interpreter=Path(sys.executable), script=path)
    locust = script(shell / "bin" / "locust", f"{first}import sys\n")
    assert found("locust -u 3", shell) == Found(interpreter=Path(sys.executable)), locust


@pytest.mark.timed
@pytest.mark.parametrize("first", ["", "loadtool"])
def test_an_interpreter_that_hangs_before_its_first_line_is_named_with_what_it_may_be(
    shell: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    python = script(shell / "bin" / "python3.99", "#!/bin/sh\nsleep 1000\n")  # as one whose sitecustomize waits
    script(shell / "bin" / "loadtool", f"#!{python}\nimport sys\n")
    monkeypatch.setattr(programs, "LIMIT_S", 0.5)
    monkeypatch.setattr(sources, "LIMIT_S", 0.5)
    says = "had not run its first line after 0.5 s: what it loads at its start hangs, such as sitecustomize.py"
    with pytest.raises(UsageError, match=says):
        found(first or "python3.99 job.py", shell)
    with pytest.raises(UsageError, match=says):
        sources.check_syntax(python, [shell / "job.py"])


@pytest.mark.parametrize("name", ["make", "run.sh"])
def test_a_command_that_is_no_python_program_is_refused(shell: Path, name: str) -> None:
    script(shell / "bin" / name, "#!/bin/sh\nlocust -f locustfile.py\n")
    with pytest.raises(UsageError, match="is not a Python program; put `repro run --` in front of the Python command"):
        found(f"{name} load", shell)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nowhere-to-be-found", "is not on the PATH of this shell; activate its environment"),
        ("./missing", "./missing does not exist; check the path"),
        ("orphan", "belongs to /gone/bin/python, which does not exist"),
    ],
)
def test_a_program_that_is_not_there_is_refused(shell: Path, line: str, says: str) -> None:
    script(shell / "bin" / "orphan", "#!/gone/bin/python\n")
    with pytest.raises(UsageError, match=says):
        found(line, shell)
