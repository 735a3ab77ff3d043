"""The output files of a cell, kept from filling the disk.

A file that has grown too large is cut to nothing under its writer's hands, after its head (once) and its tail were
read; the writer appends, so it continues at the new end. What is written in the instant between reading and cutting is
lost, a moment of an output of which megabytes are left out anyway: a hole in the middle of the file would lose nothing,
but takes a call that Python does not have and some file systems do not know.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CUT_ABOVE_BYTES = 8_000_000
KEPT_BYTES = 256_000
CATCHES_UP = 5
"""How often what a writer has added meanwhile is read before the cut: it may write faster than anybody reads."""
_STAT_BLOCK = 512


@dataclass
class CappedOutput:
    """One output file; call ``trim`` now and then, and ``settle`` when nobody writes to it any more."""

    path: Path
    _head: bytes = b""
    _tail: bytes = b""
    _cut: int = 0

    def trim(self) -> None:
        """Cut the file when it takes more than ``CUT_ABOVE_BYTES`` of the disk."""
        try:
            size = self.path.stat().st_blocks * _STAT_BLOCK
        except FileNotFoundError:
            return
        if size <= CUT_ABOVE_BYTES:
            return
        with self.path.open("r+b") as file:
            self._head = self._head or file.read(KEPT_BYTES)
            self._tail = _last(file, KEPT_BYTES)
            for _ in range(CATCHES_UP):
                self._tail = (self._tail + file.read())[-KEPT_BYTES:]
            self._cut += file.tell()
            file.truncate(0)

    def ending(self, limit: int) -> bytes:
        """The last ``limit`` bytes that were written and are kept, also while somebody writes."""
        if not self.path.exists():
            return b""
        with self.path.open("rb") as file:
            return (self._tail + _last(file, limit))[-limit:]

    def settle(self) -> None:
        """Leave a file of head, a line that says how much is missing, and tail, at most twice ``KEPT_BYTES`` long."""
        if not self.path.exists():
            return
        size = self.path.stat().st_size
        if not self._cut and size <= 2 * KEPT_BYTES:
            return
        with self.path.open("rb") as file:
            head = self._head or file.read(KEPT_BYTES)
            tail = (self._tail + _last(file, KEPT_BYTES))[-KEPT_BYTES:]
        left_out = self._cut + size - len(head) - len(tail)
        self.path.write_bytes(head + f"\n… {left_out} bytes left out …\n".encode() + tail)


def _last(file: BinaryIO, limit: int) -> bytes:
    """The last part of an open file, up to wherever its writer has got; leaves the position there."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - limit))
    return file.read()[-limit:]
