"""From the words of a command to what they mean: ``locust …``, ``python FILE``, ``python -m MODULE``, a console script.

    [NAME=VALUE…] [uv run | poetry run | …] PROGRAM [ARGUMENT…]

What stands in front and changes only how a shell starts it (``time``, ``nohup``) is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from repro.command import CommandLine, Program
from repro.core.command.locust_options import LocustOptions, read_options
from repro.errors import UsageError

LOCUST = "locust"
_PYTHON = re.compile(r"(python|pypy)[\d.]*t?")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_TRANSPARENT = frozenset({"time", "nohup", "exec", "command"})
_RUNNERS = {
    "uv": frozenset(
        {
            "--with", "--with-editable", "--with-requirements", "--python", "-p", "--extra", "--group", "--no-group",
            "--only-group", "--no-extra", "--project", "--directory", "--env-file", "--index", "--package",
        }
    ),
    "poetry": frozenset[str](),
    "pipenv": frozenset[str](),
    "pdm": frozenset({"-p", "--project"}),
    "rye": frozenset[str](),
}  # fmt: skip
"""Programs whose ``run`` chooses the environment, each with its options that take a value."""
_TAKES_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_EXAMPLE = "such as `repro run -- locust -f locustfile.py -u 10`"


def parse(words: Sequence[str], *, cores: int = 1) -> CommandLine:
    """The command that these words are; ``cores`` is what ``--processes -1`` stands for.

    Raises:
        UsageError: it is not one that can be run in a cell; says what to type.
    """
    rest = list(words)
    variables = _assignments(rest)
    runner = _runner(rest)
    if not rest:
        raise UsageError(f"no command after --; write the one that hangs, {_EXAMPLE}")
    name, *arguments = rest
    base = PurePath(name).name
    if _PYTHON.fullmatch(base):
        found = _of_python(name, arguments, cores)
    elif base == LOCUST:
        found = _of_locust(name, arguments, cores)
    else:
        found = CommandLine(words=(), program=Program.SCRIPT, name=name, target=name, arguments=tuple(arguments))
    return replace(found, words=tuple(words), runner=runner, variables=variables)


def _assignments(rest: list[str]) -> dict[str, str]:
    """The variables that the command sets for itself, taken off its front with what is passed over there."""
    found = {}
    while rest and (rest[0] in _TRANSPARENT or rest[0] == "env" or _ASSIGNMENT.match(rest[0])):
        word = rest.pop(0)
        if _ASSIGNMENT.match(word):
            name, _, value = word.partition("=")
            found[name] = value
        elif word == "env" and rest and rest[0].startswith("-"):
            raise UsageError(f"env {rest[0]} before the command is not understood; leave env and its options out")
    return found


def _runner(rest: list[str]) -> tuple[str, ...]:
    """What chooses the environment, taken off the front: ``uv run --with locust``."""
    if len(rest) < 2 or rest[0] not in _RUNNERS or rest[1] != "run":
        return ()
    taken = [rest.pop(0), rest.pop(0)]
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        taken.append(word)
        if word in _RUNNERS[taken[0]] and rest:
            taken.append(rest.pop(0))
    return tuple(taken)


def _of_python(name: str, arguments: list[str], cores: int) -> CommandLine:
    options: list[str] = []
    while arguments and arguments[0].startswith("-"):
        word = arguments.pop(0)
        if word.startswith("-m"):
            module = word[2:] or (arguments.pop(0) if arguments else "")
            return replace(_of_module(name, module, arguments, cores), options=tuple(options))
        if word in {"-", "-c"} or word.startswith("-c"):
            raise UsageError(f"`{name} {word}` has no file to run; put the code into a file and give `{name} FILE`")
        options.append(word)
        if word in _TAKES_VALUE and arguments:
            options.append(arguments.pop(0))
    if not arguments:
        raise UsageError(f"`{name}` has no file to run; give `{name} FILE` or `{name} -m MODULE`")
    file, *others = arguments
    if PurePath(file).name == LOCUST:
        return replace(_of_locust(name, others, cores), options=tuple(options))
    return CommandLine(
        words=(),
        program=Program.FILE,
        name=name,
        target=file,
        locustfile=file,
        arguments=tuple(others),
        options=tuple(options),
    )


def _of_module(name: str, module: str, arguments: list[str], cores: int) -> CommandLine:
    if not module:
        raise UsageError(f"`{name} -m` has no module to run; give `{name} -m MODULE`")
    if module == LOCUST:
        return _of_locust(name, arguments, cores)
    return CommandLine(words=(), program=Program.MODULE, name=name, target=module, arguments=tuple(arguments))


def _of_locust(name: str, arguments: list[str], cores: int) -> CommandLine:
    own: LocustOptions = read_options(arguments, cores=cores)
    return CommandLine(
        words=(),
        program=Program.LOCUST,
        name=name,
        locustfile=own.locustfile,
        arguments=own.others,
        levels=own.levels,
        dropped=own.dropped,
        configs=own.configs,
        is_headless=own.is_headless,
    )
