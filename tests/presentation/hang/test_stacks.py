"""Where somebody stands, what is waited for and who holds it, in words."""

from dataclasses import replace

import pytest

from repro.agent.layout import OTHERS_FROM
from repro.findings import (
    Awaited,
    HeldBy,
    Holder,
    Place,
    Spot,
    SpotKind,
    Stack,
    StackOf,
    StuckGroup,
    Swallowed,
    WaitKind,
    Who,
    Whom,
)
from repro.presentation.hang.stacks import (
    awaited_text,
    frames_text,
    held_by,
    holder_text,
    largest_text,
    place_text,
    spot_text,
    stack_text,
    swallowed_text,
    who_text,
)

POOL = Place("urllib3/connectionpool.py", 9, "HTTPConnectionPool._get_conn", "self.pool.get()")
TASK = Place("locustfile.py", 3, "task")
MUTEX = Awaited(WaitKind.LOCK, is_native=True, lock="HTTPConnectionPool.pool.mutex")
HELD = Holder(Whom.USER, 2, how=HeldBy.BLOCK, code="with self.mutex", is_certain=False)


def test_a_place_says_module_function_line_and_code() -> None:
    assert place_text(POOL) == "urllib3/connectionpool.py:_get_conn, line 9, `self.pool.get()`"
    assert place_text(TASK) == "locustfile.py:task, line 3"


def test_a_stack_is_a_frame_a_line_and_says_where_it_is_cut() -> None:
    frames = (Place("own.py", 3, "task", "client.get()"), Place("gevent/hub.py", 7, "switch"))
    cut = Stack(of=StackOf.GROUP, frames=frames, is_cut=True)
    assert frames_text(cut) == "…\nown.py:3 task  client.get()\ngevent/hub.py:7 switch"
    assert frames_text(replace(cut, is_cut=False)).startswith("own.py:3")


def test_a_wait_is_said_in_words() -> None:
    assert awaited_text(Awaited(WaitKind.SOCKET, fd=8, peer="127.0.0.1:5000", direction="read")) == (
        "socket 8 to 127.0.0.1:5000, to read"
    )
    native = Awaited(WaitKind.LOCK, type="LockType", is_native=True, name="self._mutex")
    assert awaited_text(native) == "native lock LockType self._mutex"
    assert awaited_text(None) == "unknown"


@pytest.mark.parametrize(
    ("who", "words"),
    [
        (Who(Whom.USER, 3, "task"), "user 3"),
        (Who(Whom.USER, OTHERS_FROM + 3, "use_pools"), "greenlet 3 of use_pools"),
        (Who(Whom.USER, OTHERS_FROM + 3), "greenlet 3"),
        (Who(Whom.GREENLET, name="Hub"), "Hub"),
        (Who(Whom.MAIN), "the main greenlet"),
        (Who(Whom.THREAD, 7), "thread 7"),
        (Who(Whom.THREAD, 7, "worker"), "thread worker"),
    ],
)
def test_somebody_is_called_by_what_tells_most(who: Who, words: str) -> None:
    assert who_text(who.whom, who.number, who.name) == words


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        (
            Holder(Whom.USER, 2, "task", HeldBy.BLOCK, "with self.mutex", "queue.py", 9, "put"),
            "user 2 (it is inside `with self.mutex` at queue.py:9 in put)",
        ),
        (
            Holder(Whom.THREAD, 8, "", HeldBy.ACQUIRE, "gate.acquire()", "a in b.py", 7, "take", is_certain=False),
            "thread 8 (by `gate.acquire()` at a in b.py:7 in take)",
        ),
        (Holder(Whom.GREENLET, name="serve"), "the greenlet of serve (the lock names it as its owner)"),
        (Holder(Whom.ENDED), "a greenlet that has ended (the lock names it as its owner)"),
    ],
)
def test_a_holder_is_told_with_how_it_is_known(holder: Holder, words: str) -> None:
    assert holder_text(holder) == words


def test_a_guess_about_the_holder_stays_one() -> None:
    holder = Holder(Whom.USER, 2, how=HeldBy.ACQUIRE, code="a.acquire()", file="a.py", line=7, function="take")
    assert held_by(holder) == "held by user 2 (by `a.acquire()` at a.py:7 in take)"
    guess = replace(holder, is_certain=False)
    assert held_by(guess) == "probably held by user 2 (by `a.acquire()` at a.py:7 in take)"


def test_where_a_thread_stands_says_line_code_lock_and_user() -> None:
    where = "urllib3/connectionpool.py:_get_conn, line 9, `self.pool.get()`"
    lock = ", waiting for the native lock `HTTPConnectionPool.pool.mutex`"
    called = Spot(SpotKind.CALL, POOL, wait=MUTEX, who=Who(Whom.USER, 7))
    assert spot_text(called) == f"{where}{lock}, called by user 7"
    assert spot_text(Spot(SpotKind.CALL, POOL, who=Who(Whom.GREENLET, name="Hub"))) == f"{where}, called by Hub"
    assert spot_text(Spot(SpotKind.CALL, TASK)) == "locustfile.py:task, line 3"


@pytest.mark.parametrize(
    ("spot", "words"),
    [
        (Spot(SpotKind.GREENLET, TASK, wait=Awaited(WaitKind.EVENT)), "locustfile.py:task, line 3, waiting for event"),
        (Spot(SpotKind.THREAD, TASK, who=Who(Whom.THREAD, 7)), "thread 7 in locustfile.py:task, line 3"),
        (
            Spot(SpotKind.GEVENT_THREAD, Place("gevent/hub.py", 7, "switch"), wait=Awaited(WaitKind.TIMER)),
            "a thread that gevent runs, gevent/hub.py:switch, line 7, waiting for timer",
        ),
    ],
)
def test_where_a_program_without_users_stands(spot: Spot, words: str) -> None:
    assert spot_text(spot) == words


def test_the_largest_group_is_told_by_its_place() -> None:
    waiting = StuckGroup(2, TASK, Awaited(WaitKind.TIMER))
    assert largest_text(waiting) == "2 in locustfile.py:task, line 3, waiting for timer"
    assert largest_text(StuckGroup(1, TASK, is_running=True)) == "1 in locustfile.py:task, line 3, running"


def test_a_stack_says_whose_it_is() -> None:
    at = Spot(SpotKind.CALL, POOL, who=Who(Whom.USER, 1))
    main = stack_text(Stack(of=StackOf.MAIN_THREAD, frames=(TASK, POOL), spot=at))
    assert main == (
        "main thread: urllib3/connectionpool.py:_get_conn, line 9, `self.pool.get()`, called by user 1\n"
        "locustfile.py:3 task\nurllib3/connectionpool.py:9 HTTPConnectionPool._get_conn  self.pool.get()"
    )
    held = stack_text(Stack(of=StackOf.HOLDER, frames=(TASK,), lock="pool.mutex", holder=HELD))
    assert held == "pool.mutex is held by probably user 2 (it is inside `with self.mutex`)\nlocustfile.py:3 task"
    waiting = Awaited(WaitKind.SOCKET, fd=3, direction="read")
    others = stack_text(Stack(of=StackOf.GROUP, frames=(TASK,), group=StuckGroup(2, TASK, waiting)))
    assert others == "2 users parked on socket 3, to read\nlocustfile.py:3 task"
    one = stack_text(Stack(of=StackOf.GROUP, frames=(TASK,), group=StuckGroup(1, TASK, Awaited(WaitKind.LOCK))))
    assert one == "1 user parked on lock\nlocustfile.py:3 task"
    runs = stack_text(Stack(of=StackOf.GROUP, frames=(), group=StuckGroup(1, None, is_running=True)))
    assert runs == "1 user running\n"


def test_what_python_dropped_is_one_line_and_long_ways_are_cut_in_the_middle() -> None:
    frames = ("weakref.py:__call__", *(f"m.py:f{number}" for number in range(9)))
    assert swallowed_text(Swallowed("<x>", "E", frames)) == (
        "Exception ignored in <x>: E, through m.py:f0 → m.py:f1 → m.py:f2 → … → m.py:f8"
    )
    assert swallowed_text(Swallowed("<x>", "E", frames[:5])).endswith("m.py:f2 → m.py:f3")
