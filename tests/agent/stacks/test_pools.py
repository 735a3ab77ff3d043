"""Pools whose tasks wait for tasks of their own: real programs that can never go on, and those that look like it."""

import sys
from pathlib import Path

import pytest

from repro.core.hang.dump import read_dump
from repro.core.hang.pools import Starved, starved
from repro.world.processes import door

CHILD = Path(__file__).parents[1] / "children" / "pools.py"
AGENT = Path(__file__).parents[3] / "repro" / "agent"


def found(program: str, folder: Path, interpreter: Path | str = sys.executable) -> Starved | None:
    file = folder / "dump.json"
    done = door.run([interpreter, CHILD, AGENT, file, program], env={}, cwd=folder, limit_s=60)
    assert done.returncode == 0, done.stderr
    dump = read_dump(file.read_text())
    assert not [note for note in dump.notes if note.startswith("pools")]
    return starved(dump.pools)


@pytest.mark.parametrize(
    ("program", "workers", "queued"),
    [
        ("executor", 4, 8),
        ("beside_a_heartbeat", 4, 8),
        ("patched_beside_a_heartbeat", 4, 8),
        ("waits_for_all", 3, 9),
        ("as_they_complete", 2, 4),
        ("thread_pool", 3, 6),
        ("thread_pool_in_order", 2, None),
        ("coroutines", 3, 6),
    ],
)
def test_a_pool_full_of_tasks_that_wait_for_its_queue_never_goes_on(
    program: str, workers: int, queued: int | None, tmp_path: Path
) -> None:
    stuck = found(program, tmp_path)
    assert stuck is not None
    (pool,) = stuck.pools
    assert len(pool.workers) == workers
    assert queued is None or pool.queued == queued


def test_two_pools_that_wait_for_each_other_never_go_on(tmp_path: Path) -> None:
    stuck = found("two_pools", tmp_path)
    assert stuck is not None
    assert [pool.queued for pool in stuck.pools] == [
        4
    ]  # two of the outer tasks, and two that the other pool runs wait for


@pytest.mark.parametrize(
    "program",
    [
        "long_tasks",
        "waits_for_another_pool",
        "one_worker_is_busy",
        "gives_up",
        "somebody_may_cancel",
        "thread_pool_gives_up",
        "coroutines_give_up",
        "idle",
    ],
)
def test_a_pool_that_may_go_on_is_not_taken_for_one_that_cannot(program: str, tmp_path: Path) -> None:
    assert found(program, tmp_path) is None
