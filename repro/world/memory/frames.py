"""Stacks of another process: from a frame to the bottom.

Up to 3.10 frames are objects that point at the frame before them. From 3.11 on they are records of the interpreter;
those with which it enters itself lie on the C stack, which greenlet moves to the heap while a greenlet is parked.
"""

from __future__ import annotations

from dataclasses import dataclass

from repro.core.hang.frames import Frame
from repro.world.memory.code import Code, Codes
from repro.world.memory.objects import Objects
from repro.world.memory.source.pages import TornError

MOST_FRAMES = 3000
LARGEST_CODE = 1 << 24
ONE_PAST = 2
"""The interpreter points at the instruction that it runs, or at the one before it."""


@dataclass(frozen=True)
class SavedStack:
    """The part of a C stack that was copied away: where it belongs, and where the copy begins."""

    start: int
    end: int
    copy: int

    def place(self, address: int) -> int:
        """Where to read what belongs at this address."""
        return address - self.start + self.copy if self.start <= address < self.end else address


NOWHERE = SavedStack(0, 0, 0)


class Frames:
    """Walks stacks."""

    def __init__(self, objects: Objects, codes: Codes) -> None:
        self._memory = objects.memory
        self._layout = objects.layout
        self._codes = codes

    def of_object(self, frame: int, saved: SavedStack = NOWHERE, *, cut_link: int = 0) -> tuple[Frame, ...]:
        """The stack above which this frame object stands, the innermost call last, as a dump has it.

        ``cut_link`` goes on where greenlet has taken the first link away.

        Raises:
            TornError: it is not a stack, or it moved.
        """
        if self._layout.has_frame_objects:
            return self._objects(frame)
        return self.of_record(self._memory.word(frame + self._layout["f_frame"]), saved, cut_link=cut_link)

    def of_thread(self, frame: int) -> tuple[Frame, ...]:
        """The same for what a thread's state points at."""
        return self._objects(frame) if self._layout.has_frame_objects else self.of_record(frame)

    def of_record(self, record: int, saved: SavedStack = NOWHERE, *, cut_link: int = 0) -> tuple[Frame, ...]:
        """The same for a record of the interpreter."""
        layout, memory = self._layout, self._memory
        found: list[Frame] = []
        seen: set[int] = set()
        while record:
            _check(record, seen)
            at = saved.place(record)
            address = memory.word(at + layout["i_code"]) & ~7
            code = self._codes.at(address) if address else None
            if code is not None and not code.is_trampoline:
                instruction = memory.word(at + layout["i_instruction"]) - address - layout["co_code"]
                found.append(_frame(code, instruction))
            record, cut_link = memory.word(at + layout["i_previous"]) or cut_link, 0
        return tuple(reversed(found))

    def _objects(self, frame: int) -> tuple[Frame, ...]:
        layout, memory = self._layout, self._memory
        found: list[Frame] = []
        seen: set[int] = set()
        while frame:
            _check(frame, seen)
            code = self._codes.at(memory.word(frame + layout["f_code"]))
            if code is None:
                raise TornError(f"a frame without code at {frame:#x}")
            found.append(_frame(code, memory.integer(frame + layout["f_lasti"]) * layout["lasti_unit"]))
            frame = memory.word(frame + layout["f_back"])
        return tuple(reversed(found))


def _check(frame: int, seen: set[int]) -> None:
    if frame in seen or len(seen) >= MOST_FRAMES:
        raise TornError("frames that lead in a circle")
    seen.add(frame)


def _frame(code: Code, instruction: int) -> Frame:
    if not -ONE_PAST <= instruction < LARGEST_CODE:
        raise TornError(f"instruction {instruction} of {code.function}")
    return Frame(file=code.file, line=code.line_at(instruction), function=code.function)
