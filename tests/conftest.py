"""What several folders of tests use: environments with real releases, and a package index whose content is known."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import importlib.util
import io
import json
import marshal
import os
import re
import shutil
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata, resources
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repro.core.matrix.cells import rate_of
from repro.model import Cell, CellResult, CellVerdict, EnvironmentSpec, Level, Operations, Trial, Verdict
from repro.world.environments.cache import EnvironmentCache
from repro.world.processes import door

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
"""Containers often set that variable. Then each worker and each of some 900 child processes compiles all that it imports."""

LONGEST_FIRST = (
    "cli/test_cases.py",
    "cli/test_blame.py",
    "scenarios/test_planted_truths.py",
    "cli/test_bisect.py",
    "cli/test_bisect_resume.py",
    "orchestration/test_false_alarms.py",
    "orchestration/test_launch_modes.py",
    "cli/test_bad_days.py",
    "cli/test_commands.py",
    "world/collecting/test_ladder.py",
    "core/search/test_bisection.py",
    "world/environments/test_cache.py",
)
"""Files that take longest, by `benchmarks/time_of_tests.py`: begun last, they would be waited for while the other workers idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that judge by time before the others, the longest of both first, and everything else as it is."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    root = Path(__file__).parent
    timed = {item.path for item in items if item.get_closest_marker("timed")}
    items.sort(
        key=lambda item: (item.path not in timed, places.get(item.path.relative_to(root).as_posix(), len(places)))
    )


@contextmanager
def alone(name: str, factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that all workers of this run of the tests share, to this worker alone while it makes what is missing there."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield folder


@pytest.fixture(scope="session")
def environment_with() -> Callable[..., Path]:
    """``environment_with("3.8", "gevent==20.12.1")`` is the interpreter of a cached environment with these packages."""

    def made(python: str, *packages: str) -> Path:
        return EnvironmentCache().ensure(EnvironmentSpec(python=python, requires=packages)).interpreter

    return made


@pytest.fixture
def schema() -> Callable[..., Mapping[str, Any]]:
    """``schema("run")`` is the JSON Schema of a run's document, as it is published."""

    def read(name: str = "run") -> Mapping[str, Any]:
        text = (resources.files("repro.presentation") / "schemas" / f"{name}.schema.json").read_text("utf-8")
        found: dict[str, Any] = json.loads(text)
        return found

    return read


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """``small_disk(64)`` is a folder on a disk of its own of 64 kB; skipped where nobody lets a test mount one."""
    made: list[Path] = []

    def make(size_kb: int) -> Path:
        folder = tmp_path / f"disk-{len(made)}"
        folder.mkdir()
        argv = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", folder]
        if shutil.which("mount") is None or door.run(argv, limit_s=20).returncode:
            pytest.skip("mounting a small disk takes privileges")
        made.append(folder)
        return folder

    yield make
    for folder in made:
        door.run(["umount", "--lazy", folder], limit_s=20)


JSON = "application/vnd.pypi.simple.v1+json"


class PackageIndex:
    """A package index on loopback, with wheels made on the spot.

    Serves what was added, as PEP 691 and 700 say; ``asked`` are the paths that were asked for."""

    def __init__(self) -> None:
        self._pages: dict[str, list[dict[str, Any]]] = {}
        self._files: dict[str, bytes] = {}
        self.asked: list[str] = []
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(self.path)
                kind, body = index.answer(self.path)
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815  # the server's name for it

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/simple"

    def add(
        self,
        name: str,
        version: str,
        *,
        requires: Sequence[str] = (),
        released: date = date(2024, 1, 1),
        yanked: bool | str = False,
        requires_python: str = "",
    ) -> None:
        """A release with one wheel: a module of its name, and its metadata."""
        filename = f"{name}-{version}-py3-none-any.whl"
        metadata = made_metadata(name, version, requires, requires_python)
        wheel = made_wheel(name, version, metadata)
        self._files |= {f"/files/{filename}": wheel, f"/files/{filename}.metadata": metadata.encode()}
        more = {"yanked": yanked, "core-metadata": True}
        more |= {"requires-python": requires_python} if requires_python else {}
        self._list(name, filename, wheel, released, more)

    def add_source(self, name: str, version: str, *, needs: str, released: date = date(2024, 1, 1)) -> None:
        """A release without a wheel: its module says which release of what it ``needs`` built it."""
        filename = f"{name}-{version}.tar.gz"
        self._files[f"/files/{filename}"] = source = made_source(name, version, needs)
        self._list(name, filename, source, released, {})

    def _list(self, name: str, filename: str, body: bytes, released: date, more: dict[str, Any]) -> None:
        entry = {
            "filename": filename,
            "url": f"/files/{filename}",
            "hashes": {"sha256": hashlib.sha256(body).hexdigest()},
            "upload-time": f"{released}T12:00:00Z",
            "size": len(body),
            **more,
        }
        self._pages.setdefault(f"/simple/{name}/", []).append(entry)

    def answer(self, path: str) -> tuple[str, bytes]:
        if path in self._files:
            return "application/octet-stream", self._files[path]
        if path not in self._pages:
            return "", b"not here"
        name = path.strip("/").rpartition("/")[2]
        versions = sorted({file["filename"].split("-")[1].removesuffix(".tar.gz") for file in self._pages[path]})
        page = {"meta": {"api-version": "1.1"}, "name": name, "versions": versions, "files": self._pages[path]}
        return JSON, json.dumps(page).encode()


WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
BACKEND = """
import pathlib
import zipfile

import {tool}


def build_wheel(folder, settings=None, metadata=None):
    with zipfile.ZipFile(pathlib.Path(folder, "{name}-{version}-py3-none-any.whl"), "w") as wheel:
        for path, text in {files}.items():
            wheel.writestr(path, text + (repr({tool}.VERSION) if path == "{name}/__init__.py" else ""))
    return "{name}-{version}-py3-none-any.whl"
"""


def made_source(name: str, version: str, needs: str) -> bytes:
    """A source distribution that builds itself, with what it needs for that."""
    info, metadata = f"{name}-{version}.dist-info", made_metadata(name, version, (), "")
    built = {
        f"{name}/__init__.py": "BUILT_BY = ",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": WHEEL,
        f"{info}/RECORD": "",
    }
    backend = BACKEND.format(name=name, version=version, tool=Requirement(needs).name, files=built)
    system = f'[build-system]\nrequires = ["{needs}"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    project = f'[project]\nname = "{name}"\nversion = "{version}"\n'
    files = {"pyproject.toml": system + project, "backend.py": backend, "PKG-INFO": metadata}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def made_metadata(name: str, version: str, requires: Sequence[str], requires_python: str) -> str:
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
    return metadata + (f"Requires-Python: {requires_python}\n" if requires_python else "")


def made_wheel(name: str, version: str, metadata: str) -> bytes:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": WHEEL,
    }
    rows = [f"{path},{_digest(text)},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return body.getvalue()


def _digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture
def more_packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """An index beside the usual one."""
    with served() as index:
        monkeypatch.setenv("UV_INDEX", index.url)
        yield index


@contextmanager
def served() -> Iterator[PackageIndex]:
    index = PackageIndex()
    thread = threading.Thread(target=index.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield index
    finally:
        index.server.shutdown()
        index.server.server_close()


@pytest.fixture
def package_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """The only index that installers and we know of, with its own cache."""
    for name in ("UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    with served() as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        yield index


class IndexFolder:
    """A folder that is a package index: a page and its wheels for each package."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, name: str, version: str, *, requires: Sequence[str] = ()) -> None:
        """A release with one wheel: a module of its name, and its metadata."""
        self.put(
            name,
            f"{name}-{version}-py3-none-any.whl",
            made_wheel(name, version, made_metadata(name, version, requires, "")),
        )

    def put(self, name: str, filename: str, wheel: bytes) -> None:
        folder = self.root / canonicalize_name(name)
        folder.mkdir(exist_ok=True)
        (folder / filename).write_bytes(wheel)
        links = "".join(f'<a href="{file.name}">{file.name}</a>\n' for file in sorted(folder.glob("*.whl")))
        page = folder / "index.html"
        page.unlink(missing_ok=True)  # it may be a hard link to another test's
        page.write_text(f"<!DOCTYPE html><html><body>\n{links}</body></html>\n")


@pytest.fixture(scope="session")
def packed_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index folder of what Locust and boto3 need, packed anew from this environment: no registry is asked."""
    with alone("packed", tmp_path_factory) as folder:
        index = IndexFolder(folder / "index")
        if not index.root.exists():
            index.root.mkdir()
            for distribution in needed_by("locust", "boto3"):
                index.put(distribution.name, *repacked(distribution))
            index.add("setuptools", "79.0")  # every cell asks for an older one; nothing here imports it
    return index.root


def needed_by(*names: str) -> list[metadata.Distribution]:
    """These distributions as they are installed here, and all that they need."""
    todo = [Requirement(name) for name in names]
    found: dict[str, metadata.Distribution] = {}
    done = set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        for extra in {"", *wanted.extras}:
            if (name, extra) not in done:
                done.add((name, extra))
                found[name] = metadata.distribution(name)
                needs = [Requirement(one) for one in found[name].requires or ()]
                todo += [one for one in needs if one.marker is None or one.marker.evaluate({"extra": extra})]
    return list(found.values())


NEVER_CALLED = re.compile("boto(3|core)/data/(?!sqs/)[^/]+/")
"""What boto3 knows of other services: 2,000 files, for each environment of a hunt."""


def repacked(distribution: metadata.Distribution) -> tuple[str, bytes]:
    """A wheel's name and content that install a distribution as it is installed here, compiled: each environment would be anew."""
    site = Path(str(distribution.locate_file("")))
    told = [line.split() for line in (distribution.read_text("WHEEL") or "").splitlines()]
    tags = [words[1].split("-") for words in told if words[:1] == ["Tag:"]]
    tag = "-".join(".".join(sorted(set(part))) for part in zip(*tags, strict=True))
    names = [
        file.as_posix()
        for file in distribution.files or ()
        if not file.as_posix().startswith("..")
        and file.suffix != ".pyc"
        and file.name not in {"RECORD", "INSTALLER"}
        and not NEVER_CALLED.match(file.as_posix())
    ]
    (info,) = {part for path in names for part in (path.partition("/")[0],) if part.endswith(".dist-info")}
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as wheel:
        for path in names:
            wheel.write(site / path, path)
        compiled = {place: code for path in names if path.endswith(".py") for place, code in compiled_of(site, path)}
        for path, code in compiled.items():
            wheel.writestr(path, code)
        wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*names, *compiled, f"{info}/RECORD"]))
    name = canonicalize_name(distribution.name).replace("-", "_")
    return f"{name}-{distribution.version}-{tag}.whl", body.getvalue()


def compiled_of(site: Path, path: str) -> Iterator[tuple[str, bytes]]:
    """Where a module's bytecode belongs, and the bytecode, valid whenever its source was written; none if it cannot be."""
    source = (site / path).read_bytes()
    with suppress(SyntaxError, ValueError):  # written for another Python
        code = compile(source, path, "exec", dont_inherit=True)
        header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)  # PEP 552
        yield importlib.util.cache_from_source(path), header + marshal.dumps(code)


@pytest.fixture
def index_folder(packed_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IndexFolder:
    """The only index, a folder of this test's own: what is in it is all that can be installed.

    The caches are those of all such tests: a release of one name and number holds the same in each of them.
    """
    root = tmp_path / "index"
    shutil.copytree(packed_here, root, copy_function=os.link)
    for name in ("UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", root.as_uri())
    monkeypatch.setenv("UV_CACHE_DIR", str(packed_here.parent / "uv"))
    monkeypatch.setenv("REPRO_CACHE_DIR", str(packed_here.parent / "cache"))
    return IndexFolder(root)


@pytest.fixture
def judged_cells() -> Callable[..., list[CellResult]]:
    """``judged_cells(factors, rule, trials=3)`` is a cell for all levels for which the rule has a verdict."""
    return make_judged_cells


def make_judged_cells(
    factors: Mapping[str, Sequence[Level]],
    rule: Callable[[Mapping[str, Level]], CellVerdict | None],
    *,
    trials: int = 3,
    ended: int = 0,
) -> list[CellResult]:
    verdicts = {CellVerdict.CLEAN: rate_of([Verdict.CLEAN] * trials), CellVerdict.HANG: rate_of([Verdict.HANG])}
    trial = Trial(
        cell_id="",
        number=1,
        verdict=Verdict.CLEAN,
        reason="",
        started=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=1,
        operations=Operations(begun=ended, ended=ended),
    )
    found = []
    for index, values in enumerate(product(*factors.values())):
        levels = dict(zip(factors, values, strict=True))
        verdict = rule(levels)
        if verdict is not None:
            cell = Cell(
                id=str(index),
                label="",
                scenario="s",
                factors=levels,
                settings={},
                environ={},
                environment=EnvironmentSpec(),
            )
            found.append(CellResult(cell=cell, trials=(trial,), verdict=verdict, rate=verdicts.get(verdict)))
    return found
