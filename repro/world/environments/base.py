"""Somebody's own environment as the start of others: what is in it, and how what no index has gets into a new one.

What came from a folder, a repository or a file has a ``direct_url.json`` (PEP 610). It is not built anew, which would
write into somebody's source tree: its installed files are copied, an editable one's link among them, so that the
source is found where it is.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from repro.errors import ProcessError, UsageError
from repro.model import BaseEnvironment
from repro.world.environments.interpreters import LIMIT_S, OLDEST
from repro.world.processes import door

_LINKS = "repro_base.pth"
_DESCRIBE = """
import sys, json, platform
try:
    from importlib import metadata
except ImportError:
    print(json.dumps([platform.python_version(), sys.executable, []]))
    sys.exit()
found = []
for one in metadata.distributions():
    if one.metadata["Name"]:
        texts = [one.read_text(name) or "" for name in ("direct_url.json", "INSTALLER", "RECORD")]
        found.append([one.metadata["Name"], one.version, one.requires or [], str(getattr(one, "_path", "")), *texts])
print(json.dumps([platform.python_version(), sys.executable, found]))
"""


@dataclass(frozen=True, kw_only=True)
class _Installed:
    """A distribution that is installed: ``folder`` holds its metadata, ``record`` lists its files."""

    name: str
    version: str
    requires: tuple[str, ...]
    folder: Path
    origin: str
    installer: str
    record: str

    @property
    def is_local(self) -> bool:
        """Whether no index has it; conda leaves the address of its own build behind."""
        if self.installer.strip() == "conda":
            return False
        return bool(self.origin) or self.is_link

    @property
    def is_link(self) -> bool:
        """Whether it is a source tree that was put on the path as a whole, as ``setup.py develop`` does."""
        return not self.origin and self.folder.name.endswith(".egg-info") and (self.folder.parent / "setup.py").exists()

    @property
    def digest(self) -> str:
        """Changes with what is installed."""
        return hashlib.sha256(repr((self.version, self.origin, self.record)).encode()).hexdigest()[:16]


def read_base(interpreter: Path) -> BaseEnvironment:
    """What is installed for an interpreter, as the shell would run it.

    Raises:
        UsageError: it does not run, or is too old.
    """
    python, executable, installed = _installed(interpreter)
    local = {one.name: one.digest for one in installed if one.is_local}
    return BaseEnvironment(
        interpreter=Path(executable),
        python=python,
        versions={one.name: one.version for one in installed if not one.is_local},
        roots=tuple(_roots(installed, python)),
        local=local,
    )


def copy_local(base: BaseEnvironment, folder: Path) -> None:
    """Put what no index has into the environment in ``folder``, as it is installed in its base."""
    if not base.local:
        return
    _, _, installed = _installed(base.interpreter)
    site = next(folder.glob("lib/python*/site-packages"))
    links = [str(one.folder.parent) for one in installed if one.name in base.local and one.is_link]
    if links:
        (site / _LINKS).write_text("\n".join(links) + "\n", "utf-8")
    for one in installed:
        if one.name in base.local and not one.is_link:
            _copy(one, site, folder, base.interpreter)


def _copy(one: _Installed, site: Path, environment: Path, interpreter: Path) -> None:
    for name, *_ in filter(None, csv.reader(one.record.splitlines())):
        source = one.folder.parent / name
        target = Path(os.path.normpath(site / name))
        if name.endswith(".pyc") or not source.is_file() or not target.is_relative_to(environment):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        if target.parent.name == "bin":
            _point(target, str(interpreter), str(environment / "bin" / "python"))


def _point(script: Path, old: str, new: str) -> None:
    """Let a console script run with the new environment's interpreter."""
    content = script.read_bytes()
    first, newline, rest = content.partition(b"\n")
    if first.startswith(b"#!") and str(Path(old).parent).encode() in first:
        script.write_bytes(b"#!" + new.encode() + newline + rest)


def _roots(installed: Sequence[_Installed], python: str) -> Iterator[str]:
    """What nothing else needs, and what a local distribution needs, whose own needs nobody else states."""
    needed = {name for one in installed if not one.is_local for name in _needs(one, python)}
    asked = {name for one in installed if one.is_local for name in _needs(one, python)}
    for one in installed:
        if not one.is_local and (one.name not in needed or one.name in asked):
            yield one.name


def _needs(one: _Installed, python: str) -> Iterator[str]:
    """The names of what a distribution needs under this Python, extras left out."""
    short = ".".join(python.split(".")[:2])
    for text in one.requires:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is None or wanted.marker.evaluate(
            {"extra": "", "python_version": short, "python_full_version": python}
        ):
            yield str(canonicalize_name(wanted.name))


def _installed(interpreter: Path) -> tuple[str, str, list[_Installed]]:
    try:
        # Not isolated: what the shell's PYTHONPATH and the user's own site add counts, the current folder does not.
        done = door.run([interpreter, "-c", _DESCRIBE], cwd=Path("/"), limit_s=LIMIT_S)
        python, executable, rows = json.loads(done.stdout.strip().splitlines()[-1])
    except (ProcessError, ValueError, IndexError) as error:
        raise UsageError(
            f"{interpreter} is not a working Python interpreter; give the path of one with --python"
        ) from error
    if Version(python) < OLDEST:
        raise UsageError(f"{interpreter} is Python {python}; cells need {OLDEST} or newer; use a newer interpreter")
    found: dict[str, _Installed] = {}
    for name, version, requires, folder, origin, installer, record in rows:
        normal = str(canonicalize_name(name))
        one = _Installed(
            name=normal,
            version=version,
            requires=tuple(requires),
            folder=Path(folder),
            origin=origin,
            installer=installer,
            record=record,
        )
        found.setdefault(normal, one)  # the first on the path is the one that is imported
    return python, executable, list(found.values())
