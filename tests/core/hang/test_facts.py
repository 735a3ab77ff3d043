"""The facts that tell known causes apart, beside frames and output."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repro.core.causes.known_causes import Fact
from repro.core.hang.dump import Dump, Greenlet, ParkedAt, Thread
from repro.core.hang.facts import does_main_stand, facts_of, frames_of_who_is_left
from repro.core.hang.findings import Circumstances
from repro.core.hang.frames import Frame
from repro.core.hang.groups import View
from repro.core.judge.judge import Decision
from repro.core.judge.now import Stuck
from repro.core.judge.samples import Slot
from repro.core.judge.table import TABLE, Facts
from repro.findings import BackendFindings, Place, RowName, WaitKind

ROWS = {row.name: row for row in TABLE}
SLOT = Slot(
    number=1, is_user=True, busy=True, operation="get", began=110, last_end=109, begun=5, ended=4, failed=0,
    poll_s=0, attempt_s=60, ceiling_s=60, born=100, killed=0, greenlet=1,
)  # fmt: skip
SITE = "/e/lib/python3.11/site-packages/"
MAIN = (Frame(f"{SITE}locust/main.py", 500, "main"), Frame(f"{SITE}gevent/pool.py", 430, "join"))
AROUND = Circumstances(load_at=100, users=1, seconds=8)


def decision(name: RowName, ceiling_s: float | None = None, *, killed: float = 0.0) -> Decision:
    users = () if ceiling_s is None else (Stuck(1, replace(SLOT, ceiling_s=ceiling_s, killed=killed), 110.0, None),)
    return Decision(ROWS[name], Facts(users=len(users)), users, 123.5, 110)


def around(greenlet: Greenlet) -> Circumstances:
    dump = Dump(1, "loop", 0.0, "3.11", "24.2.1", "3", (), (greenlet,), (), {})
    return replace(AROUND, views=[View(dump, [1])])


def test_a_wait_without_a_timeout_is_a_fact_and_one_with_is_none() -> None:
    assert facts_of(decision(RowName.NO_ANSWER, float("inf")), AROUND) == {Fact.NO_TIMEOUT}
    assert facts_of(decision(RowName.NO_ANSWER, 60.0), AROUND) == set()
    assert facts_of(decision(RowName.NO_ANSWER, 0.0), AROUND) == set()


def test_a_handler_of_the_program_and_an_exception_that_replaced_the_exit_are_facts() -> None:
    stopped = decision(RowName.USERS_OUTLIVE_THE_STOP, 60.0, killed=111.0)
    assert facts_of(stopped, replace(AROUND, lost_exits=2)) == {Fact.EXIT_REPLACED}
    caught = Greenlet(
        1, "Greenlet", "", "parked", 1, False, (Frame("/me/locustfile.py", 3, "task"),), None,
        catch=Place("locustfile.py", 3, "stubborn", "except:"),
    )  # fmt: skip
    assert facts_of(stopped, around(caught)) == {Fact.EXIT_CAUGHT}
    assert facts_of(stopped, AROUND) == set()


def test_who_is_left_when_all_users_have_ended_is_a_fact_with_its_frames() -> None:
    main = Greenlet(1, "greenlet", "", "parked", None, False, MAIN, ParkedAt(WaitKind.EVENT))
    ended = decision(RowName.PROCESS_OUTLIVES_THE_STOP)
    assert facts_of(ended, around(main)) == {Fact.LEFT_WAITING, Fact.ALL_ENDED}
    assert frames_of_who_is_left(ended, around(main)) == ("locust/main.py:main", "gevent/pool.py:join")
    alive = decision(RowName.USERS_OUTLIVE_THE_STOP, 60.0, killed=111.0)
    assert facts_of(alive, around(main)) == set()
    assert frames_of_who_is_left(alive, around(main)) == ()


@pytest.mark.parametrize(("resolving", "is_taken"), [(0, True), (1, True), (2, False)])
def test_a_pool_is_taken_where_more_of_its_threads_work_than_names_are_waited_for(
    resolving: int, *, is_taken: bool
) -> None:
    worker = (Frame(f"{SITE}gevent/threadpool.py", 255, "_WorkerGreenlet.__run_task"),)
    idle = (Frame(f"{SITE}gevent/_threading.py", 188, "Queue.get"),)
    threads = tuple(Thread(1, "", False, False, 0, stack, None) for stack in (worker, worker, idle))
    asks = (Frame(f"{SITE}gevent/resolver/thread.py", 63, "Resolver.getaddrinfo"),)
    waits = [WaitKind.THREAD] * resolving + [WaitKind.SEMAPHORE] * 3
    users = tuple(Greenlet(1, "", "", "parked", 1, False, asks, ParkedAt(wait)) for wait in waits)
    view = View(Dump(1, "loop", 0.0, "3.11", "24.2.1", "3", (), users, threads, {}), [1])
    found = facts_of(decision(RowName.LOCKED, 60.0), replace(AROUND, views=[view]))
    assert (Fact.POOL_TAKEN in found) is is_taken


@pytest.mark.parametrize(
    ("name", "facts", "expected"),
    [
        (RowName.NO_ANSWER, Facts(loop_turns=True), False),
        (RowName.NO_ANSWER, Facts(loop_turns=True, loop_silent=True), True),
        (RowName.NO_ANSWER, Facts(), True),
        (RowName.USERS_OUTLIVE_THE_STOP, Facts(loop_turns=True), True),
    ],
)
def test_where_the_main_thread_of_a_loop_that_turns_is_says_nothing_of_those_who_wait(
    name: RowName, facts: Facts, *, expected: bool
) -> None:
    assert does_main_stand(replace(decision(name), facts=facts)) is expected


def test_users_in_whom_nobody_raised_an_exit_were_not_told() -> None:
    (stuck,) = decision(RowName.USERS_OUTLIVE_THE_STOP, 60.0).stuck
    untold = Decision(ROWS[RowName.USERS_OUTLIVE_THE_STOP], Facts(users=1), (stuck,), 123.5, 110)
    told = replace(untold, stuck=(replace(stuck, slot=replace(SLOT, killed=111.0)), stuck))
    assert facts_of(untold, AROUND) == {Fact.NOT_TOLD}
    assert facts_of(told, AROUND) == set()
    assert facts_of(decision(RowName.NO_ANSWER, 60.0), AROUND) == set()


def test_a_backend_that_answered_all_is_a_fact_where_an_answer_is_missing() -> None:
    unanswered = decision(RowName.NO_ANSWER, 60.0)
    for open_requests, expected in ((0, {Fact.ALL_ANSWERED}), (2, set()), (None, set())):
        log = replace(AROUND, backend=BackendFindings(open_requests=open_requests))
        assert facts_of(unanswered, log) == expected


def test_a_native_thread_of_the_program_is_a_fact_and_one_of_gevents_pool_or_the_agents_is_not() -> None:
    def beside(*frames: Frame, is_main: bool = False) -> Circumstances:
        threads = (Thread(1, "", is_main, False, 0, frames, None),)
        return replace(AROUND, views=[View(Dump(1, "loop", 0.0, "3.11", "24.2.1", "3", threads=threads), [])])

    stopped = decision(RowName.LOCKED, 60.0)
    own = Frame("/me/locustfile.py", 3, "trace")
    assert facts_of(stopped, beside(own)) == {Fact.NATIVE_THREAD}
    assert facts_of(stopped, beside(Frame(f"{SITE}ddtrace/internal/periodic.py", 3, "run"))) == {Fact.NATIVE_THREAD}
    assert facts_of(stopped, beside(own, is_main=True)) == set()
    assert facts_of(stopped, beside()) == set()
    assert facts_of(stopped, beside(Frame(f"{SITE}gevent/threadpool.py", 195, "run"), own)) == set()
    assert facts_of(stopped, beside(Frame("/x/repro/agent/hearts.py", 121, "_beat_natively"))) == set()
