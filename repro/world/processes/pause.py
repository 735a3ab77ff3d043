"""Another process, paused by the kernel's debugging call and nothing else: no signal is sent, none of its code runs.

    PTRACE_SEIZE, PTRACE_INTERRUPT and a wait for every thread ─▶ the look ─▶ PTRACE_DETACH of every thread

Why SEIZE and not ATTACH, which sends a SIGSTOP that the process's parent sees; and why no option to end it with us:
when this program dies meanwhile, the kernel lets go of the process, and it runs on. The calls of one pause must come
from one thread. A call that blocks in the process, such as epoll_wait, may come back with EINTR, as after Ctrl-Z and
fg.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from repro.errors import ProcessError

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
EVENT_STOP = 128
WALL = 0x40000000
"""For ``waitpid``: of threads, too."""
ROUNDS = 10
STOP_LIMIT_S = 2.0
POLL_S = 0.0005


@dataclass
class Pause:
    """A pause under way; ``seconds`` is its length once it is over, ``threads`` how many were held."""

    seconds: float = 0.0
    threads: int = 0
    _held: dict[int, int] = field(default_factory=dict)


@contextlib.contextmanager
def paused(pid: int) -> Iterator[Pause]:
    """All threads of a process stand still meanwhile, and run on afterwards, whatever happens here.

    Raises:
        ProcessError: it may not be traced, is traced already, or has ended.
    """
    pause = Pause()
    began = time.monotonic()
    try:
        _hold(pid, pause._held)  # noqa: SLF001  # of this module
        pause.threads = len(pause._held)  # noqa: SLF001
        yield pause
    finally:
        for tid, pending in pause._held.items():  # noqa: SLF001
            _ptrace(DETACH, tid, pending)
        pause.seconds = time.monotonic() - began


def _hold(pid: int, held: dict[int, int]) -> None:
    """Hold every thread; those that begin meanwhile are found in the next round."""
    for _ in range(ROUNDS):
        fresh = _threads(pid) - held.keys()
        if not fresh:
            return
        for tid in sorted(fresh):
            number = _ptrace(SEIZE, tid)
            if number == 0:
                held[tid] = 0
                _ptrace(INTERRUPT, tid)
                held[tid] = _pending_signal(pid, tid)
            elif tid in _threads(pid):
                raise ProcessError(f"process {pid} cannot be paused ({os.strerror(number)}); leave out --pause")
    raise ProcessError(f"process {pid} starts threads faster than they can be held; leave out --pause")


def _threads(pid: int) -> set[int]:
    try:
        return {int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()}
    except OSError:
        raise ProcessError(f"process {pid} has just ended") from None


def _pending_signal(pid: int, tid: int) -> int:
    """Wait until a thread stands; the signal that it was just about to get, which it must get afterwards, else 0."""
    deadline = time.monotonic() + STOP_LIMIT_S
    while time.monotonic() < deadline:
        try:
            found, status = os.waitpid(tid, WALL | os.WNOHANG)
        except ChildProcessError:
            return 0
        if found and not os.WIFSTOPPED(status):
            return 0  # it has ended
        if found:
            return 0 if status >> 16 == EVENT_STOP else int(signal.Signals(os.WSTOPSIG(status)))
        time.sleep(POLL_S)
    raise ProcessError(f"thread {tid} of process {pid} does not stop: it sleeps in the kernel; leave out --pause")


def _ptrace(request: int, tid: int, data: int = 0) -> int:
    """The call; gives the system's number of its error, 0 when it went well."""
    call = ctypes.CDLL(None, use_errno=True).ptrace
    call.restype = ctypes.c_long
    call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return 0 if call(request, tid, None, data) == 0 else ctypes.get_errno()
