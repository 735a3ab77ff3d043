"""Another process's memory, read through ``/proc/PID/mem``: the process goes on, and notices nothing.

Pages are kept once read, so that one ``ForeignMemory`` is one snapshot, smeared over the time that reading takes;
``fresh_word`` reads past them, to see whether something has moved meanwhile.
"""

from __future__ import annotations

import bisect
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from repro.errors import ProcessError, UsageError

PAGE_BITS = 12
PAGE_BYTES = 1 << PAGE_BITS
SCANNED_AT_ONCE = 1 << 24
"""Bytes that a scan holds at a time."""
MOST_STRING_BYTES = 1 << 20
"""No text, line table or structure that is read here is longer: what seems so is torn."""
WORD = struct.Struct("<Q").unpack_from
INT = struct.Struct("<i").unpack_from
UINT = struct.Struct("<I").unpack_from
Words = npt.NDArray[np.uint64]


class TornError(Exception):
    """What was read contradicts itself: it moved while it was read, or it is not what it was taken for."""


class ForbiddenError(ProcessError):
    """Its memory belongs to somebody whose rights we do not have."""


@dataclass(frozen=True, slots=True)
class Region:
    """One line of ``/proc/PID/maps``: addresses from ``start`` up to ``end``, and the file that is mapped there."""

    start: int
    end: int
    permissions: str
    inode: int
    path: str

    @property
    def is_writable(self) -> bool:
        """Whether objects can lie there: the program's own data, no device and nobody's stack."""
        return self.permissions.startswith("rw") and not self.path.startswith(("/dev/", "/memfd:", "[stack"))


class ForeignMemory:
    """The memory of process ``pid``.

    Raises:
        UsageError: the process has ended.
        ForbiddenError: it may not be read.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._pages: dict[int, bytes] = {}
        self.regions: Sequence[Region] = ()
        try:
            self._file = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
            self.renew()
        except (FileNotFoundError, ProcessLookupError):
            raise UsageError(f"process {pid} has just ended") from None
        except PermissionError as error:
            raise ForbiddenError(f"the memory of process {pid} may not be read ({error.strerror})") from error
        if not self.regions:
            os.close(self._file)
            raise ProcessError(f"process {pid} has ended, or is just beginning")

    def close(self) -> None:
        """Let go of the process."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def forget(self) -> None:
        """Begin a new snapshot."""
        self._pages.clear()

    def renew(self) -> None:
        """Begin a new snapshot of what is mapped now."""
        self._pages.clear()
        self.regions = _regions(self.pid)
        self._starts = [region.start for region in self.regions]

    def region(self, address: int) -> Region | None:
        """The region in which an address lies."""
        index = bisect.bisect_right(self._starts, address) - 1
        region = self.regions[index] if index >= 0 else None
        return region if region is not None and address < region.end else None

    def word(self, address: int) -> int:
        """Eight bytes as a number.

        Raises:
            TornError: nothing is mapped there; so do all that read.
        """
        offset = address & (PAGE_BYTES - 1)
        if offset <= PAGE_BYTES - 8:
            return int(WORD(self._page(address >> PAGE_BITS), offset)[0])
        return int(WORD(self.read(address, 8))[0])

    def integer(self, address: int) -> int:
        """Four bytes as a number with a sign."""
        return int(INT(self.read(address, 4))[0])

    def read(self, address: int, size: int) -> bytes:
        """So many bytes."""
        if not 0 <= size <= MOST_STRING_BYTES:
            raise TornError(f"{size} bytes at {address:#x}")
        parts, at, left = [], address, size
        while left > 0:
            offset = at & (PAGE_BYTES - 1)
            part = self._page(at >> PAGE_BITS)[offset : offset + left]
            parts.append(part)
            at, left = at + len(part), left - len(part)
        return b"".join(parts)

    def text(self, address: int, most: int = 256) -> str:
        """A text that ends with a zero byte, as C has it."""
        return self.read(address, most).split(b"\0", 1)[0].decode("utf-8", "replace")

    def fresh_word(self, address: int) -> int:
        """Eight bytes as they are at this moment."""
        return int(WORD(self._fresh(address, 8))[0])

    def words_of(self, region: Region) -> Iterator[tuple[int, Words]]:
        """All of a region, part by part: the address of a part and its words. What cannot be read is left out."""
        for start in range(region.start, region.end, SCANNED_AT_ONCE):
            size = min(SCANNED_AT_ONCE, region.end - start)
            try:
                data = os.pread(self._file, size, start)
            except OSError:
                continue
            yield start, np.frombuffer(data[: len(data) // 8 * 8], dtype=np.uint64)

    def _fresh(self, address: int, size: int) -> bytes:
        try:
            data = os.pread(self._file, size, address)
        except (OSError, OverflowError):
            raise TornError(f"nothing is mapped at {address:#x}") from None
        if len(data) < size:
            raise TornError(f"nothing is mapped behind {address:#x}")
        return data

    def _page(self, number: int) -> bytes:
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = self._fresh(number << PAGE_BITS, PAGE_BYTES) if number > 0 else b""
        if not page:
            raise TornError("an address in the first page")
        return page


def _regions(pid: int) -> Sequence[Region]:
    """The readable regions, in the order of their addresses."""
    regions = []
    for line in Path(f"/proc/{pid}/maps").read_text("utf-8", "replace").splitlines():
        span, permissions, _, _, inode, *path = line.split(None, 5)
        start, end = (int(part, 16) for part in span.split("-"))
        name = path[0] if path else ""
        if permissions.startswith("r") and not name.startswith(("[vvar", "[vsyscall", "[vdso")):
            regions.append(Region(start, end, permissions, int(inode), name))
    return regions
