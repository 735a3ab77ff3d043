"""Somebody's own locustfile with the modules beside it, read for one file that holds them all, and kept with a run.

<run>/load/locustfile.py      as it was when the run was made
<run>/load/<module>.py        what it imports from its own folder
<run>/folder/                 the folder in which a command was typed, as it was
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
import sys
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FOLDER, FILE = "load", "locustfile.py"
COPY = "folder"
"""Where in a run the copy is of the folder in which a command was typed."""
_UNREADABLE = (OSError, SyntaxError, ValueError, RecursionError, MemoryError)
"""What reading and parsing raise of a file that is not Python: ``ast`` runs out of stack and memory, too."""


@dataclass(frozen=True, kw_only=True)
class Locustfile:
    """A locustfile's text, and by name those of its own modules; ``packages`` are imported too, whole folders.

    Of somebody's own command, ``places`` are the modules' paths, ``path`` is the locustfile's and ``place`` that of the
    folder in which it was typed, each from the root of the copy; ``files`` are the texts of data files by their paths.
    Of a plain program ``paths`` are the folders that PYTHONPATH names.
    """

    source: str
    modules: Mapping[str, str]
    packages: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    place: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()


def python_text(path: Path) -> str:
    """The text of a Python file as the interpreter reads it: by its coding line or its byte-order mark, else UTF-8.

    Raises:
        SyntaxError, UnicodeDecodeError: it has no such text.
    """
    with tokenize.open(path) as file:
        return file.read()


def read_locustfile(path: Path) -> Locustfile:
    """The locustfile with all modules that it, or one of them, imports from its own folder."""
    source = python_text(path)
    modules = {file.stem: python_text(file) for file in _own_modules(path) if file != path}
    folders = _folders(path, source)
    names = {name for text in (source, *modules.values()) for name in imported(text)} - set(modules)
    packages = {name for name in names if any((folder / name / "__init__.py").is_file() for folder in folders)}
    return Locustfile(source=source, modules=modules, packages=tuple(sorted(packages)))


def digests(path: Path) -> dict[str, str]:
    """By its path from the locustfile's folder, the digest of each file that makes the load what it is.

    The locustfile comes first, then the modules and all files of the packages that it imports from its own folder. What
    cannot be read as Python counts with its bytes.
    """
    return {os.path.relpath(file, path.parent): digest(file) for file in _own_files(path)}


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _own_modules(path: Path) -> list[Path]:
    return [file for file in _own_files(path) if file.parent in _folders(path, _text_or_nothing(path))]


def _own_files(path: Path) -> list[Path]:
    """The locustfile and what it imports from its own folder, packages whole, each once."""
    folders = _folders(path, _text_or_nothing(path))
    found, waiting = [path], [path]
    while waiting:
        for name in sorted(_imported_by(waiting.pop())):
            files = next((files for folder in folders if (files := _files_of(folder, name))), [])
            new = [file for file in files if file not in found]
            found += new
            waiting += new
    return found


def _files_of(folder: Path, name: str) -> list[Path]:
    """The files of a module, or of a package whether it has an ``__init__.py`` or not."""
    package, module = folder / name, folder / f"{name}.py"
    if module.is_file() and not (package / "__init__.py").is_file():
        return [module]
    return sorted(file for file in package.rglob("*.py") if file.is_file()) if package.is_dir() else []


def _folders(path: Path, source: str) -> list[Path]:
    """Where its own modules are. One that changes where they are looked for is taken to do so for the folder above."""
    return [path.parent, *([path.parent.parent] if "sys.path" in source else [])]


def _text_or_nothing(path: Path) -> str:
    with contextlib.suppress(*_UNREADABLE):
        return python_text(path)
    return ""


def _imported_by(path: Path) -> set[str]:
    with contextlib.suppress(*_UNREADABLE):
        return imported(python_text(path))
    return set()


def imported(source: str) -> set[str]:
    """The names of the modules that a text imports, those of the standard library left out."""
    return set(_imported(ast.parse(source))) - sys.stdlib_module_names


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def keep(path: Path, run: Path) -> None:
    """Keep the locustfile and its modules with the run, byte by byte: until an export they may have changed."""
    with contextlib.suppress(*_UNREADABLE):  # the trials will say so better
        imported(python_text(path))
        folder = run / FOLDER
        folder.mkdir(exist_ok=True)
        for file in _own_modules(path):
            (folder / (FILE if file == path else file.name)).write_bytes(file.read_bytes())


def kept(run: Path) -> Path | None:
    """The locustfile that is kept with a run, None when the run was of a scenario."""
    path = run / FOLDER / FILE
    return path if path.is_file() else None
