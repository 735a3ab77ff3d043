"""Loops of asyncio whose tasks wait for each other alone."""

import pytest

from repro.core.hang.coroutines import Coroutine, CoroutineLoop, waiting_task
from repro.core.hang.frames import Frame

OWN = Frame("/me/job.py", 5, "worker", "item = await q.get()")
QUEUE = Frame("/usr/lib/python3.11/asyncio/queues.py", 158, "Queue.get", "await getter")


def loop(*waits: str, outside: tuple[str, ...] = ()) -> CoroutineLoop:
    tasks = tuple(Coroutine(f"Task-{at}", (OWN, QUEUE), wait) for at, wait in enumerate(waits))
    return CoroutineLoop(tasks, outside)


@pytest.mark.parametrize(
    ("made", "is_parked"),
    [
        (loop("task", "Queue", "Lock"), True),
        (loop("task"), False),  # on what is not known
        (loop("task", "Queue", "other"), False),
        (loop("task", "Queue", ""), False),  # about to run
        (loop("Queue", outside=("timer",)), False),
        (loop(), False),
    ],
)
def test_a_loop_is_parked_only_where_a_task_alone_could_wake_each(made: CoroutineLoop, *, is_parked: bool) -> None:
    assert made.is_parked is is_parked


def test_the_task_that_is_shown_waits_for_no_other_task_and_stands_in_the_programs_code() -> None:
    library = CoroutineLoop((Coroutine("Task-9", (QUEUE,), "Queue"),), ())
    assert waiting_task([library]) is None
    assert waiting_task([library, loop("task", "Queue")]) == (OWN.place, "Queue")
    assert waiting_task([]) is None
