"""What stands in front of a program and changes only how, or in which environment, it is started.

    [NAME=VALUE…] [env | time | nohup | timeout 60 | nice -n 5 | …] [uv run | conda run -n load | …] PROGRAM [ARGUMENT…]

All of it is optional, and may come in any order before what chooses the environment.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePath

from repro.errors import UsageError

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_SILENT = frozenset({"time", "nohup", "exec", "command", "env"})
"""Whose absence changes nothing that anybody would miss."""
_STARTERS: dict[str, tuple[frozenset[str], int]] = {
    "time": (frozenset({"-f", "-o"}), 0),
    "nohup": (frozenset(), 0),
    "exec": (frozenset({"-a"}), 0),
    "command": (frozenset(), 0),
    "timeout": (frozenset({"-s", "-k", "--signal", "--kill-after"}), 1),
    "nice": (frozenset({"-n"}), 0),
    "ionice": (frozenset({"-c", "-n"}), 0),
    "stdbuf": (frozenset({"-i", "-o", "-e"}), 0),
    "setsid": (frozenset(), 0),
    "caffeinate": (frozenset({"-t", "-w"}), 0),
}
"""By name, the options that take a value, and how many words of its own follow them."""
_RUNNERS: dict[str, tuple[str, frozenset[str]]] = {
    "uv": (
        "run",
        frozenset(
            {
                "--with", "--with-editable", "--with-requirements", "--python", "-p", "--extra", "--group",
                "--no-group", "--only-group", "--no-extra", "--project", "--directory", "--env-file", "--index",
                "--package",
            }
        ),
    ),
    "poetry": ("run", frozenset()),
    "pipenv": ("run", frozenset()),
    "pdm": ("run", frozenset({"-p", "--project"})),
    "rye": ("run", frozenset()),
    "hatch": ("run", frozenset()),
    "conda": ("run", frozenset({"-n", "--name", "-p", "--prefix"})),
    "mamba": ("run", frozenset({"-n", "--name", "-p", "--prefix"})),
    "micromamba": ("run", frozenset({"-n", "--name", "-p", "--prefix"})),
}  # fmt: skip
"""Programs that choose the environment, by the word that follows them, each with its options that take a value."""
_TOOL_VALUES = frozenset({"--from", "--with", "--with-editable", "--with-requirements", "--python", "-p", "--index"})
_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh"})
_OF_A_SHELL = re.compile(r"[;&|<>`$()\n]")
_BUILT_IN = {
    "cd": "change the folder first, then type `repro run -- …` there",
    "source": "activate the environment first, then type `repro run -- …`",
    ".": "activate the environment first, then type `repro run -- …`",
    "export": "export it first, then type `repro run -- …`",
}


@dataclass(frozen=True, kw_only=True)
class Front:
    """What was taken off: ``dropped`` has no effect in a cell."""

    variables: dict[str, str]
    runner: tuple[str, ...]
    dropped: tuple[str, ...]


def taken_off(rest: list[str]) -> Front:
    """Take off the words what stands in front of the program.

    Raises:
        UsageError: it is something of the shell's, or not understood.
    """
    variables: dict[str, str] = {}
    dropped: list[str] = []
    while rest and (name := _starter(rest)) is not None:
        if _ASSIGNMENT.match(rest[0]):
            key, _, value = rest.pop(0).partition("=")
            variables[key] = value
        elif name == "env":
            rest.pop(0)
            _check_env(rest)
        elif name in _SHELLS:
            rest[:] = _within(rest)
        else:
            taken = _taken(rest, *_STARTERS[name])
            dropped += [] if name in _SILENT else taken
    return Front(variables=variables, runner=_runner(rest), dropped=tuple(dropped))


def _starter(rest: list[str]) -> str | None:
    """The name of what starts the rest; None where the program itself, or what chooses its environment, is first."""
    name = PurePath(rest[0]).name
    if name in _BUILT_IN and rest[0] == name:
        raise UsageError(f"{name} is a command of the shell; {_BUILT_IN[name]}")
    is_line = name in _SHELLS and len(rest) > 1 and re.fullmatch(r"-\w*c", rest[1]) is not None
    return name if is_line or name in {*_STARTERS, "env"} or _ASSIGNMENT.match(rest[0]) else None


def _check_env(rest: list[str]) -> None:
    if rest and rest[0].startswith("-"):
        raise UsageError(
            f"env {rest[0]} before the command is not understood; leave env and its options out, or choose what is "
            "passed on by --no-env and --env NAME"
        )


def _within(rest: list[str]) -> list[str]:
    """The words of ``sh -c "…"``, where they are one command."""
    line = rest[2] if len(rest) > 2 else ""
    if not line.strip() or _OF_A_SHELL.search(line):
        raise UsageError(
            f"{rest[0]} -c is given more than one plain command; put `repro run --` in front of the one that hangs"
        )
    return shlex.split(line)


def _taken(rest: list[str], values: frozenset[str], words: int) -> list[str]:
    """A starter with its options and its own words, taken off the front."""
    taken = [rest.pop(0), *_options(rest, values)]
    taken += rest[:words]
    del rest[:words]
    return taken


def _options(rest: list[str], values: frozenset[str]) -> list[str]:
    """The options at the front, those of ``values`` with the word behind them."""
    taken: list[str] = []
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        taken.append(word)
        if word in values and rest:
            taken.append(rest.pop(0))
    return taken


def _runner(rest: list[str]) -> tuple[str, ...]:
    """What chooses the environment, taken off the front: ``uv run --with locust``, ``uvx``."""
    if rest and rest[0] == "uvx":
        return _tool(rest, 1)
    if rest[:3] == ["uv", "tool", "run"]:
        return _tool(rest, 3)
    if len(rest) < 2 or rest[0] not in _RUNNERS or rest[1] != _RUNNERS[rest[0]][0]:
        return ()
    start = [rest.pop(0), rest.pop(0)]
    return (*start, *_options(rest, _RUNNERS[start[0]][1]))


def _tool(rest: list[str], count: int) -> tuple[str, ...]:
    """``uvx locust@2.24.0 …`` makes an environment of that package, in which its interpreter is found, too."""
    del rest[:count]
    options = _options(rest, _TOOL_VALUES)
    if rest and "--from" not in options:
        name, _, version = rest[0].partition("@")
        options += ["--from", f"{name}=={version}" if version and version != "latest" else name]
    if rest:
        rest[0] = rest[0].partition("@")[0]
    return ("uvx", *options)
