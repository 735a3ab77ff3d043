"""The output files of a cell, kept from filling the disk.

A cell appends to them (``O_APPEND``), so that a file which has grown too large can be cut under its hands: its head is
put aside once, its last part is what remains in the file, and the count of what was left out stands between them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

CUT_ABOVE_BYTES = 8_000_000
KEPT_BYTES = 256_000


@dataclass
class CappedOutput:
    """One output file; call ``trim`` now and then, and ``settle`` when nobody writes to it any more."""

    path: Path
    _head: bytes = b""
    _cut: int = field(default=0)

    def trim(self) -> None:
        """Cut the file when it has grown beyond ``CUT_ABOVE_BYTES``."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return
        if size <= CUT_ABOVE_BYTES:
            return
        if not self._cut:
            with self.path.open("rb") as file:
                self._head = file.read(KEPT_BYTES)
        with self.path.open("r+b") as file:
            file.truncate(0)
        self._cut += size

    def settle(self) -> None:
        """Leave a file of head, a line that says how much is missing, and tail, at most twice ``KEPT_BYTES`` long."""
        if not self.path.exists():
            return
        size = self.path.stat().st_size
        if not self._cut and size <= 2 * KEPT_BYTES:
            return
        with self.path.open("rb") as file:
            head = self._head or file.read(KEPT_BYTES)
            file.seek(max(0, size - KEPT_BYTES))
            tail = file.read()
        left_out = self._cut + size - len(head) - len(tail)
        self.path.write_bytes(head + f"\n… {left_out} bytes left out …\n".encode() + tail)
