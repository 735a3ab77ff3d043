"""Who waits for nothing but each other: facts of pools in, the workers and pools that can never go on out."""

from collections.abc import Sequence

import pytest

from repro.core.hang.pools import Pool, PoolFacts, Task, TaskWait, starved

ONE, TWO = 100, 200


def facts(
    waits: Sequence[TaskWait], tasks: Sequence[Task], *, workers: Sequence[int] = (1, 2), most: int = 2, queued: int = 2
) -> PoolFacts:
    pools = {ONE: Pool(ONE, "ThreadPoolExecutor", most, frozenset(workers), queued)}
    return PoolFacts(pools, {task.id: task for task in tasks}, {wait.runner: wait for wait in waits})


QUEUED = (Task(11, queued_in=ONE), Task(12, queued_in=ONE))
BOTH_WAIT = (TaskWait(1, (11,)), TaskWait(2, (12,)))


def test_workers_that_wait_for_their_own_queue_are_starved() -> None:
    found = starved(facts(BOTH_WAIT, QUEUED))
    assert found is not None
    assert found.runners == {1, 2}
    assert [pool.id for pool in found.pools] == [ONE]


def test_who_joins_a_starved_worker_waits_with_it() -> None:
    found = starved(facts((*BOTH_WAIT, TaskWait(3, joins=(1,))), QUEUED))
    assert found is not None
    assert found.runners == {1, 2, 3}


@pytest.mark.parametrize(
    "free",
    [
        facts((TaskWait(1, (11,)),), QUEUED),  # the other worker runs something
        facts(BOTH_WAIT, QUEUED, most=3),  # a third worker may come
        facts((TaskWait(1, (11,), has_timeout=True), TaskWait(2, (12,))), QUEUED),
        facts((*BOTH_WAIT, TaskWait(3, (11,), has_timeout=True)), QUEUED),  # may cancel it
        facts(BOTH_WAIT, (Task(11, queued_in=ONE), Task(12))),  # nobody knows who ends the second
        facts(BOTH_WAIT, (Task(11, queued_in=ONE), Task(12, run_by=3))),
        facts(BOTH_WAIT, (Task(11, queued_in=ONE), Task(12, after=(13,), is_timed=True), Task(13, queued_in=ONE))),
        facts(BOTH_WAIT, (Task(11, queued_in=ONE), Task(12, queued_in=TWO))),  # whose workers were not seen
        facts((TaskWait(1), TaskWait(2)), QUEUED),
        facts((), (), queued=8),
    ],
)
def test_where_one_may_go_on_nobody_is_starved(free: PoolFacts) -> None:
    assert starved(free) is None


def test_a_task_waits_for_what_it_is_made_of() -> None:
    tasks = (Task(11, queued_in=ONE), Task(12, after=(13,)), Task(13, after=(14,)), Task(14, queued_in=ONE))
    assert starved(facts(BOTH_WAIT, tasks)) is not None


def test_a_worker_waits_for_what_another_one_runs() -> None:
    assert starved(facts(BOTH_WAIT, (Task(11, run_by=2), Task(12, queued_in=ONE)))) is not None


def test_without_pools_nobody_is_starved() -> None:
    assert starved(None) is None
