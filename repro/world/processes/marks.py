"""Processes found by the mark in their environment. Imports psutil alone: the warden runs this by path."""

from __future__ import annotations

import os
from collections.abc import Callable

import psutil

VARIABLE = "REPRO_MARK"
Finder = Callable[[], list[psutil.Process]]


def marked(mark: str) -> list[psutil.Process]:
    """The living processes whose mark is ``mark`` or lies below it; never this process itself."""
    below = (f"{mark}/", f"{mark}\n")
    others = (process for process in psutil.process_iter() if process.pid != os.getpid())
    return [process for process in others if f"{mark_of(process)}\n".startswith(below) and is_running(process)]


def is_running(process: psutil.Process) -> bool:
    """Whether it lives and is not a zombie: a zombie holds nothing and waits only for its parent."""
    try:
        return bool(process.is_running() and process.status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD})
    except psutil.Error:
        return False


def mark_of(process: psutil.Process) -> str:
    """The mark in its environment, "" where there is none or it cannot be read."""
    try:
        return str(process.environ().get(VARIABLE, ""))
    except (psutil.Error, OSError):
        return ""  # another user's process, or one that ended meanwhile
