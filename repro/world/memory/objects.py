"""Single objects of another process: their type, and texts and bytes by value."""

from __future__ import annotations

from repro.world.memory.layout import Layout
from repro.world.memory.source.pages import UINT, Memory, TornError

CODECS = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}
MOST_TEXT = 4096
MOST_BASES = 40


class Objects:
    """Reads objects; ``runtime`` is where ``_PyRuntime`` lies: types of the interpreter lie around it."""

    def __init__(self, memory: Memory, layout: Layout, runtime: int) -> None:
        self.memory = memory
        self.layout = layout
        self.types = {name: runtime + distance for name, distance in layout.types.items()}
        self._names: dict[int, str] = {}

    def type_of(self, address: int) -> int:
        """The address of an object's type."""
        return self.memory.word(address + self.layout["ob_type"])

    def type_name(self, kind: int) -> str:
        """A type's name, with its module where it is not one of Python code."""
        if kind not in self._names:
            self._names[kind] = self.memory.text(self.memory.word(kind + self.layout["tp_name"]))
        return self._names[kind]

    def has_base(self, kind: int, base: int) -> bool:
        """Whether a type is another, or derives from it by its first bases."""
        for _ in range(MOST_BASES):
            if kind == base:
                return True
            if kind == 0 or kind % 8 or self.memory.region(kind) is None:
                return False
            kind = self.memory.word(kind + self.layout["tp_base"])
        return False

    def text(self, address: int) -> str:
        """The value of a ``str``.

        Raises:
            TornError: there is none.
        """
        if self.type_of(address) != self.types["str"]:
            raise TornError(f"no str at {address:#x}")
        length = self.memory.word(address + self.layout["str_length"])
        state = UINT(self.memory.read(address + self.layout["str_kind"], 4))[0] & self.layout["str_mask"]
        if length > MOST_TEXT or state not in self.layout.str_kinds:
            raise TornError(f"a str at {address:#x} of length {length}")
        width, start = self.layout.str_kinds[state]
        return self.memory.read(address + start, length * width).decode(CODECS[width], "replace")

    def data(self, address: int) -> bytes:
        """The value of a ``bytes``.

        Raises:
            TornError: there is none.
        """
        if self.type_of(address) != self.types["bytes"]:
            raise TornError(f"no bytes at {address:#x}")
        return self.memory.read(address + self.layout["bytes_data"], self.memory.word(address + self.layout["size"]))

    def items(self, address: int, *, most: int) -> tuple[int, ...]:
        """The addresses of a list's items, at most so many.

        Raises:
            TornError: it is not a list.
        """
        if self.type_of(address) != self.types["list"]:
            raise TornError(f"no list at {address:#x}")
        count = min(self.memory.word(address + self.layout["size"]), most)
        first = self.memory.word(address + self.layout["list_items"])
        return tuple(self.memory.word(first + 8 * index) for index in range(count))
