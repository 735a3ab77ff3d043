"""The folder in which a command was typed, and private copies of it.

Inside a git repository it is the whole repository, what git tracks and what it does not ignore, for imports and paths
may lead up to its root; elsewhere the folder with all that is in it. Environments, caches and runs are left out.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repro.core.command.variables import is_aws_own
from repro.errors import ProcessError, UsageError
from repro.world.processes import door
from repro.world.runs.trouble import FILE

MOST_BYTES = 500_000_000
MOST_FILES = 50_000
MOST_FOLDERS, DEEPEST = 2_000, 4
"""Of folders that hold no file of the copy."""
LIMIT_S = 60.0
_LEFT_OUT = frozenset(
    {
        ".git", ".hg", ".svn", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__",
        "node_modules", "site-packages", "repro-runs",
    }
)  # fmt: skip
_DOTENV = re.compile(r"\.env(\..+)?|\.envrc")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(?P<name>\w+)\s*=")
_SOURCES = (".py", ".conf", ".toml", ".ini", ".cfg")


@dataclass(frozen=True, kw_only=True)
class Folder:
    """What is copied: ``files`` below ``root``, of ``size`` bytes; the command was typed in ``place`` below it.

    ``is_git`` says that git chose the files; ``too_large`` is a repository that was too large to be copied whole.
    """

    root: Path
    place: str
    files: tuple[str, ...]
    size: int
    is_git: bool
    too_large: Path | None = None

    @property
    def sources(self) -> tuple[Path, ...]:
        """The Python files among them."""
        return tuple(self.root / name for name in self.files if name.endswith(".py"))

    def within(self, path: Path) -> str | None:
        """A path below ``root`` as it is named from there; None for another."""
        absolute = Path(os.path.normpath(path))
        return str(absolute.relative_to(self.root)) if absolute.is_relative_to(self.root) else None

    def with_files(self, names: Iterable[str]) -> Folder:
        """The folder with these files, too, whoever ignores them."""
        new = [name for name in dict.fromkeys(names) if name not in set(self.files)]
        size = sum(_size(self.root / name) for name in new)
        return replace(self, files=(*self.files, *new), size=self.size + size)

    def digests(self) -> dict[str, str]:
        """The digest of each file that says what the load is; data files come from the run's copy in any case."""
        named = [name for name in self.files if name.endswith(_SOURCES)]
        return {f"file {name}": _digest(self.root / name) for name in named if (self.root / name).is_file()}


def folder_of(place: Path) -> Folder:
    """What is copied where a command is typed in ``place``.

    Raises:
        UsageError: it is too large; says what to do.
    """
    top = _top(place)
    if top is None:
        return _listed(place, place, _walked(place, place), is_git=False)
    try:
        return _listed(top, place, _tracked(top), is_git=True)
    except UsageError:
        if top == place:
            raise
        names = [name for name in _tracked(top) if (top / name).is_relative_to(place)]
        below = (str((top / name).relative_to(place)) for name in names)
        return replace(_listed(place, place, below, is_git=True), too_large=top)


def copy_folder(folder: Folder, to: Path) -> None:
    """The run's copy, in ``to``, which is made.

    A link that leads out is followed, so that nothing that is written through it reaches what it leads to. Of a
    ``.env`` the lines that are AWS's own are left out.

    Raises:
        UsageError: a file cannot be read.
    """
    for name in folder.files:
        source, target = folder.root / name, to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _copy(source, target, folder.root)
        except OSError as error:
            raise UsageError(
                f"{source} cannot be copied for the trials: {error.strerror}; make it readable, or move it elsewhere"
            ) from error
    for name in _folders(folder.root):
        (to / name).mkdir(parents=True, exist_ok=True)
    (to / folder.place).mkdir(parents=True, exist_ok=True)


def _folders(root: Path) -> Iterator[str]:
    """The folders that are there by hand, whoever ignores what is in them: a load may write its results there."""
    count = 0
    for here, below, _ in os.walk(root):
        place = os.path.relpath(here, root)
        depth = 0 if place == "." else place.count(os.sep) + 1
        below[:] = [
            name
            for name in sorted(below)
            if depth < DEEPEST and not _is_left_out(Path(here) / name) and not (Path(here) / name).is_symlink()
        ]
        count += len(below)
        if count > MOST_FOLDERS:
            return
        yield from (os.path.normpath(os.path.join(place, name)) for name in below)  # noqa: PTH118  # texts, not paths


def private_copy(kept: Path, to: Path) -> None:
    """A trial's own copy of the run's."""
    shutil.copytree(kept, to, symlinks=True, dirs_exist_ok=True)


def _copy(source: Path, target: Path, root: Path) -> None:
    if source.is_symlink():
        leads, top = Path(os.path.realpath(source)), Path(os.path.realpath(root))
        if leads.is_relative_to(top):
            target.symlink_to(os.path.relpath(top / leads.relative_to(top), os.path.realpath(source.parent)))
            return
    if source.is_dir():
        shutil.copytree(source, target, symlinks=False, ignore_dangling_symlinks=True, dirs_exist_ok=True)
    elif _DOTENV.fullmatch(source.name):
        target.write_text(_without_aws(source.read_text("utf-8", "replace")), "utf-8")
    elif source.is_file():
        shutil.copy2(source, target)


def _without_aws(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not _is_aws_line(line))


def _is_aws_line(line: str) -> bool:
    match = _ASSIGNMENT.match(line)
    return match is not None and is_aws_own(match["name"])


# What is there


def _top(place: Path) -> Path | None:
    """The root of the git repository; None where there is none, or no git."""
    try:
        done = door.run(["git", "-C", str(place), "rev-parse", "--show-toplevel"], limit_s=LIMIT_S)
    except ProcessError:
        return None
    top = Path(done.stdout.strip())
    if done.returncode or not top.is_absolute() or not place.is_relative_to(top):
        return None
    return top if top == place or _has_tracked(place) else None


def _has_tracked(place: Path) -> bool:
    """Whether git has a say here: an ignored folder below somebody's repository is one without git."""
    done = door.run(["git", "-C", str(place), "check-ignore", "-q", "."], limit_s=LIMIT_S)
    return done.returncode != 0


def _tracked(top: Path) -> Iterator[str]:
    listing = ["git", "-C", str(top), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = door.run(listing, limit_s=LIMIT_S)
    if done.returncode:
        raise UsageError(f"git cannot list the files of {top}: {done.stderr.strip()}; fix that, or move the load test")
    names = dict.fromkeys(name for name in done.stdout.split("\0") if name and os.path.lexists(top / name))
    left_out: dict[Path, bool] = {top: False}
    for name in names:
        path = top / name
        if _is_below_left_out(path.parent, left_out):
            continue
        if path.is_dir() and not path.is_symlink():  # a submodule, or a repository inside this one
            yield from _walked(path, top)
        else:
            yield name


def _is_below_left_out(folder: Path, known: dict[Path, bool]) -> bool:
    """Whether it is an environment, a cache or a run, or below one: not everybody lets git ignore those."""
    if folder not in known:
        known[folder] = _is_left_out(folder) or _is_below_left_out(folder.parent, known)
    return known[folder]


def _walked(start: Path, root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(start):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not _is_left_out(here / name))
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*sorted(files), *links):
            yield str((here / name).relative_to(root))


def _is_left_out(folder: Path) -> bool:
    return folder.name in _LEFT_OUT or (folder / "pyvenv.cfg").exists() or (folder / FILE).exists()


def _listed(root: Path, place: Path, names: Iterable[str], *, is_git: bool) -> Folder:
    found: list[str] = []
    size = 0
    for name in names:
        size += _size(root / name)
        found.append(name)
        if size > MOST_BYTES or len(found) > MOST_FILES:
            raise UsageError(_too_large(root, found, size, is_git=is_git))
    where = str(place.relative_to(root))
    return Folder(root=root, place="" if where == "." else where, files=tuple(found), size=size, is_git=is_git)


def _too_large(root: Path, found: Sequence[str], size: int, *, is_git: bool) -> str:
    limit = f"{MOST_BYTES // 1_000_000} MB" if size > MOST_BYTES else f"{MOST_FILES:,} files"
    largest = max(found, key=lambda name: _size(root / name))
    named = f" ({largest} alone has {_size(root / largest) / 1e6:,.0f} MB)" if size > MOST_BYTES else ""
    what = "that git does not ignore" if is_git else "and is not a git repository"
    move = "add what the load does not need to .gitignore" if is_git else "run `git init` and list it in .gitignore"
    return (
        f"every trial gets a copy of this folder, but {root} has more than {limit} {what}{named}; type the command in "
        f"the folder of the load test alone, or {move}"
    )


def _size(path: Path) -> int:
    try:
        if path.is_symlink() and path.is_dir():
            return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
