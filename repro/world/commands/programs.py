"""Which interpreter the shell would run a command with: by PATH, by a console script's first line, by ``uv run``."""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from repro.command import CommandLine, Program
from repro.errors import ProcessError, SlowProcessError, UsageError
from repro.world.processes import door

RUNNER_LIMIT_S = 300.0
"""``uv run`` may make the environment first."""
LIMIT_S = 20.0
_FIRST_BYTES = 4096
_WHERE = "import sys; print(sys.executable)"


@dataclass(frozen=True, kw_only=True)
class Found:
    """The interpreter of a command, and for a console script its path."""

    interpreter: Path
    script: Path | None = None


def find(command: CommandLine, *, folder: Path, python: Path | None = None) -> Found:
    """What the shell would run in this folder; ``python`` replaces the interpreter.

    Raises:
        UsageError: there is no such program, or it is not one of Python.
    """
    if command.runner:
        interpreter = python or _asked(command.runner, folder)
        return Found(interpreter=interpreter, script=_beside(interpreter, command))
    if command.program is not Program.SCRIPT and Path(command.name).name.startswith(("python", "pypy")):
        return Found(interpreter=python or _executable([str(_path_of(command.name, folder))], folder))
    if python is not None and command.is_locust:
        return Found(interpreter=python)
    script = _path_of(command.name, folder)
    script = _behind_shim(script, folder)
    interpreter = python or _interpreter_of(script, command.name, folder)
    return Found(interpreter=interpreter, script=None if command.is_locust else script)


def _path_of(name: str, folder: Path) -> Path:
    path = folder / name if "/" in name else Path(shutil.which(name) or "")
    if "/" in name and not path.is_file():
        raise UsageError(f"the program {name} does not exist; check the path")
    if "/" not in name and path == Path():
        raise UsageError(f"{name} is not on the PATH of this shell; activate its environment, or give its path")
    return path


def _behind_shim(script: Path, folder: Path) -> Path:
    """Pyenv's shims only stand for the programs of its versions."""
    pyenv = shutil.which("pyenv")
    if script.parent.name != "shims" or pyenv is None:
        return script
    done = door.run([pyenv, "which", script.name], cwd=folder, limit_s=LIMIT_S)
    return Path(done.stdout.strip()) if done.returncode == 0 else script


def _interpreter_of(script: Path, name: str, folder: Path) -> Path:
    """The interpreter that a console script's first lines name."""
    words = _shebang(script)
    base = Path(words[0]).name if words else ""
    if base == "env" and len(words) > 1:
        words = [word for word in words[1:] if not word.startswith("-")]
        base = Path(words[0]).name if words else ""
        found = shutil.which(base)
        words = [found] if found else []
    if not words or not base.startswith(("python", "pypy")):
        raise UsageError(
            f"{name} is not a Python program; put `repro run --` in front of the Python command that it starts, such "
            "as locust, python or pytest"
        )
    if not Path(words[0]).exists():
        raise UsageError(f"{script} belongs to {words[0]}, which does not exist; rebuild its environment")
    return _executable(words[:1], folder)


def _shebang(script: Path) -> list[str]:
    """The words of the first line. A long path is in the second, which a shell runs: ``'''exec' "/long/python"``."""
    with script.open("rb") as file:
        lines = file.read(_FIRST_BYTES).split(b"\n")
    if not lines[0].startswith(b"#!"):
        return []
    words = lines[0][2:].decode("utf-8", "replace").split()
    if len(lines) > 1 and lines[1].startswith(b"'''exec'"):
        return shlex.split(lines[1].decode("utf-8", "replace")[len("'''exec'") :])[:1]
    return words


def _executable(argv: list[str], folder: Path) -> Path:
    """The interpreter's own path: behind a shim, a link or a wrapper it says which it is."""
    try:
        done = door.run([*argv, "-c", _WHERE], cwd=folder, limit_s=LIMIT_S)
    except SlowProcessError as error:
        raise UsageError(never_starts(argv[0], LIMIT_S)) from error
    except ProcessError as error:
        raise UsageError(f"{argv[0]} does not run as Python; give the interpreter with --python") from error
    return _said(done, argv[0])


def never_starts(interpreter: str, limit_s: float) -> str:
    """The sentence for an interpreter that does not come as far as its first line."""
    return (
        f"{interpreter} had not run its first line after {limit_s:g} s: what it loads at its start hangs, such as "
        "sitecustomize.py or a .pth file of its environment; `PYTHONVERBOSE=1` shows what, or give another interpreter "
        "with --python"
    )


def _asked(runner: tuple[str, ...], folder: Path) -> Path:
    if shutil.which(runner[0]) is None:
        raise UsageError(f"{runner[0]} is not on the PATH of this shell; give the command without it, or its path")
    end = ["--"] if runner[:2] == ("uv", "run") else []
    done = door.run([*runner, *end, "python", "-c", _WHERE], cwd=folder, limit_s=RUNNER_LIMIT_S)
    return _said(done, " ".join(runner))


def _said(done: door.Completed, name: str) -> Path:
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines or not os.path.isabs(lines[-1]):  # noqa: PTH117  # a text, not a path yet
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise UsageError(f"{name} does not run Python here: {last}; give the interpreter with --python")
    return Path(lines[-1])


def _beside(interpreter: Path, command: CommandLine) -> Path | None:
    if command.program is not Program.SCRIPT:
        return None
    script = interpreter.parent / command.name
    if not script.is_file():
        raise UsageError(
            f"{command.name} is not in the environment of `{' '.join(command.runner)}` ({interpreter.parent}); "
            "install it there"
        )
    return script
