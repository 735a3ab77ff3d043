"""Code objects of another process: file, function, and the line of an instruction.

The three formats of line tables are those of CPython's ``Objects/lnotab_notes.txt`` (up to 3.9, and 3.10) and
``Objects/locations.md`` (from 3.11 on). Only line numbers are read; columns are skipped.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from repro.world.memory.objects import Objects
from repro.world.memory.source.pages import TornError

Span = tuple[int, int | None]
"""From which instruction on (in bytes), and the line; None for instructions of no line."""
TRAMPOLINE = "<interpreter trampoline>"
"""How the interpreter calls the code with which it enters itself."""


@dataclass(frozen=True)
class Code:
    """One code object."""

    file: str
    function: str
    first_line: int
    spans: tuple[Span, ...]

    @property
    def is_trampoline(self) -> bool:
        """Whether it is none of the program's."""
        return self.function == TRAMPOLINE

    def line_at(self, instruction: int) -> int:
        """The line of the instruction at this offset in bytes."""
        if instruction < 0:
            return self.first_line
        index = bisect_right(self.spans, instruction, key=lambda span: span[0]) - 1
        line = self.spans[index][1] if index >= 0 else None
        return self.first_line if line is None else line


class Codes:
    """Reads code objects, each once."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[int, Code | None] = {}

    def at(self, address: int) -> Code | None:
        """The code object of this address, None when something else lies there, as below an entry frame."""
        if address not in self._known:
            is_code = self._objects.type_of(address) == self._objects.types["code"]
            self._known[address] = self._read(address) if is_code else None
        return self._known[address]

    def forget(self) -> None:
        """Begin anew: what was read may have been torn."""
        self._known.clear()

    def _read(self, address: int) -> Code:
        objects, layout = self._objects, self._objects.layout
        memory = objects.memory
        first = memory.integer(address + layout["co_firstlineno"])
        table = objects.data(memory.word(address + layout["co_table"]))
        try:
            spans = tuple(SPANS[str(layout.fields["table"])](table, first))
        except IndexError:
            raise TornError(f"a line table at {address:#x} that ends too early") from None
        return Code(
            file=objects.text(memory.word(address + layout["co_filename"])),
            function=objects.text(memory.word(address + layout["co_name"])),
            first_line=first,
            spans=spans,
        )


def _lnotab(table: bytes, line: int) -> Iterator[Span]:
    """Up to 3.9: pairs of bytes to go on, and lines, with a sign, to go on."""
    at = 0
    yield at, line
    for index in range(0, len(table) - 1, 2):
        at += table[index]
        line += _signed(table[index + 1])
        yield at, line


def _lines(table: bytes, line: int) -> Iterator[Span]:
    """3.10: pairs of a span's bytes, and lines to go on before it; -128 for a span of no line."""
    at = 0
    for index in range(0, len(table) - 1, 2):
        change = _signed(table[index + 1])
        line += 0 if change == -128 else change
        yield at, None if change == -128 else line
        at += table[index]


def _locations(table: bytes, line: int) -> Iterator[Span]:
    """From 3.11 on: entries of a first byte with kind and length, and numbers of six bits a byte."""
    index, at = 0, 0
    while index < len(table):
        head = table[index]
        kind, units = head >> 3 & 15, (head & 7) + 1
        index += 1
        if kind == 15:  # no location
            yield at, None
        else:
            if kind in {13, 14}:  # no columns; or lines and columns at length: both begin with the change of line
                change, index = _number(table, index)
                line += -(change >> 1) if change & 1 else change >> 1
                for _ in range(3 if kind == 14 else 0):
                    _, index = _number(table, index)
            elif kind in {10, 11, 12}:  # a change of 0 to 2 lines, and two bytes of columns
                line += kind - 10
                index += 2
            else:  # the same line, and one byte of columns
                index += 1
            yield at, line
        at += 2 * units


def _number(table: bytes, index: int) -> tuple[int, int]:
    """A number of six bits a byte, the lowest first, and the index behind it."""
    value = shift = 0
    while True:
        byte = table[index]
        index += 1
        value |= (byte & 63) << shift
        if not byte & 64:
            return value, index
        shift += 6


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


SPANS: Mapping[str, Callable[[bytes, int], Iterator[Span]]] = {
    "lnotab": _lnotab,
    "lines": _lines,
    "locations": _locations,
}
