"""A cell's process read from outside, as a rung: its loop may stand, its GIL be held, or a signal have stopped it.

The first reading of an environment runs its interpreter once, to learn where the fields of its objects lie. It is begun
when a process has turned out not to answer, while the other rungs are asked: a trial in which all answer pays nothing.
"""

from __future__ import annotations

import sys
import threading

from repro.core.hang.dump import Dump
from repro.errors import ReproError
from repro.world.collecting.sockets import sockets_of
from repro.world.memory.reader import reading_of
from repro.world.memory.source.target import target_of


class MemoryReading:
    """One process's memory while it is read in a thread of its own, from the moment on at which this is made.

    Who cannot be read in time is left to that thread: what it learns is known for the next trial.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._outcome: Dump | str = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def within(self, limit_s: float) -> Dump | str:
        """The stacks, with both ends of every socket; or why there are none after so many seconds."""
        self._thread.join(limit_s)
        return self._outcome or f"the process's memory could not be read within {limit_s:g} s more"

    def _read(self) -> None:
        if sys.platform != "linux":
            self._outcome = f"{sys.platform} does not let another process be read: run on Linux"
            return
        try:
            self._outcome = read(self._pid)
        except (ReproError, OSError) as error:
            self._outcome = str(error)


def read(pid: int) -> Dump:
    """The stacks of a process, by its memory.

    Raises:
        ReproError: it may not be read, or has ended.
        OSError: it ends just now.
    """
    reader = reading_of(target_of(pid))
    try:
        dump = reader.dump()
    finally:
        reader.close()
    return dump.with_peers({socket.fd: (socket.local, socket.peer) for socket in sockets_of(pid)})
