"""asyncio's tasks that wait for each other alone: a deadlock where nothing outside could wake one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repro.core.hang.frames import Frame, own_frame
from repro.findings import Place

TASK = "task"
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Coroutine:
    """One task: its stack, the innermost frame last, and what it waits for.

    ``waits_for`` is ``task`` for another one, the type of one of asyncio's locks or queues, ``other`` where it is not
    known who ends it, and empty where it is about to run.
    """

    name: str
    stack: tuple[Frame, ...]
    waits_for: str

    @property
    def is_parked(self) -> bool:
        """Whether only another task can wake it."""
        return self.waits_for not in {"", OTHER}


@dataclass(frozen=True, slots=True)
class CoroutineLoop:
    """A running loop of asyncio; ``outside`` names what may wake its tasks: due work, a timer, a socket, a signal."""

    tasks: tuple[Coroutine, ...]
    outside: tuple[str, ...]

    @property
    def is_parked(self) -> bool:
        """Whether all of its tasks wait for others, and nothing outside could wake one."""
        waits = [task.waits_for for task in self.tasks]
        return any(wait != TASK for wait in waits) and all(task.is_parked for task in self.tasks) and not self.outside


def read_loops(data: Sequence[Mapping[str, Any]], stacks: Sequence[tuple[Frame, ...]]) -> tuple[CoroutineLoop, ...]:
    """The loops as the agent wrote them."""
    return tuple(
        CoroutineLoop(
            tasks=tuple(Coroutine(one["name"], stacks[one["stack"]], one["waits_for"]) for one in row["tasks"]),
            outside=tuple(row["outside"]),
        )
        for row in data
    )


def waiting_task(loops: Sequence[CoroutineLoop]) -> tuple[Place, str] | None:
    """Where a task of the program's own waits, and for what: rather one that waits for no other task."""
    found = [
        (task.waits_for == TASK, frame.place, task.waits_for)
        for loop in loops
        for task in loop.tasks
        if task.waits_for and (frame := own_frame(task.stack)) is not None
    ]
    first = min(found, key=lambda one: one[0], default=None)
    return (first[1], first[2]) if first else None
