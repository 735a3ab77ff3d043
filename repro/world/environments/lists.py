"""An environment's packages as people keep them: a requirements file, ``pip freeze``, a lock file, an interpreter."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.markers import Marker, default_environment
from packaging.pylock import Pylock, PylockValidationError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repro.errors import UnreachableError, UntestableError, UsageError
from repro.model import EnvironmentSpec
from repro.world.environments import cache, installer, interpreters

INSTALLERS = frozenset({"pip", "wheel", "uv"})
"""They make environments, and no test imports them."""

EXPORT_LIMIT_S = 60.0

_NOT_FROM_INDEX = re.compile(r"^\s*(?:-e\b|--editable\b|(?:git|hg|svn|bzr)\+|[\w.\[\],-]+\s*@|\.{0,2}/|file:)")
_CONTINUED = re.compile(r"\\\n\s*")
"""A line that goes on in the next one, as with hashes."""
_NAME = re.compile(r"^[A-Za-z0-9][\w.-]*")
_OTHER_FILE = re.compile(r"^\s*(?P<option>-r|--requirement|-c|--constraint)[\s=]+(?P<path>\S+)")


@dataclass(frozen=True, kw_only=True)
class Pins:
    """What an environment is made of: versions by normalised name, its Python (``3.11``) where it is known.

    ``left_out`` names what does not come from an index (a folder, a repository) and so cannot be installed in a cell.
    """

    versions: Mapping[str, str]
    python: str = ""
    left_out: tuple[str, ...] = field(default=())


def read_pins(
    source: Path, *, python: str = "", hints: Mapping[str, str] | None = None, has_all_groups: bool = False
) -> Pins:
    """The packages of ``source``; a requirements file is resolved for ``python``; its markers count in lock files too.

    ``hints`` are versions for packages that a requirements file says nothing of. With ``has_all_groups`` a lock file's
    extras and groups count that are not installed by default: a load test's packages are often in one of their own.

    Raises:
        UsageError: there is nothing there, or it is not such a file; one sentence with the next step.
    """
    if source.is_dir() and (source / "bin" / "python").exists():
        source = source / "bin" / "python"
    if not source.is_file():
        raise UsageError(
            f"{source} is not a file; give a requirements file, a lock file (uv.lock, pylock.toml, poetry.lock) or an "
            f"interpreter "
            "such as .venv/bin/python"
        )
    if os.access(source, os.X_OK) and source.name.startswith("python"):
        return _of_interpreter(source)
    if source.suffix in {".toml", ".lock"}:
        return _of_lock(source, python, has_all_groups=has_all_groups)
    return _of_requirements(source, python, hints or {})


def _of_interpreter(path: Path) -> Pins:
    version, packages = interpreters.inspect(path)
    return Pins(versions=_usable(packages.items()), python=minor(version))


def minor(version: str) -> str:
    """``3.11`` of ``3.11.7``."""
    return ".".join(version.split(".")[:2])


def _usable(packages: Iterable[tuple[str, str]]) -> dict[str, str]:
    named = {str(canonicalize_name(name)): version for name, version in packages}
    return {name: version for name, version in sorted(named.items()) if name not in INSTALLERS}


# Requirements


def _of_requirements(path: Path, python: str, hints: Mapping[str, str]) -> Pins:
    try:
        lines = _CONTINUED.sub(" ", path.read_text("utf-8")).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text ({error}); give a requirements file or a lock file") from error
    left_out = tuple(line.strip() for line in lines if _NOT_FROM_INDEX.match(line))
    named = {canonicalize_name(found[0]) for line in lines if (found := _NAME.match(line))}
    limits = tuple(f"{name}=={version}" for name, version in hints.items() if name not in named)
    kept = [_with_whole_path(line, path.parent) for line in lines if not _NOT_FROM_INDEX.match(line)]
    with tempfile.TemporaryDirectory(prefix="repro-") as folder:
        file = Path(folder) / "requirements.in"
        file.write_text("\n".join(kept), "utf-8")
        try:
            versions = cache.resolve_file(file, EnvironmentSpec(python=python, constraints=limits))
        except UnreachableError:
            raise
        except UntestableError as error:
            said = str(error).replace(str(file), str(path))  # nobody knows the copy that the resolver was given
            move = "" if " TIP: " in said else "; correct the file"
            raise UsageError(f"{path} cannot be resolved: {said}{move}") from error
    return Pins(versions=_usable(versions.items()), left_out=left_out)


def _with_whole_path(line: str, folder: Path) -> str:
    """A line that names another file, which is relative to this one, still finding it from elsewhere."""
    found = _OTHER_FILE.match(line)
    return f"{found['option']} {(folder / found['path']).resolve()}" if found else line


# Lock files


def _of_lock(path: Path, python: str, *, has_all_groups: bool) -> Pins:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(
            f"{path} is not a readable lock file: {error}; give a uv.lock, a pylock.toml or a poetry.lock"
        ) from error
    around = _markers_for(python)
    try:
        if "lock-version" in data:
            return _of_pylock(data, around, has_all_groups=has_all_groups)
        if "package" in data and "requires-python" in data:
            return _of_uv_lock(path, data, around, has_all_groups=has_all_groups)
        if "package" in data and "lock-version" in data.get("metadata", {}):
            return _of_poetry_lock(data, around, has_all_groups=has_all_groups)
    except (PylockValidationError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} has an unknown lock format ({error}); export it as requirements") from error
    raise UsageError(
        f"{path} is not a uv.lock, a pylock.toml or a poetry.lock; export it as requirements and give that"
    )


def _markers_for(python: str) -> dict[str, str]:
    """What markers are judged by: this machine with the cell's interpreter."""
    version = interpreters.find(python).version
    around = {key: str(value) for key, value in default_environment().items()}
    return {
        **around,
        "python_full_version": version,
        "python_version": minor(version),
        "implementation_version": version,
    }


def _of_pylock(data: Mapping[str, Any], around: Mapping[str, str], *, has_all_groups: bool) -> Pins:
    lock = Pylock.from_dict(data)
    chosen = (lock.extras, lock.dependency_groups) if has_all_groups else ((), lock.default_groups)
    groups = {name: frozenset(some or ()) for name, some in zip(("extras", "dependency_groups"), chosen, strict=True)}
    packages = [
        one for one in lock.packages if one.marker is None or one.marker.evaluate({**around, **groups}, "lock_file")
    ]
    elsewhere = [one.name for one in packages if one.vcs or one.directory or one.archive or one.version is None]
    versions = {str(one.name): str(one.version) for one in packages if one.name not in elsewhere}
    return Pins(versions=_usable(versions.items()), left_out=tuple(elsewhere))


def _of_poetry_lock(data: Mapping[str, Any], around: Mapping[str, str], *, has_all_groups: bool) -> Pins:
    """What ``poetry install`` would install of its main group, or of all; before Poetry 2 each package is that."""
    chosen = [one for one in data["package"] if has_all_groups or "main" in one.get("groups", ["main"])]
    here = [one for one in chosen if _is_for(one.get("markers", ""), around)]
    elsewhere = [one["name"] for one in here if one.get("source", {}).get("type", "legacy") != "legacy"]
    versions = ((one["name"], one["version"]) for one in here if one["name"] not in elsewhere)
    return Pins(versions=_usable(versions), left_out=tuple(elsewhere))


def _is_for(markers: str | Mapping[str, str], around: Mapping[str, str]) -> bool:
    """Whether a package is for this machine and interpreter; its markers may differ by group."""
    texts = [markers] if isinstance(markers, str) else list(markers.values())
    return any(not text or Marker(text).evaluate({**around, "extra": ""}) for text in texts)


def _of_uv_lock(path: Path, data: Mapping[str, Any], around: Mapping[str, str], *, has_all_groups: bool) -> Pins:
    """What ``uv sync`` would install for each of the lock's own projects, the dev group included; by uv itself."""
    own = [one["name"] for one in data["package"] if {"virtual", "editable", "directory"} & one["source"].keys()]
    wanted = [one for name in own for one in _exported(path, name, _ALL_GROUPS if has_all_groups else ())]
    here = [one for one in wanted if one.marker is None or one.marker.evaluate(dict(around))]
    left_out = tuple(dict.fromkeys(one.name for one in here if one.url))
    versions = ((one.name, exact.version) for one in here if not one.url for exact in one.specifier)
    return Pins(versions=_usable(versions), left_out=left_out)


_ALL_GROUPS = ("--all-groups", "--all-extras")


def _exported(lock: Path, project: str, groups: Sequence[str]) -> list[Requirement]:
    """What a project of a lock file takes, as uv exports it; the project itself need not be beside the file.

    Raises:
        ValueError: uv cannot read it.
    """
    with tempfile.TemporaryDirectory(prefix="repro-") as folder:
        shutil.copyfile(lock, Path(folder) / "uv.lock")
        (Path(folder) / "pyproject.toml").write_text(f'[project]\nname = "{project}"\nversion = "0"\n', "utf-8")
        shape = [
            "--frozen",
            "--no-hashes",
            "--no-header",
            "--no-annotate",
            "--no-emit-local",
            "--offline",
            "--no-config",
        ]
        done = installer.call(["export", *shape, *groups, "--project", folder], limit_s=EXPORT_LIMIT_S)
    if done.returncode and groups:  # groups that conflict with one another cannot be exported together
        return _exported(lock, project, ())
    if done.returncode:
        raise ValueError(" ".join(done.stderr.split()))
    return [Requirement(line) for line in done.stdout.splitlines() if line.strip()]
