"""Fingerprints: one for two runs of a hang, two for two hangs."""

import random
from collections.abc import Sequence

import pytest

from repro.core.hang.dump import Dump, Greenlet, Lock, ParkedAt, Thread
from repro.core.hang.fingerprint import telltale
from repro.core.hang.frames import Frame
from repro.core.hang.groups import View, grouped, seen_frames, telling_stacks
from repro.findings import HeldBy, Place, WaitKind, Who, Whom
from repro.model import HangClass

SITE = "/home/one/.venv/lib/python3.11/site-packages/"
OTHER_SITE = "/srv/cache/env-42/lib/python3.8/site-packages/"
LIB = "/usr/lib/python3.11/"


def stack(site: str, operation: str, *innermost: tuple[str, str], line: int = 1) -> tuple[Frame, ...]:
    return (
        Frame("/work/locustfile.py", line, operation),
        Frame(f"{site}botocore/client.py", line, "_api_call"),
        Frame(f"{site}urllib3/connectionpool.py", line, "HTTPConnectionPool.urlopen"),
        *(Frame(site + file, line, function) for file, function in innermost),
        Frame(f"{site}gevent/_socket3.py", line, "recv_into"),
    )


READING = (
    ("urllib3/connectionpool.py", "_make_request"),
    ("urllib3/connection.py", "getresponse"),
    ("urllib3/response.py", "read"),
)
WAITING = (("urllib3/connectionpool.py", "_get_conn"), ("urllib3/util/queue.py", "get"))


def user(number: int, kind: str, frames: Sequence[Frame], *, lock: int = 0) -> Greenlet:
    return Greenlet(
        number + 1000, "Greenlet", "", "parked", number, False, tuple(frames), ParkedAt(WaitKind(kind), lock=lock)
    )


def view(
    *greenlets: Greenlet, threads: tuple[Thread, ...] = (), locks: dict[int, Lock] | None = None, mode: str = "loop"
) -> View:
    dump = Dump(1, mode, 0.0, "3.11.7", "24.2.1", "3.0.3", (), greenlets, threads, locks or {})
    return View(dump, [item.user for item in greenlets if item.user is not None])


@pytest.mark.parametrize("seed", range(5))
def test_two_runs_of_a_hang_have_one_fingerprint_whatever_counts_places_and_lines(seed: int):
    chance = random.Random(seed)  # nothing secret
    found = set()
    for site in (SITE, OTHER_SITE):
        many, few = chance.randint(20, 100), chance.randint(1, 15)
        operations = [chance.choice(["receive", "lookup"]) for _ in range(many)]
        users = [
            user(n, "socket", stack(site, name, *READING, line=chance.randint(1, 999)))
            for n, name in enumerate(operations)
        ]
        users += [user(500 + n, "lock", stack(site, "receive", *WAITING)) for n in range(few)]
        chance.shuffle(users)
        found.add(telltale(HangClass.UNANSWERED, [view(*users)]).fingerprint)
    assert len(found) == 1


def test_another_place_another_wait_or_another_class_is_another_hang():
    reading = [view(user(1, "socket", stack(SITE, "receive", *READING)))]
    waiting = [view(user(1, "socket", stack(SITE, "receive", *WAITING)))]
    locked = [view(user(1, "lock", stack(SITE, "receive", *READING)))]
    prints = {
        telltale(HangClass.DEADLOCKED, reading).fingerprint,
        telltale(HangClass.DEADLOCKED, waiting).fingerprint,
        telltale(HangClass.DEADLOCKED, locked).fingerprint,
        telltale(HangClass.UNANSWERED, reading).fingerprint,
    }
    assert len(prints) == 4


def test_users_that_outlive_their_end_are_known_by_where_their_death_was_dropped():
    dropped = [("weakref.py:__call__", "urllib3/connectionpool.py:_close_pool_connections", "queue.py:get")] * 3
    anywhere = [view(user(1, "socket", stack(SITE, "receive", *READING))), view(user(1, "timer", stack(SITE, "sleep")))]
    found = {telltale(HangClass.UNSTOPPABLE, [one], dropped=dropped) for one in anywhere}
    assert [tell.frames for tell in found] == [("urllib3/connectionpool.py:_close_pool_connections",)]


def frozen(caller: str) -> View:
    waits = ParkedAt(WaitKind.LOCK, lock=7, is_native=True, name="self._mutex")
    put = Frame(f"{SITE}gevent/_threading.py", 188, "Queue.put", "with self._mutex:")
    main = Thread(1, "", True, False, 1002, (*stack(SITE, caller), put), waits)
    holding = (*stack(SITE, "send"), put, Frame(f"{SITE}urllib3/connectionpool.py", 9, "_close_pool_connections"))
    lock = Lock(
        7,
        "_thread.lock",
        ("ThreadPool.task_queue._mutex",),
        1,
        1003,
        0,
        HeldBy.BLOCK,
        "with self._mutex",
        f"{SITE}gevent/_threading.py",
        189,
        "put",
        True,
    )
    return view(
        user(2, "lock", main.stack, lock=7), user(3, "ready", holding), threads=(main,), locks={7: lock}, mode="thread"
    )


def test_a_freeze_is_known_by_where_the_main_thread_stands_and_shows_both_stacks():
    views = [frozen("lookup")]
    assert telltale(HangClass.FROZEN, views) == telltale(HangClass.FROZEN, [frozen("receive")])
    main, holder, *_ = telling_stacks(views, HangClass.FROZEN)
    assert main.spot is not None
    assert main.spot.place == Place("gevent/_threading.py", 188, "Queue.put", "with self._mutex:")
    assert main.spot.who == Who(Whom.USER, 2)
    assert (holder.lock, holder.holder.whom, holder.holder.number) == ("ThreadPool.task_queue._mutex", Whom.USER, 3)
    assert holder.holder.is_certain
    assert any(frame.function == "_close_pool_connections" for frame in holder.frames)
    assert {"gevent/_threading.py:put", "urllib3/connectionpool.py:_close_pool_connections"} <= seen_frames(views)


def test_a_spin_is_known_by_what_was_begun_wherever_in_its_loop_it_is_caught():
    def spin(*innermost: tuple[str, str]) -> list[View]:
        main = Thread(1, "", True, False, 1002, stack(SITE, "lookup", *innermost), None)
        return [view(threads=(main,), mode="thread")]

    caught = [spin(("own/loop.py", "again")), spin(("own/loop.py", "again"), ("own/loop.py", "step"))]
    assert len({telltale(HangClass.SPINNING, views).fingerprint for views in caught}) == 1


def test_a_spin_in_a_loop_that_turns_is_known_by_the_users_that_run_whatever_the_main_thread_does_just_then():
    pause = ("gevent/hub.py", "sleep")
    hub = Thread(1, "", True, True, 0, (Frame(f"{SITE}gevent/hub.py", 1, "run"),), None)
    caught = [user(1, "ready", stack(SITE, "lookup", pause)), user(2, "running", stack(SITE, "lookup"))]
    found = [telltale(HangClass.SPINNING, [view(one, threads=(hub,))], main_stack=hub.stack) for one in caught]
    assert found[0] == found[1]
    assert found[0].frames[0] == "locustfile.py:lookup"
    first = telling_stacks([view(caught[0], threads=(hub,))], HangClass.SPINNING)[0]
    assert (first.group.count, first.group.is_running) == (1, True)


def test_a_process_that_is_silent_is_known_by_what_a_debugger_saw():
    seen = telltale(HangClass.FROZEN, [], main_stack=stack(SITE, "lookup", ("own/native.py", "call")))
    other = telltale(HangClass.FROZEN, [], main_stack=stack(SITE, "lookup", ("own/native.py", "other")))
    assert seen.fingerprint != other.fingerprint


def test_the_largest_group_comes_first_and_only_stuck_users_count():
    users = [user(n, "socket", stack(SITE, "receive", *READING)) for n in range(3)] + [
        user(9, "lock", stack(SITE, "x", *WAITING))
    ]
    whole = view(*users)
    assert [(group.count, group.kind) for group in grouped([whole])] == [(3, "socket"), (1, "lock")]
    assert [(group.count, group.kind) for group in grouped([View(whole.dump, [9])])] == [(1, "lock")]


def test_nothing_known_still_has_a_fingerprint():
    assert telltale(HangClass.UNSTOPPABLE, []).fingerprint
