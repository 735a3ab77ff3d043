"""From the words of a command to what they mean: ``locust …``, ``python FILE``, ``python -m MODULE``, a console script.

What stands in front of the program is taken off by ``fronts.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from repro.command import CommandLine, Program
from repro.core.command.fronts import taken_off
from repro.core.command.locust_options import LocustOptions, read_options
from repro.errors import UsageError

LOCUST = "locust"
_PYTHON = re.compile(r"(python|pypy)[\d.]*t?")
_TAKES_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_EXAMPLE = "such as `repro run -- locust -f locustfile.py -u 10`"


def parse(words: Sequence[str], *, cores: int = 1) -> CommandLine:
    """The command that these words are; ``cores`` is what ``--processes -1`` stands for.

    Raises:
        UsageError: it is not one that can be run in a cell; says what to type.
    """
    rest = list(words)
    front = taken_off(rest)
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
    return replace(
        found,
        words=tuple(words),
        runner=front.runner,
        variables=front.variables,
        dropped=(*front.dropped, *found.dropped),
    )


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
