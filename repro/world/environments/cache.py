"""The cached environments of cells, made by uv: one for each set of pins, keyed by a hash of what was asked.

    <cache>/environments/<key>/   a virtual environment
      .repro.json                 what was asked and what came of it, written last: without it, nothing is valid
    <cache>/environments/<key>.lock      held while it is built, so that two programs do not build it twice

The installer, unlike a cell, gets the user's own settings: index, proxy, certificates.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from packaging.utils import canonicalize_name
from packaging.version import Version

from repro.errors import ProcessError, ReproError, StoreError
from repro.model import BaseEnvironment, Environment, EnvironmentSpec
from repro.world.environments import installer, interpreters
from repro.world.environments.base import copy_local
from repro.world.environments.refusals import refusal
from repro.world.processes import door

MARKER = ".repro.json"
BUILD_LIMIT_S = 900.0
RESOLVE_LIMIT_S = 120.0
_TOOLS = frozenset({"pip", "setuptools", "wheel"})
FAR_FUTURE = "2999-01-01T00:00:00Z"


@dataclass(frozen=True)
class Entry:
    """A cached environment as it is listed: sizes in bytes, times in seconds since the epoch."""

    key: str
    folder: Path
    python: str
    versions: Mapping[str, str]
    asked: Mapping[str, Any]
    created: float
    used: float
    size: int


class EnvironmentCache:
    """The environments under ``root``; left out, under ``REPRO_CACHE_DIR`` or the user's cache folder."""

    def __init__(self, root: Path | None = None) -> None:
        usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "repro"
        self._root = (root or Path(os.environ.get("REPRO_CACHE_DIR") or usual)) / "environments"

    def ensure(
        self,
        spec: EnvironmentSpec,
        *,
        on_progress: Callable[[str], object] = lambda _: None,
        on_built: Callable[[str], object] = lambda _: None,
    ) -> Environment:
        """The environment for ``spec``, built when it is not there or no longer whole.

        ``on_progress`` is told what is built, ``on_built`` that this is over, whatever came of it.

        Raises:
            UntestableError: it cannot be made; the resolver's own words, and a pin to add for a yanked release.
        """
        if spec.interpreter is not None:
            version, packages = interpreters.inspect(spec.interpreter)
            versions: dict[str, str] = {canonicalize_name(name): found for name, found in packages.items()}
            return Environment(key="untouched", interpreter=spec.interpreter, python=version, versions=versions)
        interpreter = interpreter_for(spec)
        key = key_of(spec, interpreter.version)
        with self._locked(key):
            found = self._read(key)
            if found is None:
                on_progress(describe(spec))
                try:
                    self._build(key, spec, interpreter)
                finally:
                    on_built(describe(spec))
                found = self._read(key)
            if found is None:
                raise StoreError(
                    f"the environment {key} is broken although it was just built; try `repro env prune --all`"
                )
            with contextlib.suppress(OSError):
                os.utime(self._root / key / MARKER)
            return found

    def check(self) -> None:
        """See that environments can be made at all, before anything else is started.

        Raises:
            StoreError: the folder cannot be written, or a file is where it belongs.
        """
        with self._locked(f"check-{os.getpid()}"):
            (self._root / f"check-{os.getpid()}.lock").unlink(missing_ok=True)

    def entries(self) -> tuple[Entry, ...]:
        """All that are whole, the one used last first."""
        found = [entry for marker in self._root.glob(f"*/{MARKER}") if (entry := _entry(marker)) is not None]
        return tuple(sorted(found, key=lambda entry: -entry.used))

    def remove(self, key: str) -> None:
        """Delete one."""
        with self._locked(key):
            shutil.rmtree(self._root / key, ignore_errors=True)

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            file = (self._root / f"{key}.lock").open("w")
        except OSError as error:
            raise StoreError(
                f"cannot write to the cache {self._root}: {error.strerror}; "
                "set REPRO_CACHE_DIR to a folder that can be written"
            ) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _read(self, key: str) -> Environment | None:
        """The environment when its marker is there, its interpreter runs, and nothing was changed since."""
        folder = self._root / key
        try:
            marker = json.loads((folder / MARKER).read_text("utf-8"))
            python = folder / "bin" / "python"
            if not python.exists() or marker["fingerprint"] != _fingerprint(folder):
                return None
            if "files" in marker and marker["files"] != _files(folder):  # older markers lack it
                return None
            return Environment(key=key, interpreter=python, python=marker["python"], versions=marker["versions"])
        except (OSError, ValueError, KeyError, csv.Error):
            return None

    def _install(self, folder: Path, spec: EnvironmentSpec) -> None:
        into = ["--python", str(folder / "bin" / "python")]
        if spec.base is not None:
            versions = resolve(spec)
            if wanted := [f"{name}=={version}" for name, version in versions.items()]:
                _uv_install(["--no-deps", *into, *wanted], spec, setuptools=versions.get("setuptools"))
            copy_local(spec.base, folder)
            return
        with _constraints(spec) as limits:
            wanted = [*into, *_day(spec), *limits, *_requirements(spec)]
            _uv_install(wanted, spec, setuptools=spec.pins.get("setuptools"))

    def _build(self, key: str, spec: EnvironmentSpec, interpreter: interpreters.Interpreter) -> None:
        folder = self._root / key
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _uv(["venv", "--quiet", "--no-project", "--python", str(interpreter.path), str(folder)], spec)
            self._install(folder, spec)
            version, packages = interpreters.inspect(folder / "bin" / "python")
            marker = {
                "asked": _asked(spec),
                "python": version,
                "versions": {canonicalize_name(name): found for name, found in sorted(packages.items())},
                "fingerprint": _fingerprint(folder),
                "files": _files(folder),
                "created": time.time(),
            }
            partial = folder / f"{MARKER}.partial"
            partial.write_text(json.dumps(marker, indent=1), "utf-8")
            partial.replace(folder / MARKER)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise StoreError(
                f"cannot write the environment {folder}: {error.strerror}; free some space with `repro env prune`"
            ) from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


class Builder:
    """Builds environments ahead, side by side, each once; ``submit`` gives the same future for the same request."""

    def __init__(
        self,
        cache: EnvironmentCache,
        *,
        workers: int,
        on_progress: Callable[[str], object] = lambda _: None,
        on_built: Callable[[str], object] = lambda _: None,
        on_moved: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._cache = cache
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="environment")
        self._futures: dict[str, Future[Environment]] = {}
        self._lock = threading.Lock()
        self._on_progress, self._on_built, self._on_moved = on_progress, on_built, on_moved

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        door.end_marked("uv")

    def submit(self, spec: EnvironmentSpec) -> Future[Environment]:
        """The environment to come."""
        key = json.dumps(_asked(spec), sort_keys=True)
        with self._lock:
            if key not in self._futures:
                self._futures[key] = self._pool.submit(self._made, spec)
            return self._futures[key]

    def _made(self, spec: EnvironmentSpec) -> Environment:
        environment = self._cache.ensure(spec, on_progress=self._on_progress, on_built=self._on_built)
        if changes := moved(spec, environment.versions):
            told = ", ".join(_told(name, old, new) for name, (old, new) in changes.items())
            self._on_moved(f"{describe(spec)}: with it {told}")
        return environment


def key_of(spec: EnvironmentSpec, python: str) -> str:
    """The hash of everything that was asked, with the interpreter's full version."""
    return hashlib.sha256(json.dumps([_asked(spec), python], sort_keys=True).encode()).hexdigest()[:16]


def interpreter_for(spec: EnvironmentSpec) -> interpreters.Interpreter:
    """The interpreter that an environment is made with, or that it has.

    Raises:
        UntestableError: it is not installed.
    """
    if spec.base is not None and not spec.python:
        return interpreters.Interpreter(spec.base.python, spec.base.interpreter)
    if spec.interpreter is not None:
        return interpreters.Interpreter(interpreters.inspect(spec.interpreter)[0], spec.interpreter)
    return interpreters.find(spec.python)


def moved(spec: EnvironmentSpec, versions: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """What had to move with what was asked for: the versions in the base and now, empty where there is none."""
    if spec.base is None or not spec.base.versions or spec.as_of or spec.python:
        return {}
    before = spec.base.versions
    asked = {*spec.pins, *spec.requires, *spec.base.local}
    return {
        name: (before.get(name, ""), versions.get(name, ""))
        for name in sorted({*before, *versions})
        if before.get(name) != versions.get(name) and name not in asked and name not in _TOOLS
    }


def _told(name: str, old: str, new: str) -> str:
    if not old:
        return f"{name} {new} comes in"
    return f"{name} {old} → {new}" if new else f"{name} goes"


def describe(spec: EnvironmentSpec) -> str:
    """The request in words, for a progress line."""
    pins = " ".join(f"{name}=={version}" for name, version in spec.pins.items())
    day = f" as of {spec.as_of}" if spec.as_of else ""
    return f"{pins or ' '.join(spec.requires)}{day}{f' on Python {spec.python}' if spec.python else ''}"


def resolve(spec: EnvironmentSpec) -> Mapping[str, str]:
    """What the environment would be made of, without making it.

    Raises:
        UntestableError: it cannot be resolved; the resolver's own words.
    """
    with tempfile.TemporaryDirectory(prefix="repro-") as folder:
        wanted = Path(folder) / "requirements.in"
        wanted.write_text("\n".join(_requirements(spec)), "utf-8")
        if spec.base is None:
            return resolve_file(wanted, spec)
        never = Path(folder) / "overrides.txt"  # what no index has is copied, whoever needs it
        never.write_text("\n".join(f"{name}; sys_platform == 'never'" for name in spec.base.local), "utf-8")
        # uv keeps to the releases of the file that it writes to, as far as what is wanted and the day let it.
        kept = (f"{name}=={version}" for name, version in spec.base.versions.items() if name not in spec.requires)
        before = Path(folder) / "requirements.txt"
        before.write_text("" if spec.as_of else "\n".join(kept), "utf-8")
        resolve_file(wanted, spec, more=["--output-file", str(before), "--override", str(never)])
        return _pins_in(before.read_text("utf-8"))


def resolve_file(file: Path, spec: EnvironmentSpec, *, more: Sequence[str] = ()) -> Mapping[str, str]:
    """What a requirements file comes to with the interpreter, the day and the constraints of ``spec``.

    Raises:
        UntestableError: it cannot be resolved; the resolver's own words.
    """
    interpreter = interpreter_for(spec)
    shape = ["--quiet", "--no-header", "--no-annotate", "--python", str(interpreter.path)]
    with _constraints(spec) as limits:
        arguments = ["pip", "compile", *shape, *_day(spec), *limits, *more, str(file)]
        done = installer.call(arguments, limit_s=RESOLVE_LIMIT_S)
    if done.returncode:
        raise _refusal(done, spec)
    return _pins_in(done.stdout)


def _pins_in(text: str) -> dict[str, str]:
    """The releases of a compiled requirements file."""
    pairs = [line.split("==") for line in text.splitlines() if "==" in line and not line.startswith(("#", " "))]
    return {canonicalize_name(name.strip()): version.split(";")[0].strip(" \\") for name, version in pairs}


@contextlib.contextmanager
def _constraints(spec: EnvironmentSpec) -> Iterator[list[str]]:
    """The installer's arguments for the constraints, which it takes from a file only."""
    if not spec.constraints:
        yield []
        return
    with _lines_in_a_file(spec.constraints) as file:
        yield ["--constraints", file]


@contextlib.contextmanager
def _lines_in_a_file(lines: Sequence[str]) -> Iterator[str]:
    """The path of a file with these lines, as long as the installer needs it."""
    with tempfile.NamedTemporaryFile("w", prefix="repro-", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(lines))
        file.flush()
        yield file.name


def _day(spec: EnvironmentSpec) -> list[str]:
    """The arguments for the day; what is pinned is exempt: somebody asked for just that release."""
    if not spec.as_of:
        return []
    exempt = [f"--exclude-newer-package={name}={FAR_FUTURE}" for name in spec.pins]
    return ["--exclude-newer", f"{spec.as_of}T23:59:59Z", *exempt]


def _requirements(spec: EnvironmentSpec) -> list[str]:
    kept = () if spec.base is None else _kept(spec.base, {*spec.pins, *spec.requires})
    return [*kept, *spec.requires, *(f"{name}=={version}" for name, version in spec.pins.items())]


def _kept(base: BaseEnvironment, others: Collection[str]) -> Iterator[str]:
    """What the base has been made of; a pre-release is one that somebody asked for."""
    for name in base.roots:
        if name not in others:
            version = base.versions[name]
            yield f"{name}>={version}" if Version(version).is_prerelease else name


def _asked(spec: EnvironmentSpec) -> dict[str, Any]:
    plain = asdict(spec)
    if not spec.constraints:
        del plain["constraints"]  # they came later: the keys of what is cached stay
    if spec.base is None:
        del plain["base"]  # likewise
    else:
        plain["base"] |= {"interpreter": str(spec.base.interpreter)}
    return {key: str(value) if key in {"as_of", "interpreter"} else value for key, value in plain.items()}


def _uv_install(wanted: list[str], spec: EnvironmentSpec, *, setuptools: str | None) -> None:
    """Install, and build sources with the setuptools of the environment or of its day, where that is possible.

    A newer setuptools names the metadata of ``zope.interface`` in a way that an older ``pkg_resources`` does not find,
    and gevent fails to import. uv reuses each wheel that it has built, whichever setuptools built it: ``--refresh``.
    """
    arguments = ["pip", "install", "--quiet", *wanted]
    if setuptools:
        with _lines_in_a_file([f"setuptools=={setuptools}"]) as file:
            own = ["--build-constraints", file, "--refresh"]
            if not installer.call([*arguments, *own], limit_s=BUILD_LIMIT_S).returncode:
                return  # else a source may need a newer one, or nothing works: the next call says why
    _uv([*arguments, "--refresh"] if spec.as_of else arguments, spec)


def _uv(arguments: list[str], spec: EnvironmentSpec) -> None:
    done = installer.call(arguments, limit_s=BUILD_LIMIT_S)
    if done.returncode:
        raise _refusal(done, spec)


def _refusal(done: door.Completed, spec: EnvironmentSpec) -> ReproError:
    if done.returncode < 0:
        return ProcessError(
            f"the installer was ended by signal {-done.returncode} while it made {describe(spec)}; "
            "nothing was kept; try again"
        )
    return refusal(done.stderr, spec)


def _fingerprint(folder: Path) -> str:
    """Changes when a distribution is installed, removed or changed in version."""
    names = sorted(path.name for path in folder.glob("lib/python*/site-packages/*.dist-info"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _files(folder: Path) -> str:
    """Changes when a file that a distribution has installed goes, or another size; byte code comes and goes."""
    found: list[tuple[str, int]] = []
    for record in sorted(folder.glob("lib/python*/site-packages/*.dist-info/RECORD")):
        site = str(record.parent.parent)
        with record.open(encoding="utf-8", newline="") as rows:
            for name, *_ in filter(None, csv.reader(rows)):
                if not name.endswith(".pyc"):
                    found.append((name, _size(f"{site}/{name}")))
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116  # thousands of files: a Path for each would take longer
    except OSError:
        return -1


def _entry(marker: Path) -> Entry | None:
    try:
        data = json.loads(marker.read_text("utf-8"))
        size = sum(path.lstat().st_size for path in marker.parent.rglob("*") if path.is_file())
        return Entry(
            key=marker.parent.name,
            folder=marker.parent,
            python=data["python"],
            versions=data["versions"],
            asked=data["asked"],
            created=data["created"],
            used=marker.stat().st_mtime,
            size=size,
        )
    except (OSError, ValueError, KeyError):
        return None
