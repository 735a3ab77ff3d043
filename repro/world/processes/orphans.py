"""Orphans of the cells: processes whose parent ended, that left its session and may have emptied their environment.

On Linux this program asks the kernel to be given them (``PR_SET_CHILD_SUBREAPER``), so that none gets out of sight by
forking twice; elsewhere only the mark in their environment finds them. An adopted process is a direct child of this
program in another session than ours that was not started here: what a library starts shares our session. Ended ones are
waited for, or they would pile up as zombies.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import psutil

_SET_CHILD_SUBREAPER = 36  # prctl(2)
_PROC = Path("/proc")
starting = threading.Lock()
"""Held while a process is started and noted down: a child that ends at once could be taken for an orphan."""
_own: set[int] = set()


def adopt() -> bool:
    """Be given the orphans of all that is started from now on; False where the system cannot."""
    return _adopt(os.getpid())


@cache
def _adopt(_pid: int) -> bool:
    """By process: a fork of this program has to ask for itself."""
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    return False


def note_own(pid: int) -> None:
    """This process was started here; call it while ``starting`` is held."""
    _own.add(pid)


def forget_own(pid: int) -> None:
    """This process was started here, and has been waited for: its number may come back as another's."""
    _own.discard(pid)


def adopted() -> list[psutil.Process]:
    """The orphans that live; those that have ended are waited for."""
    if not adopt():
        return []
    with starting:
        found = [process for pid in children_of(os.getpid()) if pid not in _own and (process := _alien(pid))]
        return [process for process in found if not _is_reaped(process)]


def with_offspring(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """These and all that they have started."""
    found: dict[int, psutil.Process] = {}
    for process in processes:
        found[process.pid] = process
        with contextlib.suppress(psutil.Error):
            found |= {child.pid: child for child in process.children(recursive=True)}
    return list(found.values())


def is_inside(process: psutil.Process, places: Iterable[Path]) -> bool:
    """Whether it stands in one of the folders, or has one of the files open: standard output, mostly."""
    home = _PROC / str(process.pid)
    try:
        links = [home / "cwd", *(home / "fd").iterdir()]
    except OSError:
        return False
    targets = {_target(link) for link in links}
    return any(target == str(place) or target.startswith(f"{place}/") for place in places for target in targets)


def tree_of(pid: int) -> set[int]:
    """All that a process has started and that is still below it, itself left out."""
    found: set[int] = set()
    left = [pid]
    while left:
        new = set(children_of(left.pop())) - found
        found |= new
        left += new
    return found


def children_of(pid: int) -> list[int]:
    """The direct children of a process, by the kernel's own list where it keeps one, which costs next to nothing."""
    try:
        lists = [(task / "children").read_text("ascii") for task in (_PROC / str(pid) / "task").iterdir()]
    except OSError:
        with contextlib.suppress(psutil.Error):
            return [child.pid for child in psutil.Process(pid).children()]
        return []
    return [int(word) for text in lists for word in text.split()]


def _alien(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid) if os.getsid(pid) != os.getsid(0) else None
    except (OSError, psutil.Error):
        return None


def _is_reaped(process: psutil.Process) -> bool:
    """Whether it had ended: then it is waited for, which takes no time."""
    try:
        return os.waitpid(process.pid, os.WNOHANG)[0] == process.pid
    except OSError:
        return True


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
