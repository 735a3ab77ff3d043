"""The output files of a cell, kept from filling the disk.

The middle of a file that has grown too large is given back to the disk under its writer's hands, as a hole: no byte
that is written meanwhile is lost, whatever the moment, and the last words are often the ones that tell. Where the
file system makes no holes, the file is cut to nothing instead, and only what was written in the instant between
reading its tail and cutting it can be lost.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

CUT_ABOVE_BYTES = 8_000_000
KEPT_BYTES = 256_000
_BLOCK = 4096
_STAT_BLOCK = 512
_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # fallocate(2)


@dataclass
class CappedOutput:
    """One output file; call ``trim`` now and then, and ``settle`` when nobody writes to it any more.

    ``makes_holes`` is false where the file system was seen to make none.
    """

    path: Path
    makes_holes: bool = True
    _head: bytes = b""
    _tail: bytes = b""
    _cut: int = field(default=0)

    def trim(self) -> None:
        """Give the middle of the file back when it takes more than ``CUT_ABOVE_BYTES`` of the disk."""
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return
        if state.st_blocks * _STAT_BLOCK <= CUT_ABOVE_BYTES:
            return
        with self.path.open("r+b") as file:
            if self.makes_holes:
                first = -(-KEPT_BYTES // _BLOCK) * _BLOCK
                last = (state.st_size - KEPT_BYTES) // _BLOCK * _BLOCK
                self.makes_holes = _punch(file.fileno(), first, last - first)
            if not self.makes_holes:
                self._head = self._head or file.read(KEPT_BYTES)
                self._tail = _last(file)
                self._cut += file.tell()
                file.truncate(0)

    def settle(self) -> None:
        """Leave a file of head, a line that says how much is missing, and tail, at most twice ``KEPT_BYTES`` long."""
        if not self.path.exists():
            return
        size = self.path.stat().st_size
        if not self._cut and size <= 2 * KEPT_BYTES:
            return
        with self.path.open("rb") as file:
            head = self._head or file.read(KEPT_BYTES)
            tail = (self._tail + _last(file))[-KEPT_BYTES:]
        left_out = self._cut + size - len(head) - len(tail)
        self.path.write_bytes(head + f"\n… {left_out} bytes left out …\n".encode() + tail)


def _last(file: Any) -> bytes:
    """The last part of an open file, up to wherever its writer has got; leaves the position there."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - KEPT_BYTES))
    tail: bytes = file.read()
    return tail[-KEPT_BYTES:]


def _punch(descriptor: int, start: int, length: int) -> bool:
    """Make a hole in an open file; False where that cannot be done."""
    fallocate = _fallocate()
    return fallocate is not None and fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, start, length) == 0


@cache
def _fallocate() -> Any:
    """The C library's ``fallocate``, which Python has only for making files larger; None where there is none."""
    function = getattr(ctypes.CDLL(None), "fallocate", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return function
