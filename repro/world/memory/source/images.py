"""What a process has loaded, and at which address a symbol of it lies.

Read from the file by pyelftools: the memory knows where the file lies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from repro.world.memory.source.pages import DELETED, Memory, Region


@dataclass(frozen=True)
class Image:
    """One file that is mapped into a memory, from ``regions[0]`` on."""

    memory: Memory
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

    def address_of(self, symbol: str) -> int | None:
        """Where an exported symbol lies in the process, None when the image has none of that name, or is only data."""
        from elftools.common.exceptions import ELFError

        try:
            found = self._symbol(symbol)
        except ELFError:
            return None
        return None if found is None else found + self._bias

    @cached_property
    def _elf(self) -> Any:
        from elftools.elf.elffile import ELFFile

        return ELFFile(self.memory.open_image(self.regions[0]))

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


def images(memory: Memory, is_wanted: Callable[[str], bool]) -> list[Image]:
    """The files that a process runs code of, whose path is wanted; in the order of their addresses."""
    paths = dict.fromkeys(
        region.path for region in memory.regions if "x" in region.permissions and region.path.startswith("/")
    )
    return [
        Image(memory, path, tuple(region for region in memory.regions if region.path == path))
        for path in paths
        if is_wanted(Path(path.removesuffix(DELETED)).name)
    ]
