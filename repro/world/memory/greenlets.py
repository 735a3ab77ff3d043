"""The greenlets of another process: found in its heap, and described with the stacks on which they are parked.

From greenlet 2 on each greenlet has a part of its own, an object of C++ that begins with the address of a table in the
extension: every word of the heap that holds one of those addresses may begin such a part, and does where it points back
at an object that points at it and is a greenlet by its type. With greenlet 1 the types are found first: all that derive
from greenlet's, then every object of them. Either way one look at all writable memory; the collector's lists are not
used, for they are torn while a program runs, and useless in the middle of a collection.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from zlib import crc32

import numpy as np

from repro.core.hang.frames import Frame
from repro.world.memory.frames import Frames, SavedStack
from repro.world.memory.objects import Objects
from repro.world.memory.source.pages import Memory, TornError, Words

NO_STOP = (1 << 64) - 1
"""Where the C stack of a main greenlet ends: nowhere."""
MOST_REFERENCES = 1 << 40
MOST_MARKED_BYTES = 4096
ATTEMPTS = 4


class State(StrEnum):
    """What a greenlet does."""

    NEVER_STARTED = "never started"
    FINISHED = "finished"
    RUNNING = "running"
    PARKED = "parked"
    MOVING = "moving"
    """It would not stand still long enough to be read."""


@dataclass(frozen=True)
class ForeignGreenlet:
    """One greenlet: address, type's name, what it does, parent's address; ``stop`` tells on which C stack it ran.

    ``mark`` sums up where it is parked, and the part of its C stack that was copied away: full of addresses of what is
    made anew at each wait.
    """

    id: int
    type: str
    state: State
    parent: int
    is_main: bool
    stop: int
    stack: tuple[Frame, ...] = ()
    mark: int = 0


@dataclass(frozen=True)
class Search:
    """What was found, and how many bytes of writable memory were not looked at for want of time."""

    addresses: tuple[int, ...]
    left_out_bytes: int


class Greenlets:
    """Finds and describes them; ``kind`` is the address of greenlet's own type."""

    def __init__(self, objects: Objects, frames: Frames, kind: int) -> None:
        self._objects = objects
        self._memory = objects.memory
        self._layout = objects.layout
        self._frames = frames
        self._kind = kind
        self._are_greenlets: dict[int, bool] = {}

    def find(self, *, limit_s: float) -> Search:
        """All greenlets that live, those included that were never started, and those that have finished."""
        deadline = time.monotonic() + limit_s
        if self._layout.has_parts:
            tables = [self._kind + distance for distance in self._layout.fields["vtables"]]
            places, left_out = scan(self._memory, tables, deadline=deadline)
            found = {one for place in places if (one := self._of_part(place)) is not None}
            return Search(tuple(sorted(found)), left_out)
        return self._by_type(deadline)

    def describe(self, address: int) -> ForeignGreenlet:
        """One of them; read again when it moved meanwhile."""
        for _ in range(ATTEMPTS):
            before = self._position(address)
            try:
                found = self._describe(address)
            except TornError:
                self._memory.forget()
                continue
            if self._position(address) == before:
                return found
            self._memory.forget()
        return ForeignGreenlet(address, self._type_name(address), State.MOVING, 0, is_main=False, stop=0)

    # Finding

    def _of_part(self, part: int) -> int | None:
        """The greenlet whose part this is; None where it only looks like one, as in a C stack that was copied away."""
        for offset in self._layout.fields["g_self"]:
            try:
                address = self._memory.word(part + offset)
                if self._memory.word(address + self._layout["g_part"]) == part and self._is_living(address):
                    return address
            except TornError:
                continue
        return None

    def _is_living(self, address: int) -> bool:
        """Whether a greenlet lies there: counted, and of a type that derives from greenlet's."""
        if address % 16:
            return False
        references = self._memory.word(address)
        kind = self._objects.type_of(address)
        return 0 < references < MOST_REFERENCES and self._is_greenlets(kind)

    def _is_greenlets(self, kind: int) -> bool:
        if kind not in self._are_greenlets:
            try:
                self._are_greenlets[kind] = self._objects.has_base(kind, self._kind)
            except TornError:
                self._are_greenlets[kind] = False
        return self._are_greenlets[kind]

    def _by_type(self, deadline: float) -> Search:
        kinds, fresh, left_out = {self._kind}, [self._kind], 0
        hits: list[int] = []
        while fresh:
            places, left_out = scan(self._memory, fresh, deadline=deadline)
            hits += places
            fresh = sorted({kind for place in places if (kind := self._of_base(place)) is not None} - kinds)
            kinds |= set(fresh)
        objects = {place - self._layout["ob_type"] for place in hits}
        return Search(tuple(sorted(one for one in objects if self._is_whole(one))), left_out)

    def _of_base(self, place: int) -> int | None:
        """The type whose base stands in this word; None where none does."""
        kind = place - self._layout["tp_base"]
        try:
            of_kinds = self._objects.type_of(kind)
            is_type = self._objects.has_base(of_kinds, self._objects.types["type"])
            return kind if is_type and self._objects.type_name(kind) else None
        except TornError:
            return None

    def _is_whole(self, address: int) -> bool:
        """Whether a greenlet of release 1, at which nothing points back, lies there: parent and C stack make sense."""
        try:
            if not self._is_living(address):
                return False
            start, stop, _, saved = self._stack_of(address)
            parent = self._memory.word(address + self._layout["g_parent"])
            is_stacked = stop in {0, NO_STOP} or start == 0 or start < stop < 1 << 47
            return is_stacked and saved < 1 << 32 and (parent == 0 or self._is_living(parent))
        except TornError:
            return False

    # Describing

    def _part(self, address: int) -> int:
        return self._memory.word(address + self._layout["g_part"]) if self._layout.has_parts else address

    def _stack_of(self, part: int) -> tuple[int, int, int, int]:
        """Where a greenlet's C stack begins and ends, where the copy lies, and how much was copied."""
        at = part + self._layout["g_stack"]
        start, stop, copy, saved = (self._memory.word(at + 8 * index) for index in range(4))
        return start, stop, copy, saved

    def _position(self, address: int) -> tuple[int, int]:
        """What changes when a greenlet is switched to, as it is at this moment: its frame and its C stack."""
        try:
            part = self._memory.fresh_word(address + self._layout["g_part"]) if self._layout.has_parts else address
            if not part:
                return 0, 0
            frame = self._memory.fresh_word(part + self._layout["g_frame"])
            return frame, self._memory.fresh_word(part + self._layout["g_stack"])
        except TornError:
            return -1, -1

    def _type_name(self, address: int) -> str:
        try:
            return self._objects.type_name(self._objects.type_of(address))
        except TornError:
            return "greenlet"

    def _describe(self, address: int) -> ForeignGreenlet:
        part = self._part(address)
        if not part:
            return ForeignGreenlet(address, self._type_name(address), State.NEVER_STARTED, 0, is_main=False, stop=0)
        start, stop, copy, saved = self._stack_of(part)
        frame = self._memory.word(part + self._layout["g_frame"])
        state = _state(start, stop, frame)
        stack: tuple[Frame, ...] = ()
        mark = 0
        if state is State.PARKED:
            copied = self._memory.read(copy, min(saved, MOST_MARKED_BYTES)) if copy else b""
            mark = crc32(copied, hash((frame, start, copy, saved)) & 0xFFFFFFFF)
            link = self._memory.word(part + self._layout["g_cut_link"]) if self._layout.has("g_cut_link") else 0
            stack = self._frames.of_object(frame, SavedStack(start, start + saved, copy), cut_link=link)
        is_main = stop == NO_STOP
        parent = 0 if is_main else self._memory.word(part + self._layout["g_parent"])
        return ForeignGreenlet(address, self._type_name(address), state, parent, is_main, stop, stack, mark)


def _state(start: int, stop: int, frame: int) -> State:
    if not stop:
        return State.NEVER_STARTED
    if not start:
        return State.FINISHED
    return State.PARKED if frame else State.RUNNING


def scan(memory: Memory, values: Sequence[int], *, deadline: float) -> tuple[list[int], int]:
    """Every address in writable memory whose word is one of these, and the bytes left out past ``deadline``."""
    wanted = np.array(sorted(values), dtype=np.uint64)
    found: list[int] = []
    left_out = 0
    # The smallest first: a huge region, which may be a cache of data, is what is left out when time runs short.
    for region in sorted((one for one in memory.regions if one.is_writable), key=lambda one: one.end - one.start):
        if time.monotonic() > deadline or not values:
            left_out += region.end - region.start
            continue
        for start, words in memory.words_of(region):
            found += [start + 8 * int(index) for index in _places(words, wanted)]
    return found, left_out


def _places(words: Words, wanted: Words) -> Words:
    """At which indices a wanted word stands; most words are ruled out by lying below or above all of them."""
    near = np.flatnonzero((words >= wanted[0]) & (words <= wanted[-1]))
    return near[np.isin(words[near], wanted)].astype(np.uint64)
