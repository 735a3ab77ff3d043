"""The Python interpreters that are installed: pyenv's, uv's own, those on PATH. None is ever downloaded."""

from __future__ import annotations

import functools
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from repro.errors import ProcessError, UntestableError, UsageError
from repro.world.processes import door

PREFERRED = "3.11"
"""Every release of interest runs on it: Locust 2.14 knows no newer one, gevent and pip's resolver know it well."""

OLDEST = Version("3.8")
"""The agent runs under this one and newer ones."""

LIMIT_S = 20.0
_NAME = re.compile(r"^python3\.\d+$")
_DESCRIBE = (
    "import json,sys,platform\n"
    "try: from importlib import metadata as m\n"
    "except ImportError: print(json.dumps([platform.python_version(),None])) or sys.exit()\n"
    "found = {d.metadata['Name']: d.version for d in m.distributions() if d.metadata['Name']}\n"
    "print(json.dumps([platform.python_version(), found]))"
)


@dataclass(frozen=True, order=True)
class Interpreter:
    """An interpreter and its full version, ``3.11.7``."""

    version: str
    path: Path


@functools.cache
def find_all() -> tuple[Interpreter, ...]:
    """All CPython interpreters that are found, the newest first."""
    found: dict[Path, Interpreter] = {}
    for path in (*_pyenv(), *_uv(), *_on_path()):
        resolved = path.resolve()
        version = _version(path) if resolved not in found and os.access(resolved, os.X_OK) else ""
        if version and Version(version) >= OLDEST:
            found[resolved] = Interpreter(version, path)
    return tuple(sorted(found.values(), key=lambda one: Version(one.version), reverse=True))


def find(version: str = "") -> Interpreter:
    """The interpreter for ``3.11``, ``3.11.7`` or, when empty, the preferred one.

    Raises:
        UntestableError: it is not installed; says which are.
    """
    everything = find_all()
    wanted = version or PREFERRED
    for one in everything:
        if one.version == wanted or one.version.startswith(f"{wanted}."):
            return one
    if not version and everything:
        return min(everything, key=lambda one: abs(Version(one.version).minor - Version(PREFERRED).minor))
    installed = ", ".join(one.version for one in everything) or "none"
    raise UntestableError(
        f"Python {wanted} is not installed (found: {installed}); "
        f"install it, for example with `uv python install {wanted}`, or use --set python=…"
    )


def inspect(path: Path) -> tuple[str, dict[str, str]]:
    """The full version of an interpreter, and what is installed in its environment, by name.

    Raises:
        UsageError: it is not a working interpreter.
    """
    try:
        done = door.run([path, "-I", "-c", _DESCRIBE], limit_s=LIMIT_S)
        version, packages = json.loads(done.stdout)
    except (ProcessError, ValueError) as error:
        raise UsageError(
            f"{path} is not a working Python interpreter; give the path of one, such as .venv/bin/python"
        ) from error
    if packages is None:
        raise UsageError(
            f"{path} is Python {version}; cells need {OLDEST} or newer; give the path of such an interpreter"
        )
    return version, packages


def _version(path: Path) -> str:
    """By the name of pyenv's folder where there is one, else by asking."""
    if path.parent.parent.parent.name == "versions":
        try:
            return str(Version(path.parent.parent.name))
        except InvalidVersion:
            pass
    try:
        done = door.run(
            [path, "-I", "-c", "import platform as p;print(p.python_implementation(),p.python_version())"],
            limit_s=LIMIT_S,
        )
    except ProcessError:
        return ""
    name, _, version = done.stdout.strip().partition(" ")
    return version if name == "CPython" else ""


def _pyenv() -> list[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return sorted(root.glob("versions/3.*/bin/python3"))


def _uv() -> list[Path]:
    root = Path(
        os.environ.get("UV_PYTHON_INSTALL_DIR")
        or Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "uv/python"
    )
    return sorted(root.glob("cpython-*/bin/python3"))


def _on_path() -> list[Path]:
    parts = os.environ.get("PATH", "").split(os.pathsep)
    folders = [Path(part) for part in parts if part and "shims" not in part]  # pyenv's only stand for the others
    return [path for folder in folders if folder.is_dir() for path in folder.iterdir() if _NAME.match(path.name)]
