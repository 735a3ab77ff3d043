"""In what an idle program is found: only what nobody can end is a hang, and the rest is not known."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from repro.core.diagnosis.standstill import KernelThread, KernelWait, standing_of
from repro.core.hang.coroutines import Coroutine, CoroutineLoop
from repro.core.hang.dump import Dump, Greenlet, Lock, ParkedAt, Thread
from repro.core.hang.frames import Frame
from repro.core.hang.pools import Pool, PoolFacts, Task, TaskWait
from repro.core.judge.samples import Standing
from repro.findings import HeldBy, WaitKind

OWN = Frame("/me/job.py", 3, "work", "lock.acquire()")
FORK = Frame("/usr/lib/python3.11/subprocess.py", 9, "_fork_exec", "pid = fork()")
EVENT = Frame("/usr/lib/python3.11/threading.py", 5, "Condition.wait", "waiter.acquire()")
JOIN = Frame("/usr/lib/python3.11/threading.py", 7, "Thread._wait_for_tstate_lock")
HUB = Frame("/e/lib/python3.11/site-packages/gevent/hub.py", 7, "Hub.run")
LIBRARY = Frame("/e/lib/python3.11/site-packages/locust/stats.py", 7, "stats_printer")
NATIVE = ParkedAt(WaitKind.LOCK, lock=7, is_native=True)


def thread(*stack: Frame, is_main: bool = True, wait: ParkedAt | None = None) -> Thread:
    return Thread(1 if is_main else 2, "", is_main, False, 0, tuple(stack), wait)


def kernel(main: KernelWait, *others: KernelWait) -> list[KernelThread]:
    return [KernelThread(10 + at, at == 0, wait) for at, wait in enumerate((main, *others))]


def dump(*threads: Thread, waits: Sequence[ParkedAt] = (), locks: Sequence[Lock] = (), frame: Frame = OWN) -> Dump:
    greenlets = [
        Greenlet(100 + at, "Greenlet", "", "parked", None, False, (frame,), wait) for at, wait in enumerate(waits)
    ]
    found = {lock.id: lock for lock in locks}
    return Dump(1, "thread", 0.0, "3.11", "24.2.1", "3", (), tuple(greenlets), tuple(threads), found)


@pytest.mark.parametrize(
    ("stack", "threads", "standing"),
    [
        ((OWN,), kernel(KernelWait.LOCK), Standing.LOCKED),
        ((OWN, FORK), kernel(KernelWait.LOCK, KernelWait.LOCK), Standing.LOCKED),
        ((OWN, FORK), kernel(KernelWait.LOCK, KernelWait.OTHER), Standing.BLOCKED),  # the other may free it
        ((OWN, EVENT), kernel(KernelWait.LOCK), Standing.BLOCKED),  # a signal's handler may set it
        ((OWN, JOIN), kernel(KernelWait.LOCK, KernelWait.LOCK), Standing.BLOCKED),
        ((OWN,), kernel(KernelWait.OTHER), Standing.BLOCKED),  # asleep, or reading
        ((OWN,), kernel(KernelWait.CHILD), Standing.WAITING),
        ((OWN,), kernel(KernelWait.RUNNING), Standing.RUNNING),
    ],
)
def test_a_main_thread_is_locked_only_where_nobody_can_free_it(
    stack: Sequence[Frame], threads: Sequence[KernelThread], standing: Standing
) -> None:
    assert standing_of(dump(thread(*stack)), threads) is standing


def test_threads_that_are_joined_while_one_stands_in_a_lock_are_locked() -> None:
    worker = thread(OWN, is_main=False, wait=NATIVE)
    both = kernel(KernelWait.LOCK, KernelWait.LOCK)
    assert standing_of(dump(thread(OWN, JOIN), worker), both) is Standing.LOCKED


def test_a_lock_that_its_own_thread_holds_is_freed_by_nobody_whatever_else_runs() -> None:
    held = Lock(7, "_thread.lock", (), 1, holder_thread=1, how=HeldBy.BLOCK, is_certain=True)
    made = dump(thread(OWN, wait=NATIVE), locks=[held])
    assert standing_of(made, kernel(KernelWait.LOCK, KernelWait.OTHER)) is Standing.LOCKED


@pytest.mark.parametrize(
    ("waits", "standing"),
    [
        ([ParkedAt(WaitKind.EVENT), ParkedAt(WaitKind.EVENT)], Standing.PARKED),
        ([ParkedAt(WaitKind.QUEUE), ParkedAt(WaitKind.NOTHING)], Standing.PARKED),
        ([ParkedAt(WaitKind.EVENT), ParkedAt(WaitKind.SOCKET, fd=3)], Standing.WAITING),  # a message may come
        ([ParkedAt(WaitKind.EVENT), ParkedAt(WaitKind.TIMER, left_s=60)], Standing.WAITING),
        ([ParkedAt(WaitKind.EVENT, has_timeout=True)], Standing.WAITING),
        ([ParkedAt(WaitKind.EVENT), ParkedAt(WaitKind.THREAD)], Standing.WAITING),
        ([], Standing.WAITING),
    ],
)
def test_greenlets_are_parked_only_where_each_waits_for_another_one(waits: list[ParkedAt], standing: Standing) -> None:
    assert standing_of(dump(thread(OWN, HUB), waits=waits), kernel(KernelWait.OTHER)) is standing


def test_greenlets_of_a_server_may_be_woken_by_whoever_connects() -> None:
    made = dump(thread(OWN, HUB), waits=[ParkedAt(WaitKind.EVENT)])
    assert standing_of(made, kernel(KernelWait.OTHER)) is Standing.PARKED
    assert standing_of(made, kernel(KernelWait.OTHER), listens=True) is Standing.WAITING


def test_a_librarys_greenlets_are_not_the_programs_own() -> None:
    assert standing_of(dump(thread(OWN, HUB), waits=[ParkedAt(WaitKind.EVENT)], frame=LIBRARY), ()) is Standing.WAITING


BOTH_IN_LOCKS = kernel(KernelWait.LOCK, KernelWait.LOCK)
FULL = Pool(7, "ThreadPoolExecutor", 1, frozenset({2}), queued=3)


@pytest.mark.parametrize(
    ("pool", "wait", "threads", "standing"),
    [
        (FULL, TaskWait(1, (9,)), BOTH_IN_LOCKS, Standing.PARKED),  # as at a barrier of more than the workers
        (FULL, TaskWait(1, joins=(2,)), BOTH_IN_LOCKS, Standing.PARKED),
        (FULL, TaskWait(1, (9,)), kernel(KernelWait.LOCK, KernelWait.OTHER), Standing.BLOCKED),  # its task will end
        (FULL, TaskWait(1, (9,), has_timeout=True), BOTH_IN_LOCKS, Standing.BLOCKED),  # then it may cancel the others
        (FULL, TaskWait(2), BOTH_IN_LOCKS, Standing.BLOCKED),  # the main thread may wait for a signal
        (replace(FULL, queued=0), TaskWait(1, (9,)), BOTH_IN_LOCKS, Standing.BLOCKED),  # no work is left undone
        (replace(FULL, most=2), TaskWait(1, (9,)), BOTH_IN_LOCKS, Standing.BLOCKED),  # another worker may come
    ],
)
def test_a_full_pool_is_parked_only_where_nothing_else_can_run(
    pool: Pool, wait: TaskWait, threads: Sequence[KernelThread], standing: Standing
) -> None:
    facts = PoolFacts({pool.id: pool}, {9: Task(9, run_by=2)}, {wait.runner: wait})
    assert standing_of(replace(dump(thread(OWN, EVENT)), pools=facts), threads) is standing


@pytest.mark.parametrize(
    ("waits_for", "threads", "standing"),
    [
        ("Queue", kernel(KernelWait.OTHER), Standing.PARKED),
        ("Queue", kernel(KernelWait.OTHER, KernelWait.LOCK), Standing.PARKED),  # an idle worker of its executor
        ("Queue", kernel(KernelWait.OTHER, KernelWait.OTHER), Standing.BLOCKED),  # which may call into the loop
        ("other", kernel(KernelWait.OTHER), Standing.BLOCKED),
    ],
)
def test_tasks_of_asyncio_are_parked_only_where_no_thread_may_wake_one(
    waits_for: str, threads: Sequence[KernelThread], standing: Standing
) -> None:
    loop = CoroutineLoop((Coroutine("Task-1", (OWN,), waits_for),), ())
    assert standing_of(replace(dump(thread(OWN)), loops=(loop,)), threads) is standing


def test_without_stacks_nothing_is_known() -> None:
    assert standing_of(None, kernel(KernelWait.LOCK)) is Standing.UNKNOWN
    assert standing_of(dump(), kernel(KernelWait.LOCK)) is Standing.UNKNOWN


SHUTDOWN = Frame("/usr/lib/python3.13/threading.py", 9, "_shutdown", "_main_thread._handle.join()")
MANAGER = Frame("/e/lib/python3.11/site-packages/s3transfer/manager.py", 9, "TransferManager._shutdown")
WORKER = Frame("/usr/lib/python3.13/concurrent/futures/thread.py", 9, "_worker", "work_queue.get()")


def greenlet(number: int, *stack: Frame, wait: ParkedAt | None, state: str = "parked") -> Greenlet:
    return Greenlet(number, "Greenlet", "", state, None, False, tuple(stack), wait)


@pytest.mark.parametrize(
    ("main", "workers", "standing"),
    [
        (SHUTDOWN, [ParkedAt(WaitKind.QUEUE)], Standing.PARKED),  # the executor's workers get no work any more
        (SHUTDOWN, [ParkedAt(WaitKind.QUEUE), ParkedAt(WaitKind.SOCKET)], Standing.WAITING),  # one still works
        (SHUTDOWN, [ParkedAt(WaitKind.QUEUE, has_timeout=True)], Standing.WAITING),
        (SHUTDOWN, [], Standing.WAITING),
        (MANAGER, [ParkedAt(WaitKind.QUEUE)], Standing.WAITING),  # a library's own shutdown is no exit
        (LIBRARY, [ParkedAt(WaitKind.QUEUE)], Standing.WAITING),  # the program has not ended: it may give them work
    ],
)
def test_an_interpreter_that_waits_at_its_exit_for_threads_that_nothing_wakes_is_parked(
    main: Frame, workers: Sequence[ParkedAt], standing: Standing
) -> None:
    exits = greenlet(1, main, wait=ParkedAt(WaitKind.TIMER))
    lot = (exits, *(greenlet(2 + at, WORKER, wait=wait) for at, wait in enumerate(workers)))
    made = replace(dump(thread(OWN, HUB)), greenlets=lot)
    assert standing_of(made, kernel(KernelWait.OTHER)) is standing


@pytest.mark.parametrize(
    ("mode", "state", "stack", "standing"),
    [
        ("thread", "unstarted", (OWN,), Standing.UNSERVED),
        ("thread", "parked", (OWN,), Standing.BLOCKED),  # they wait for something, as everybody does
        ("loop", "unstarted", (OWN,), Standing.BLOCKED),  # the loop has answered: it turns
        ("thread", "unstarted", (OWN, HUB), Standing.WAITING),  # the main thread is back in its loop
    ],
)
def test_greenlets_that_wait_to_begin_while_their_loop_does_not_turn_are_unserved(
    mode: str, state: str, stack: Sequence[Frame], standing: Standing
) -> None:
    made = replace(dump(thread(*stack)), greenlets=(greenlet(1, wait=None, state=state),), mode=mode)
    assert standing_of(made, kernel(KernelWait.OTHER)) is standing
