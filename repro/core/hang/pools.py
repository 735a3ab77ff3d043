"""Pools whose workers wait for tasks that only they themselves could run: a deadlock that stacks and queues prove.

What a worker waits for ends only where it can be run: a task that another one runs, or one in the queue of a pool,
which any of its workers takes once it is free. Those that wait, without a limit, for nothing but each other never go
on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool: its workers (keys of threads or greenlets), how many it may have (0: no more than it has), its queue."""

    id: int
    type: str
    most: int
    workers: frozenset[int]
    queued: int

    @property
    def is_full(self) -> bool:
        """Whether it has all the workers that it may have, and tasks wait for one."""
        return self.queued > 0 and len(self.workers) >= self.most


@dataclass(frozen=True, slots=True)
class Task:
    """A task that somebody waits for: in which pool's queue it lies, who runs it, or what must end before it.

    ``is_timed``: a timer may end it, whatever it waits for.
    """

    id: int
    queued_in: int = 0
    run_by: int = 0
    after: tuple[int, ...] = ()
    is_timed: bool = False


@dataclass(frozen=True, slots=True)
class TaskWait:
    """Who waits for which tasks and for the end of which other threads; ``has_timeout`` where it gives up one day."""

    runner: int
    tasks: tuple[int, ...] = ()
    joins: tuple[int, ...] = ()
    has_timeout: bool = False


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """What one look has shown of a process's pools."""

    pools: Mapping[int, Pool]
    tasks: Mapping[int, Task]
    waits: Mapping[int, TaskWait]


@dataclass(frozen=True, slots=True)
class Starved:
    """Those that wait for each other alone: the ``runners``, and those of the pools all of whose workers they are."""

    runners: frozenset[int]
    pools: tuple[Pool, ...]


def read_pools(data: Mapping[str, Any] | None) -> PoolFacts | None:
    """The facts as the agent wrote them; None where it found no pool."""
    if data is None:
        return None
    pools = {
        row["id"]: Pool(row["id"], row["type"], row["most"], frozenset(row["workers"]), row["queued"])
        for row in data["pools"]
    }
    tasks = {
        row["id"]: Task(row["id"], row["queued_in"], row["run_by"], tuple(row["after"]), is_timed=row["is_timed"])
        for row in data["tasks"]
    }
    waits = {
        row["runner"]: TaskWait(row["runner"], tuple(row["tasks"]), tuple(row["joins"]), has_timeout=row["has_timeout"])
        for row in data["waits"]
    }
    return PoolFacts(pools, tasks, waits)


def starved(facts: PoolFacts | None) -> Starved | None:
    """Who waits for nothing but each other; None where there is nobody, or somebody else may give up and cancel.

    Everybody who waits without a limit is taken to be stuck first. Then whoever may still go on is taken out, and who
    waits for that one in turn, until nobody is left to take out.
    """
    if facts is None:
        return None
    runners = {wait.runner for wait in facts.waits.values() if not wait.has_timeout}
    tasks = set(facts.tasks)
    while True:
        free_tasks = {key for key in tasks if not _is_task_stuck(facts, key, runners, tasks)}
        free_runners = {key for key in runners if not _is_runner_stuck(facts.waits[key], runners, tasks)}
        if not free_tasks and not free_runners:
            break
        tasks -= free_tasks
        runners -= free_runners
    full = tuple(pool for pool in full_pools(facts) if pool.workers <= runners)
    if not full or _may_give_up(facts, tasks):
        return None
    return Starved(frozenset(runners), full)


def full_pools(facts: PoolFacts | None) -> tuple[Pool, ...]:
    """The pools that have all their workers already, and in whose queue tasks lie."""
    return tuple(pool for pool in facts.pools.values() if pool.is_full) if facts is not None else ()


def _is_task_stuck(facts: PoolFacts, key: int, runners: set[int], tasks: set[int]) -> bool:
    task = facts.tasks[key]
    if task.is_timed:
        return False
    if task.queued_in:
        pool = facts.pools.get(task.queued_in)
        return pool is not None and len(pool.workers) >= pool.most and pool.workers <= runners
    if task.run_by:
        return task.run_by in runners
    return bool(task.after) and tasks.issuperset(task.after)


def _is_runner_stuck(wait: TaskWait, runners: set[int], tasks: set[int]) -> bool:
    waits_for_somebody = bool(wait.tasks or wait.joins)
    return waits_for_somebody and tasks.issuperset(wait.tasks) and runners.issuperset(wait.joins)


def _may_give_up(facts: PoolFacts, stuck: set[int]) -> bool:
    """Whether somebody waits for one of these tasks with a limit: it may cancel them once that is over."""
    return any(wait.has_timeout and not stuck.isdisjoint(wait.tasks) for wait in facts.waits.values())
