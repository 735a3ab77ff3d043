"""The load of somebody's own command, read from the run's copy of the folder: all that one file has to hold of it.

    <run>/folder/                    what was copied
    <run>/folder/<place>/            where the command was typed
    <run>/folder/<place>/load/x.py   the locustfile, as Locust's -f names it

Of a package only the modules are taken that the locustfile, or one of them, imports.
"""

from __future__ import annotations

import ast
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from repro.command import CommandLine, Program, Typed
from repro.core.command.variables import texts_in
from repro.errors import UsageError
from repro.world.runs.kept.locustfile import Locustfile, python_text

MOST_BYTES = 200_000
"""Data that one file may hold."""
INIT = "__init__.py"
MAIN = "__main__.py"
SETTINGS = frozenset({"locust.conf", "pyproject.toml"})


@dataclass(frozen=True)
class _Module:
    """A module that is found: its dotted name, and its file; None for a package without an ``__init__``."""

    name: str
    file: Path | None


def read_load(copy: Path, typed: Typed) -> Locustfile:
    """The locustfile with the modules and the data files that it needs.

    Raises:
        UsageError: its data is too large for one file.
        SyntaxError, ValueError: the locustfile is not Python for this interpreter.
    """
    here = copy / typed.place
    return _read(copy, here / typed.locustfile, typed, names={*SETTINGS, *typed.configs})


def read_program(copy: Path, line: CommandLine, typed: Typed) -> Locustfile:
    """The plain program that a command runs, a file or a module, with what it needs.

    Raises:
        UsageError: it is not in the copied folder, or its data is too large for one file.
        SyntaxError, ValueError: it is not Python for this interpreter.
    """
    here = (copy / typed.place).resolve()
    path = _program_file(here, line)
    if path is None or not path.resolve().is_relative_to(copy.resolve()):
        raise UsageError(
            f"{line.target} is not a Python file in the folder of the command, and one file cannot hold what is "
            "installed; write a program that does the same, and run it with `repro run -- python FILE`"
        )
    package = line.target if path.name in {INIT, MAIN} else line.target.rpartition(".")[0]
    load = _read(copy.resolve(), path, typed, names=set(), package=package if line.program is Program.MODULE else "")
    scripts = dict(_scripts(copy.resolve(), [load.source, *load.modules.values()], {load.path, *load.places.values()}))
    return replace(load, files={**load.files, **scripts}, paths=_paths(load, typed))


def _program_file(here: Path, line: CommandLine) -> Path | None:
    """The file that is run: a folder's and a package's is its ``__main__.py``."""
    place = here.joinpath(*line.target.split(".")) if line.program is Program.MODULE else here / line.target
    module = [place.with_name(f"{place.name}.py")] if line.program is Program.MODULE else [place]
    is_known = line.program in {Program.MODULE, Program.FILE}
    return next((file for file in (*module, place / MAIN) if is_known and file.is_file()), None)


def _paths(load: Locustfile, typed: Typed) -> tuple[str, ...]:
    """The folders in which its modules lie, where PYTHONPATH names any."""
    if not typed.variables.get("PYTHONPATH"):
        return ()
    found = {
        str(PurePath(place).parents[name.count(".") + (1 if PurePath(place).name == INIT else 0)])
        for name, place in load.places.items()
    }
    return tuple(sorted(found))


def _scripts(copy: Path, texts: Sequence[str], known: set[str]) -> Iterator[tuple[str, str]]:
    """By its path, the text of each other Python file that the sources name: a program may start it."""
    wanted = {PurePath(text).name for source in texts for text in texts_in(source) if text.endswith(".py")}
    for file in sorted(copy.rglob("*.py")):
        place = os.path.relpath(file, copy)
        if file.name in wanted and place not in known:
            yield place, python_text(file)


def _read(copy: Path, path: Path, typed: Typed, *, names: set[str], package: str = "") -> Locustfile:
    """A Python file with what it needs; ``package`` is the one that it is a module of, ``names`` more files."""
    source = python_text(path)
    folders = _folders(path, source, copy / typed.place, typed.variables)
    modules = list(_modules(path, source, folders, package=package))
    texts = {module.name: python_text(module.file) if module.file else "" for module in modules}
    return Locustfile(
        source=source,
        modules=texts,
        places={module.name: _place(module, copy) for module in modules},
        place=typed.place,
        path=os.path.relpath(path, copy),
        files=dict(_files(copy, [source, *texts.values()], names=names)),
    )


def sources_of(path: Path, here: Path, variables: Mapping[str, str]) -> list[str]:
    """The texts of a locustfile and of the user's own modules that it imports; none where it is not Python."""
    with contextlib.suppress(OSError, SyntaxError, ValueError, RecursionError):
        source = python_text(path)
        found = _modules(path, source, _folders(path, source, here, variables))
        return [source, *(python_text(module.file) for module in found if module.file)]
    return []


def _place(module: _Module, copy: Path) -> str:
    if module.file is None:
        return f"{module.name.replace('.', '/')}/{INIT}"
    if not module.file.is_relative_to(copy):  # an absolute path of PYTHONPATH
        ending = f"/{INIT}" if module.file.name == INIT else ".py"
        return f"elsewhere/{module.name.replace('.', '/')}{ending}"
    return os.path.relpath(module.file, copy)


def _folders(path: Path, source: str, here: Path, variables: Mapping[str, str]) -> tuple[Path, ...]:
    """Where its own modules are looked for, as Locust and the shell have it."""
    above = [path.parent.parent] if "sys.path" in source else []
    named = [here / one for one in variables.get("PYTHONPATH", "").split(os.pathsep) if one]
    return tuple(dict.fromkeys([path.parent, here, *named, *above]))


def _modules(path: Path, source: str, folders: Sequence[Path], *, package: str = "") -> Iterator[_Module]:
    """What is imported, and what that imports, each once, a package before what lies in it."""
    seen: set[str] = set()
    waiting = [(source, package), *([(f"import {package}", "")] if package else [])]
    while waiting:
        text, inside = waiting.pop()
        for name in dict.fromkeys(_imported(text, inside)):
            for module in _found(name, folders):
                if module.name in seen or module.file == path:
                    continue
                seen.add(module.name)
                yield module
                is_package = module.file is None or module.file.name == INIT
                inner = python_text(module.file) if module.file else ""
                waiting.append((inner, module.name if is_package else module.name.rpartition(".")[0]))


def _imported(text: str, package: str) -> Iterator[str]:
    """The dotted names that a text imports; of ``from x import y`` the second may be a module, too."""
    with contextlib.suppress(SyntaxError, ValueError, RecursionError):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = _base(node, package)
                yield from filter(None, [base, *(f"{base}.{alias.name}".strip(".") for alias in node.names)])


def _base(node: ast.ImportFrom, package: str) -> str:
    """The absolute name of what it imports from: a relative one counts from the package."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _found(name: str, folders: Sequence[Path]) -> Iterator[_Module]:
    """The packages above a module and it, where they are the user's own."""
    parts = name.split(".")
    if parts[0] in sys.stdlib_module_names:
        return
    for folder in folders:
        found = [_module(folder, parts[: count + 1]) for count in range(len(parts))]
        if found[0] is not None:
            yield from (module for module in found if module is not None)
            return


def _module(folder: Path, parts: Sequence[str]) -> _Module | None:
    place = folder.joinpath(*parts)
    name = ".".join(parts)
    for file in (place / INIT, place.with_name(f"{place.name}.py")):
        if file.is_file():
            return _Module(name, file)
    return _Module(name, None) if place.is_dir() and any(place.glob("**/*.py")) else None


def _files(copy: Path, texts: Sequence[str], *, names: set[str]) -> Iterator[tuple[str, str]]:
    """By its path, the text of each file that the sources name, and of Locust's own."""
    wanted = {PurePath(text).name for source in texts for text in texts_in(source)} | {
        PurePath(name).name for name in names
    }
    size = 0
    for file in sorted(copy.rglob("*")):
        if file.name not in wanted or file.suffix in {"", ".py", ".pyc"} or not file.is_file():
            continue
        size += file.stat().st_size
        if size > MOST_BYTES:
            raise UsageError(
                f"the load reads {os.path.relpath(file, copy)}, and with it more than {MOST_BYTES // 1000} KB of data, "
                "which is too much for one file; make the data smaller and run it again"
            )
        with contextlib.suppress(UnicodeDecodeError):
            yield os.path.relpath(file, copy), file.read_text("utf-8")
