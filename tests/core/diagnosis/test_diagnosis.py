"""What two looks at a process come to: only what neither moves nor can still be ended is a hang."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repro.core.diagnosis.diagnosis import Finding, Look, diagnose, diagnose_still
from repro.core.diagnosis.standstill import KernelThread, KernelWait
from repro.core.hang.dump import Dump, Greenlet, Lock, ParkedAt, Thread
from repro.core.hang.frames import Frame
from repro.findings import HeldBy, WaitKind
from repro.model import HangClass, Verdict

MINE = Frame("/home/me/mine.py", 10, "work")
LOOP = Frame("/x/site-packages/gevent/hub.py", 100, "run")
ELSEWHERE = Frame("/x/site-packages/gevent/_threading.py", 188, "put")
HUB = Greenlet(id=1, type="gevent.hub.Hub", run="", state="running", user=None, is_hub=True, stack=(LOOP,), wait=None)
SEMAPHORE, EVENT, SLEEP, READ = (
    ParkedAt(WaitKind.SEMAPHORE, lock=77),
    ParkedAt(WaitKind.EVENT, lock=78),
    ParkedAt(WaitKind.TIMER, left_s=3.0),
    ParkedAt(WaitKind.SOCKET, fd=9, direction="read"),
)
LOCK = Lock(id=77, type="Semaphore", names=(), waiters=1)


def greenlet(number: int, wait: ParkedAt | None, *, line: int = 10) -> Greenlet:
    stack = (replace(MINE, line=line),)
    return Greenlet(
        id=number, type="gevent.Greenlet", run="work", state="parked", user=None, is_hub=False, stack=stack, wait=wait
    )


OTHER_HUB = replace(HUB, id=11, thread=6)


def two_loops(at: float, *greenlets: Greenlet, other: Frame, wait: KernelWait = KernelWait.OTHER) -> Look:
    """A main thread that stands in its hub, or in ``MINE`` where it has none, beside a thread with a loop of its own."""
    found = look(at, *greenlets)
    assert found.dump is not None
    thread = Thread(
        ident=6, name="", is_main=False, is_dumping=False, greenlet=12, stack=(MINE, other), wait=None, native_id=4712
    )
    dump = replace(
        found.dump,
        greenlets=(*found.dump.greenlets, OTHER_HUB),
        threads=(*found.dump.threads, thread),
    )
    return replace(found, dump=dump, threads=(*found.threads, KernelThread(tid=4712, is_main=False, wait=wait)))


def look(
    at: float,
    *greenlets: Greenlet,
    locks: tuple[Lock, ...] = (LOCK,),
    main: Frame = LOOP,
    wait: KernelWait = KernelWait.OTHER,
    cpu_s: float = 0.0,
    unread: int = 0,
    has_hub: bool = True,
    is_stopped: bool = False,
) -> Look:
    thread = Thread(ident=5, name="", is_main=True, is_dumping=False, greenlet=1, stack=(MINE, main), wait=None)
    dump = Dump(
        pid=4711,
        mode="memory",
        at=at,
        python="3.11.7",
        gevent="24.2.1",
        greenlet="3.0.3",
        greenlets=(*([HUB] if has_hub else []), *greenlets),
        threads=(thread,),
        locks={lock.id: lock for lock in locks},
    )
    kernel = (KernelThread(tid=4711, is_main=True, wait=wait),)
    return Look(at=at, dump=dump, threads=kernel, cpu_s=cpu_s, unread={9: unread}, is_stopped=is_stopped)


def owned(number: int, owner: int) -> Lock:
    return Lock(id=number, type="RLock", names=(), waiters=1, holder_greenlet=owner, how=HeldBy.OWNER, is_certain=True)


def test_sleepers_and_readers_are_no_hang_however_long_they_wait() -> None:
    several = (greenlet(2, SLEEP), greenlet(3, READ), greenlet(4, EVENT))
    found = diagnose(look(0, *several), look(60, *several))
    assert (found.finding, found.verdict, found.stuck) == (Finding.GOES_ON, Verdict.CLEAN, ())
    assert len(found.own) == 3


@pytest.mark.parametrize("wait", [SLEEP, READ, None], ids=["sleeps", "waits for an answer", "not known"])
def test_who_waits_for_greenlets_that_run_a_librarys_code_alone_is_no_hang(wait: ParkedAt | None) -> None:
    library = replace(greenlet(3, wait), stack=(Frame("/x/site-packages/locust/user/task.py", 380, "wait"),))
    waits = greenlet(2, EVENT)
    assert diagnose(look(0, waits, library), look(60, waits, library)).finding is Finding.GOES_ON
    assert diagnose(look(0, waits), look(60, waits)).finding is Finding.ALL_WAIT


def test_a_busy_loop_that_is_twice_seen_outside_of_its_hub_is_no_hang_while_its_timers_move() -> None:
    sleeps = replace(greenlet(3, SLEEP), stack=(Frame("/x/site-packages/locust/user/task.py", 380, "wait"),))
    waits = greenlet(2, EVENT)
    looks = [look(at, waits, sleeps, main=MINE, wait=KernelWait.RUNNING) for at in (0, 60)]
    assert diagnose(*looks).finding is Finding.GOES_ON
    overdue = replace(sleeps, wait=ParkedAt(WaitKind.TIMER, left_s=0.0))
    looks = [look(at, waits, overdue, main=MINE, wait=KernelWait.RUNNING) for at in (0, 60)]
    assert diagnose(*looks).finding is Finding.BURNS


def test_a_loop_that_was_met_in_its_hub_between_the_looks_turns_whoever_has_each_turn() -> None:
    waits = greenlet(2, EVENT), greenlet(3, EVENT)
    before, after = (look(at, *waits, main=MINE, wait=KernelWait.RUNNING) for at in (0, 60))
    assert diagnose(before, after).finding is Finding.BURNS
    assert diagnose(before, replace(after, turned=frozenset({5}))).finding is Finding.GOES_ON
    assert diagnose(before, replace(after, turned=frozenset({6}))).finding is Finding.BURNS


def test_a_lock_that_is_free_both_times_has_lost_its_wake_up() -> None:
    free = (replace(LOCK, is_free=True),)
    several = (greenlet(2, SEMAPHORE), greenlet(3, SLEEP))
    found = diagnose(look(0, *several, locks=free), look(6, *several, locks=free))
    assert (found.finding, found.hang_class) == (Finding.FREE_LOCK, HangClass.DEADLOCKED)
    assert [one.id for one in found.stuck] == [2]
    assert found.lock is not None
    assert found.lock.id == LOCK.id


@pytest.mark.parametrize("is_free", [(True, False), (False, True)])
def test_a_lock_that_is_free_once_is_just_being_handed_over(is_free: tuple[bool, bool]) -> None:
    several = (greenlet(2, SEMAPHORE), greenlet(3, SLEEP))
    looks = [look(at, *several, locks=(replace(LOCK, is_free=free),)) for at, free in zip((0, 6), is_free, strict=True)]
    assert diagnose(*looks).verdict is Verdict.INCONCLUSIVE


def test_a_waiter_that_has_moved_is_not_stuck() -> None:
    free = (replace(LOCK, is_free=True),)
    before, after = greenlet(2, SEMAPHORE), greenlet(2, SEMAPHORE, line=11)
    found = diagnose(look(0, before, greenlet(3, SLEEP), locks=free), look(6, after, greenlet(3, SLEEP), locks=free))
    assert found.verdict is Verdict.CLEAN
    assert found.moved == 1


def test_owners_that_wait_for_each_other_are_a_circle_and_a_chain_that_ends_is_none() -> None:
    one, other = greenlet(2, ParkedAt(WaitKind.SEMAPHORE, lock=81)), greenlet(3, ParkedAt(WaitKind.SEMAPHORE, lock=80))
    locks = (owned(80, owner=2), owned(81, owner=3))
    asleep = greenlet(4, SLEEP)
    found = diagnose(look(0, one, other, asleep, locks=locks), look(6, one, other, asleep, locks=locks))
    assert (found.finding, {item.id for item in found.stuck}) == (Finding.CIRCLE, {2, 3})
    locks = (owned(80, owner=2), owned(81, owner=4))
    found = diagnose(look(0, one, other, asleep, locks=locks), look(6, one, other, asleep, locks=locks))
    assert found.hang_class is None


def test_a_circle_with_a_time_limit_ends_by_itself() -> None:
    one = greenlet(2, ParkedAt(WaitKind.SEMAPHORE, lock=81, has_timeout=True, left_s=5.0))
    other = greenlet(3, ParkedAt(WaitKind.SEMAPHORE, lock=80))
    locks = (owned(80, owner=2), owned(81, owner=3))
    assert diagnose(look(0, one, other, locks=locks), look(6, one, other, locks=locks)).hang_class is None


def test_what_lies_unread_both_times_reaches_nobody() -> None:
    several = (greenlet(2, READ), greenlet(3, SLEEP))
    found = diagnose(look(0, *several, unread=500), look(6, *several, unread=500))
    assert (found.finding, [one.id for one in found.stuck]) == (Finding.UNREAD, [2])
    assert diagnose(look(0, *several, unread=500), look(6, *several, unread=900)).verdict is Verdict.CLEAN
    assert diagnose(look(0, *several), look(6, *several)).verdict is Verdict.CLEAN


def test_all_that_wait_for_each_other_without_a_limit_are_deadlocked_and_one_sleeper_may_wake_them() -> None:
    several = (greenlet(2, EVENT), greenlet(3, SEMAPHORE))
    found = diagnose(look(0, *several), look(6, *several))
    assert (found.finding, len(found.stuck)) == (Finding.ALL_WAIT, 2)
    several = (greenlet(2, EVENT), greenlet(3, SLEEP))
    assert diagnose(look(0, *several), look(6, *several)).verdict is Verdict.CLEAN
    several = (greenlet(2, EVENT), greenlet(3, None))  # it is not known what that one waits for
    assert diagnose(look(0, *several), look(6, *several)).hang_class is None


def test_a_lock_of_an_unknown_holder_is_neither_a_hang_nor_clean() -> None:
    several = (greenlet(2, SEMAPHORE), greenlet(3, SLEEP))
    found = diagnose(look(0, *several), look(6, *several))
    assert (found.finding, found.verdict) == (Finding.HOLDER_UNKNOWN, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("wait", "cpu_s", "hang_class"),
    [
        (KernelWait.LOCK, 0.0, HangClass.FROZEN),
        (KernelWait.OTHER, 0.0, HangClass.FROZEN),
        (KernelWait.RUNNING, 0.1, HangClass.SPINNING),  # a starved machine gives it little
        (KernelWait.OTHER, 5.0, HangClass.SPINNING),
    ],
)
def test_a_main_thread_that_does_not_come_back_to_its_loop(
    wait: KernelWait, cpu_s: float, hang_class: HangClass
) -> None:
    reads, overdue = greenlet(3, READ), ParkedAt(WaitKind.TIMER, left_s=0.0)  # nobody is there to fire it
    looks = [
        look(at, greenlet(2, timer), reads, main=ELSEWHERE, wait=wait, cpu_s=used)
        for at, timer, used in ((0, SLEEP, 0.0), (6, overdue, cpu_s))
    ]
    found = diagnose(*looks)
    assert (found.hang_class, len(found.stuck)) == (hang_class, 2)
    assert found.thread is not None
    assert found.thread.stack[-1] == ELSEWHERE


def test_away_from_the_loop_for_a_moment_is_undecided_and_a_native_lock_is_not() -> None:
    several = (greenlet(2, READ),)
    looks = [look(at, *several, main=ELSEWHERE) for at in (0, 2)]
    assert diagnose(*looks).verdict is Verdict.INCONCLUSIVE
    looks = [look(at, *several, main=ELSEWHERE, wait=KernelWait.LOCK) for at in (0, 2)]
    assert diagnose(*looks).hang_class is HangClass.FROZEN


def test_a_main_thread_that_moves_is_at_work() -> None:
    other = Frame("/x/site-packages/boto3/session.py", 5, "client")
    found = diagnose(look(0, greenlet(2, SLEEP), main=ELSEWHERE), look(6, greenlet(2, SLEEP, line=12), main=other))
    assert found.verdict is Verdict.CLEAN


def test_a_program_without_greenlets_that_waits_may_be_woken() -> None:
    looks = [look(at, main=ELSEWHERE, has_hub=False) for at in (0, 60)]
    assert diagnose(*looks).verdict is Verdict.INCONCLUSIVE
    looks = [look(at, main=ELSEWHERE, has_hub=False, wait=KernelWait.LOCK) for at in (0, 60)]
    assert diagnose(*looks).hang_class is HangClass.FROZEN
    waits = Frame("/usr/lib/python3.11/threading.py", 320, "wait")
    looks = [look(at, main=waits, has_hub=False, wait=KernelWait.LOCK) for at in (0, 60)]
    assert diagnose(*looks).verdict is Verdict.INCONCLUSIVE


def test_a_stopped_process_is_frozen_whether_it_can_be_read_or_not() -> None:
    looks = [look(at, greenlet(2, SLEEP), is_stopped=True) for at in (0, 6)]
    assert diagnose(*looks).finding is Finding.STOPPED
    looks = [replace(one, dump=None) for one in looks]
    assert diagnose(*looks).hang_class is HangClass.FROZEN


def test_a_blocked_main_loop_is_not_hidden_by_another_threads_loop_that_turns() -> None:
    mine, others = replace(greenlet(2, READ), thread=5), replace(greenlet(3, SLEEP), thread=6)
    looks = [
        look(at, mine, replace(others, stack=(replace(MINE, line=line),)), main=ELSEWHERE)
        for at, line in ((0, 1), (6, 2))
    ]
    found = diagnose(*looks)
    assert (found.finding, [one.id for one in found.stuck]) == (Finding.AWAY, [2])
    unknown = [
        look(at, mine, replace(others, thread=0, stack=(replace(MINE, line=line),)), main=ELSEWHERE)
        for at, line in ((0, 1), (6, 2))
    ]
    assert diagnose(*unknown).verdict is Verdict.CLEAN  # it may be the main loop that moves


@pytest.mark.parametrize(
    ("wait", "hang_class"),
    [
        (KernelWait.LOCK, HangClass.FROZEN),
        (KernelWait.OTHER, HangClass.FROZEN),
        (KernelWait.RUNNING, HangClass.SPINNING),
    ],
)
def test_a_blocked_loop_of_another_thread_hangs_while_greenlets_wait_in_it(
    wait: KernelWait, hang_class: HangClass
) -> None:
    waits = replace(greenlet(3, READ), thread=6)
    found = diagnose(*(two_loops(at, waits, other=ELSEWHERE, wait=wait) for at in (0, 6)))
    assert (found.hang_class, [one.id for one in found.stuck]) == (hang_class, [3])
    assert found.thread is not None
    assert not found.thread.is_main
    nobody = replace(greenlet(3, READ), thread=5)  # of the main loop: the other thread is a pool's worker
    assert diagnose(*(two_loops(at, nobody, other=ELSEWHERE, wait=wait) for at in (0, 6))).verdict is Verdict.CLEAN


def test_a_main_thread_without_a_loop_that_waits_for_one_that_turns_is_no_hang() -> None:
    waits = replace(greenlet(3, READ), thread=6)
    looks = []
    for at in (0, 60):
        one = two_loops(at, waits, other=LOOP)
        assert one.dump is not None
        main = replace(one.dump.threads[0], greenlet=0, stack=(MINE, ELSEWHERE))
        greenlets = tuple(item for item in one.dump.greenlets if item is not HUB)
        dump = replace(one.dump, greenlets=greenlets, threads=(main, *one.dump.threads[1:]))
        threads = (KernelThread(tid=4711, is_main=True, wait=KernelWait.LOCK), one.threads[1])
        looks.append(replace(one, dump=dump, threads=threads))
    assert diagnose(*looks).verdict is Verdict.CLEAN


def test_a_busy_loop_whose_greenlets_meet_at_the_same_lines_is_told_by_their_marks() -> None:
    looks = [
        look(at, replace(greenlet(2, SEMAPHORE), mark=mark), main=MINE, wait=KernelWait.RUNNING)
        for at, mark in ((0, 1), (6, 2))
    ]
    assert diagnose(*looks).hang_class is None
    looks = [look(at, replace(greenlet(2, SEMAPHORE), mark=1), main=MINE, wait=KernelWait.RUNNING) for at in (0, 6)]
    assert diagnose(*looks).finding is Finding.BURNS


def test_what_lies_unread_or_waits_while_the_loop_is_at_work_is_about_to_be_served() -> None:
    several = (greenlet(2, READ), greenlet(3, SLEEP))
    looks = [look(at, *several, unread=500, wait=KernelWait.RUNNING) for at in (0, 6)]
    assert diagnose(*looks).hang_class is None
    several = (greenlet(2, EVENT), greenlet(3, EVENT))
    assert diagnose(*(look(at, *several, wait=KernelWait.RUNNING) for at in (0, 6))).hang_class is None


def test_who_sleeps_without_a_timer_has_lost_its_wake_up() -> None:
    asleep = Frame("/x/site-packages/gevent/hub.py", 166, "sleep")
    lost = replace(greenlet(2, None), stack=(MINE, asleep))
    found = diagnose(look(0, lost, greenlet(3, READ)), look(6, lost, greenlet(3, READ)))
    assert (found.finding, [one.id for one in found.stuck]) == (Finding.NO_TIMER, [2])
    alone = diagnose(look(0, lost), look(6, lost))  # perhaps it cannot be read what anybody waits for
    assert alone.hang_class is None
    woken = replace(greenlet(2, SLEEP), stack=(MINE, asleep))
    assert diagnose(look(0, woken, greenlet(3, READ)), look(6, woken, greenlet(3, READ))).verdict is Verdict.CLEAN


def test_one_moment_is_a_hang_only_where_no_time_can_end_it_and_never_clean() -> None:
    free = replace(LOCK, is_free=True)
    several = (greenlet(2, SEMAPHORE), greenlet(3, SLEEP))
    assert diagnose_still(look(0, *several, locks=(free,))).finding is Finding.FREE_LOCK
    at_work = diagnose_still(
        look(0, *several, locks=(free,), wait=KernelWait.RUNNING)
    )  # it may just be handing it over
    assert (at_work.finding, at_work.verdict) == (Finding.STILL, Verdict.INCONCLUSIVE)
    assert diagnose_still(look(0, *several)).verdict is Verdict.INCONCLUSIVE  # somebody else may hold the lock
    assert diagnose_still(look(0, greenlet(2, EVENT), greenlet(3, SEMAPHORE))).finding is Finding.ALL_WAIT
    for wait in KernelWait:
        away = diagnose_still(look(0, greenlet(2, READ), main=ELSEWHERE, wait=wait))
        assert away.thread is not None
        assert away.verdict is (Verdict.HANG if wait is KernelWait.LOCK else Verdict.INCONCLUSIVE)
    assert diagnose_still(Look(at=0, dump=None)).verdict is Verdict.INCONCLUSIVE


def test_a_thread_that_may_free_the_lock_leaves_one_moment_open() -> None:
    locked = look(0, greenlet(2, READ), main=ELSEWHERE, wait=KernelWait.LOCK)
    other = KernelThread(tid=4712, is_main=False, wait=KernelWait.OTHER)
    assert diagnose_still(replace(locked, threads=(*locked.threads, other))).finding is Finding.STILL


def test_owners_in_a_circle_are_a_hang_in_one_moment_wherever_the_loop_is() -> None:
    several = (greenlet(2, ParkedAt(WaitKind.SEMAPHORE, lock=81)), greenlet(3, ParkedAt(WaitKind.SEMAPHORE, lock=80)))
    locks = (owned(80, owner=2), owned(81, owner=3))
    assert diagnose_still(look(0, *several, locks=locks, main=MINE)).finding is Finding.CIRCLE


def test_what_cannot_be_read_is_never_clean() -> None:
    looks = [Look(at=at, dump=None) for at in (0, 6)]
    assert diagnose(*looks).verdict is Verdict.INCONCLUSIVE
