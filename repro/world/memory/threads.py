"""The threads of another process that run Python code, and what each runs at this moment."""

from __future__ import annotations

from dataclasses import dataclass

from repro.core.hang.frames import Frame
from repro.world.memory.frames import Frames
from repro.world.memory.objects import Objects
from repro.world.memory.pages import INT, TornError

MOST_THREADS = 10_000


@dataclass(frozen=True)
class ForeignThread:
    """One thread: how Python knows it, its id for the system (0 where that is not known), its stack."""

    ident: int
    native_id: int
    stack: tuple[Frame, ...]


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
        while state and len(found) < MOST_THREADS:
            ident = memory.word(state + layout["t_ident"])
            found.append(ForeignThread(ident, self._native_id(ident), self._stack(state)))
            state = memory.word(state + layout["t_next"])
        return tuple(found)

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
