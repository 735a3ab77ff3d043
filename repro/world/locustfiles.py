"""Somebody's own locustfile with the modules beside it, read for one file that holds them all, and kept with a run.

<run>/load/locustfile.py      as it was when the run was made
<run>/load/<module>.py        what it imports from its own folder
"""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER, FILE = "load", "locustfile.py"


@dataclass(frozen=True, kw_only=True)
class Locustfile:
    """A locustfile's text, and by name those of its own modules; ``packages`` are imported too, and are whole folders."""

    source: str
    modules: Mapping[str, str]
    packages: tuple[str, ...] = ()


def read_locustfile(path: Path) -> Locustfile:
    """The locustfile with all modules that it, or one of them, imports from its own folder."""
    source = path.read_text("utf-8")
    # One that changes where modules are looked for does so for the folder above: our planted truths do.
    folders = [path.parent, *([path.parent.parent] if "sys.path" in source else [])]
    modules: dict[str, str] = {}
    packages: set[str] = set()
    waiting = [source]
    while waiting:
        for name in imported(waiting.pop()):
            found = next((folder / f"{name}.py" for folder in folders if (folder / f"{name}.py").is_file()), None)
            if found is not None and name not in modules and found != path:
                modules[name] = found.read_text("utf-8")
                waiting.append(modules[name])
            elif found is None and any((folder / name / "__init__.py").is_file() for folder in folders):
                packages.add(name)
    return Locustfile(source=source, modules=modules, packages=tuple(sorted(packages)))


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
    """Keep the locustfile and its modules with the run: by the time of an export they may have changed."""
    with contextlib.suppress(SyntaxError, UnicodeDecodeError):  # the trials will say so better
        load = read_locustfile(path)
        folder = run / FOLDER
        folder.mkdir(exist_ok=True)
        for name, text in {FILE: load.source, **{f"{name}.py": text for name, text in load.modules.items()}}.items():
            (folder / name).write_text(text, "utf-8")


def kept(run: Path) -> Path | None:
    """The locustfile that is kept with a run, None when the run was of a scenario."""
    path = run / FOLDER / FILE
    return path if path.is_file() else None
