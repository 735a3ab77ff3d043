"""What a process has loaded, and at which address a symbol of it lies.

Read from the file by pyelftools: through ``/proc/PID/map_files`` where that is allowed (a file that was replaced on
disk is still the one that was loaded), else through the process's own root, so that a container's file is found too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from repro.errors import ProcessError
from repro.world.memory.pages import ForeignMemory, Region

DELETED = " (deleted)"


@dataclass(frozen=True)
class Image:
    """One file that process ``pid`` has mapped, from ``regions[0]`` on."""

    pid: int
    path: str
    regions: tuple[Region, ...]

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.path.removesuffix(DELETED)).name

    @property
    def is_replaced(self) -> bool:
        """Whether the file on the disk is no longer the one that was loaded."""
        return self.path.endswith(DELETED)

    @property
    def file(self) -> Path:
        """The file as this program finds it."""
        return Path(f"/proc/{self.pid}/root{self.path.removesuffix(DELETED)}")

    def address_of(self, symbol: str) -> int | None:
        """Where an exported symbol lies in the process, None when the image has none of that name."""
        found = self._symbol(symbol)
        return None if found is None else found + self._bias

    @cached_property
    def _elf(self) -> Any:
        from elftools.elf.elffile import ELFFile

        return ELFFile(self._open())

    @cached_property
    def _bias(self) -> int:
        lowest = min(segment["p_vaddr"] for segment in self._elf.iter_segments("PT_LOAD"))
        return self.regions[0].start - int(lowest) // 4096 * 4096

    def _symbol(self, name: str) -> int | None:
        """The symbol's address in the file, by its hash: to read all symbols takes a second."""
        table = self._elf.get_section_by_name(".gnu.hash")
        if table is not None:
            found = table.get_symbol(name)
            return found["st_value"] if found else None
        symbols = self._elf.get_section_by_name(".dynsym")
        every = symbols.get_symbol_by_name(name) if symbols is not None else None
        return every[0]["st_value"] if every else None

    def _open(self) -> IO[bytes]:
        first = self.regions[0]
        for path in (Path(f"/proc/{self.pid}/map_files/{first.start:x}-{first.end:x}"), self.file):
            try:
                file = path.open("rb")
            except OSError:
                continue
            if os.fstat(file.fileno()).st_ino == first.inode:
                return file
            file.close()
        raise ProcessError(f"{self.path} is not the file any more that process {self.pid} has loaded")


def images(memory: ForeignMemory, is_wanted: Callable[[str], bool]) -> list[Image]:
    """The files that a process runs code of, whose path is wanted; in the order of their addresses."""
    paths = dict.fromkeys(
        region.path for region in memory.regions if "x" in region.permissions and region.path.startswith("/")
    )
    return [
        Image(memory.pid, path, tuple(region for region in memory.regions if region.path == path))
        for path in paths
        if is_wanted(Path(path.removesuffix(DELETED)).name)
    ]
