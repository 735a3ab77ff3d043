"""Another process's memory: a living one's, through ``/proc/PID/mem``, which goes on and notices nothing; or a dump's.

Pages are kept once read, so that one ``Memory`` is one snapshot, smeared over the time that reading takes;
``fresh_word`` reads past them, to see whether something has moved meanwhile.
"""

from __future__ import annotations

import bisect
import os
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import numpy as np
import numpy.typing as npt

from repro.errors import ProcessError, UsageError

PAGE_BITS = 12
PAGE_BYTES = 1 << PAGE_BITS
DELETED = " (deleted)"
"""How the kernel marks a mapped file that is no longer there."""
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


class Memory(ABC):
    """The memory of process ``pid``, by the page."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._pages: dict[int, bytes] = {}
        self.regions: Sequence[Region] = ()
        self._starts: Sequence[int] = ()

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""

    @abstractmethod
    def _mapped(self) -> Sequence[Region]:
        """What is mapped now, in the order of the addresses."""

    @abstractmethod
    def _pread(self, address: int, size: int) -> bytes:
        """So many bytes, or as many as can be read.

        Raises:
            OSError: nothing can be read there.
        """

    @abstractmethod
    def open_image(self, first: Region) -> IO[bytes]:
        """The file that is mapped from this region on.

        Raises:
            ProcessError: it is gone, or no longer the same.
        """

    @abstractmethod
    def now(self) -> float | None:
        """The machine's monotonic clock, as at this reading; None where nothing tells."""

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
        self.regions = self._mapped()
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
                data = self._pread(start, size)
            except OSError:
                continue
            yield start, np.frombuffer(data[: len(data) // 8 * 8], dtype=np.uint64)

    def _fresh(self, address: int, size: int) -> bytes:
        try:
            data = self._pread(address, size)
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


class ForeignMemory(Memory):
    """The memory of a living process.

    Raises:
        UsageError: the process has ended.
        ForbiddenError: it may not be read.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
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

    def now(self) -> float:
        """It is this machine's."""
        return time.monotonic()

    def open_image(self, first: Region) -> IO[bytes]:
        """By ``map_files`` where that is allowed, for a file that was replaced; else by the process's own root."""
        file = Path(f"/proc/{self.pid}/root{first.path.removesuffix(DELETED)}")
        for path in (Path(f"/proc/{self.pid}/map_files/{first.start:x}-{first.end:x}"), file):
            try:
                opened = path.open("rb")
            except OSError:
                continue
            if os.fstat(opened.fileno()).st_ino == first.inode:
                return opened
            opened.close()
        raise ProcessError(f"{first.path} is not the file any more that process {self.pid} has loaded")

    def _mapped(self) -> Sequence[Region]:
        return _regions(self.pid)

    def _pread(self, address: int, size: int) -> bytes:
        return os.pread(self._file, size, address)


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
