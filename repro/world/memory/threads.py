"""The threads of another process that run Python code, and what each runs at this moment."""

from __future__ import annotations

from dataclasses import dataclass

from repro.core.hang.frames import Frame
from repro.world.memory.frames import Frames
from repro.world.memory.objects import Objects
from repro.world.memory.source.pages import INT, TornError

MOST_THREADS = 10_000


@dataclass(frozen=True)
class ForeignThread:
    """One thread: how Python knows it, its id for the system (0 where that is not known), its stack.

    ``holds_gil`` is None where the layout of the GIL is not known.
    """

    ident: int
    native_id: int
    stack: tuple[Frame, ...]
    holds_gil: bool | None = None


class Threads:
    """Reads them; ``runtime`` is where ``_PyRuntime`` lies."""

    def __init__(self, objects: Objects, frames: Frames, runtime: int) -> None:
        self._memory = objects.memory
        self._layout = objects.layout
        self._frames = frames
        self._runtime = runtime

    def read(self) -> tuple[ForeignThread, ...]:
        """All threads, the youngest first.

        Raises:
            TornError: the list of threads changed while it was read.
        """
        memory, layout = self._memory, self._layout
        interpreter = memory.word(self._runtime + layout["runtime_interpreter"])
        state = memory.word(interpreter + layout["interpreter_threads"])
        found: list[ForeignThread] = []
        owner = self._gil_owner()
        while state and len(found) < MOST_THREADS:
            ident = memory.word(state + layout["t_ident"])
            holds_gil = None if owner is None else state == owner
            found.append(ForeignThread(ident, self._native_id(ident), self._stack(state), holds_gil))
            state = memory.word(state + layout["t_next"])
        return tuple(found)

    def _gil_owner(self) -> int | None:
        """The state of the thread that holds the GIL, 0 where nobody does, None where its layout is not known."""
        offset = self._layout["gil_holder"] if self._layout.has("gil_holder") else -1
        if offset < 0:
            return None
        place = self._runtime + offset
        return self._memory.word(place) if self._memory.integer(place + 8) == 1 else 0

    def _native_id(self, ident: int) -> int:
        offset = self._layout["ident_native"]
        try:
            return int(INT(self._memory.read(ident + offset, 4))[0]) if offset >= 0 else 0
        except TornError:
            return 0

    def _stack(self, state: int) -> tuple[Frame, ...]:
        first, second = self._layout.fields["t_frame"]
        frame = self._memory.word(state + first)
        if second >= 0 and frame:
            frame = self._memory.word(frame + second)
        try:
            return self._frames.of_thread(frame) if frame else ()
        except TornError:
            return ()  # it runs on
