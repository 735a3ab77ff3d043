"""What is neither a frame nor output, and still tells one known cause from another."""

from __future__ import annotations

from repro.core.causes.known_causes import Fact
from repro.core.hang.dump import Dump, Greenlet
from repro.core.hang.findings import Circumstances, are_untold, bound_of
from repro.core.hang.groups import catching, left_waiting, native_threads
from repro.core.judge.judge import Decision
from repro.findings import Ending, RowName, WaitKind
from repro.model import HangClass

RUNS_TASK = "gevent/threadpool.py:__run_task"
RESOLVER = "gevent/resolver/thread.py:"


def facts_of(decision: Decision, around: Circumstances) -> frozenset[Fact]:
    """The facts that hold of a hang."""
    is_there = {
        Fact.EXIT_CAUGHT: catching(around.views) is not None,
        Fact.EXIT_REPLACED: around.lost_exits > 0,
        Fact.LEFT_WAITING: _who_is_left(decision, around) is not None,
        Fact.NOT_TOLD: are_untold(decision),
        Fact.NATIVE_THREAD: any(native_threads(view.dump) for view in around.views),
        Fact.ALL_ENDED: decision.row.name is RowName.PROCESS_OUTLIVES_THE_STOP,
        Fact.UNSERVED: decision.row.name is RowName.SILENT_UNSERVED,
        Fact.ALL_ANSWERED: decision.row.name is RowName.NO_ANSWER and around.backend.open_requests == 0,
        Fact.POOL_TAKEN: any(_is_pool_taken(view.dump) for view in around.views),
        Fact.NO_TIMEOUT: bound_of(decision).ending is Ending.OPERATION_HAS_NO_TIMEOUT,
    }
    return frozenset(fact for fact, is_seen in is_there.items() if is_seen)


def frames_of_who_is_left(decision: Decision, around: Circumstances) -> tuple[str, ...]:
    """The normalised frames of the greenlet that still waits for others where all users have ended."""
    left = _who_is_left(decision, around)
    return tuple(frame.normalised for frame in left.stack) if left is not None else ()


def does_main_stand(decision: Decision) -> bool:
    """Whether it tells of the hang where the main thread is: not where its loop turns, and users wait meanwhile.

    On a busy machine the main thread is in the middle of something whenever one looks.
    """
    facts = decision.facts
    is_waiting = decision.row.hang_class in {HangClass.DEADLOCKED, HangClass.UNANSWERED} and facts.standing is None
    return not (is_waiting and facts.loop_turns and not facts.loop_silent)


def _is_pool_taken(dump: Dump) -> bool:
    """Whether more workers of gevent's thread pools are at work than there are names that somebody waits for.

    Where the name server is silent the pool is full as well, of names alone.
    """
    working = sum(1 for thread in dump.threads if any(frame.normalised == RUNS_TASK for frame in thread.stack))
    names = (one for one in dump.greenlets if one.wait is not None and one.wait.kind is WaitKind.THREAD)
    resolving = sum(1 for one in names if any(frame.normalised.startswith(RESOLVER) for frame in one.stack))
    return working > resolving


def _who_is_left(decision: Decision, around: Circumstances) -> Greenlet | None:
    return None if decision.facts.users else left_waiting(around.views)
