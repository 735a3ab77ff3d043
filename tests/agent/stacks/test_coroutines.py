"""Tasks of asyncio that wait for each other alone: real programs that can never go on, and those that look like it."""

import sys
from pathlib import Path

import pytest

from repro.core.hang.coroutines import CoroutineLoop, waiting_task
from repro.core.hang.dump import read_dump
from repro.world.processes import door

CHILD = Path(__file__).parents[1] / "children" / "coroutines.py"
AGENT = Path(__file__).parents[3] / "repro" / "agent"


def loop_of(program: str, folder: Path) -> CoroutineLoop:
    file = folder / "dump.json"
    done = door.run([sys.executable, CHILD, AGENT, file, program], env={}, cwd=folder, limit_s=60)
    assert done.returncode == 0, done.stderr
    dump = read_dump(file.read_text())
    assert not [note for note in dump.notes if note.startswith("coroutines")]
    (loop,) = dump.loops
    return loop


@pytest.mark.parametrize(
    ("program", "function", "primitive"),
    [
        ("too_few_sentinels", "worker", "Queue"),
        ("locks_in_opposite_order", "take", "Lock"),
        ("lost_permit", "call", "Semaphore"),
    ],
)
def test_tasks_that_only_wait_for_each_other_are_parked_and_the_line_is_known(
    program: str, function: str, primitive: str, tmp_path: Path
) -> None:
    loop = loop_of(program, tmp_path)
    assert loop.outside == ()
    assert loop.is_parked
    found = waiting_task([loop])
    assert found is not None
    place, waits_for = found
    assert place.function.endswith(function)
    assert waits_for == primitive


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio has task groups from Python 3.11 on")
def test_a_group_of_parked_tasks_is_parked(tmp_path: Path) -> None:
    assert loop_of("group_of_tasks", tmp_path).is_parked


@pytest.mark.parametrize(
    ("program", "outside"),
    [
        ("sleeps", ("timer",)),
        ("gives_up", ("timer",)),
        ("listens", ("socket",)),
        ("reads", ("socket",)),
        ("waits_for_a_signal", ("signal",)),
        ("waits_for_a_thread", ()),
        ("waits_for_tasks_and_a_thread", ()),
        ("waits_for_a_bare_future", ()),
    ],
)
def test_where_something_else_may_wake_one_nobody_is_parked(
    program: str, outside: tuple[str, ...], tmp_path: Path
) -> None:
    loop = loop_of(program, tmp_path)
    assert loop.outside == outside
    assert not loop.is_parked
