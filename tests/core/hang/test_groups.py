"""Who waits for what, who blocks and who holds, from stacks."""

from collections.abc import Sequence
from dataclasses import replace

from repro.core.hang.dump import Dump, Greenlet, Lock, ParkedAt, Thread
from repro.core.hang.frames import Frame
from repro.core.hang.groups import (
    MOST_GROUPS,
    View,
    blocked_main,
    grouped,
    innermost,
    largest,
    left_waiting,
    loop_of,
    native_call,
    native_holder,
    outermost,
    peers_elsewhere,
    seen_frames,
    telling_stacks,
    turning,
    unwoken_frames,
    waiting_place,
)
from repro.findings import Awaited, HeldBy, Holder, Spot, SpotKind, Stack, StackOf, StuckGroup, WaitKind, Who, Whom
from repro.model import HangClass

SITE = "/e/lib/python3.11/site-packages/"
TASK = Frame("/me/locustfile.py", 3, "task")
POOL = Frame(f"{SITE}urllib3/connectionpool.py", 9, "HTTPConnectionPool._get_conn", "self.pool.get()")
READ = Frame(f"{SITE}urllib3/response.py", 5, "read")
HUB = Frame(f"{SITE}gevent/hub.py", 7, "switch")
LOCUST = Frame(f"{SITE}locust/user/users.py", 1, "run")
MUTEX = Lock(
    77,
    "_thread.lock",
    ("HTTPConnectionPool.pool.mutex",),
    2,
    holder_greenlet=1002,
    how=HeldBy.BLOCK,
    code="with self.mutex:",
)


def greenlet(user: int | None, stack: Sequence[Frame], wait: ParkedAt | None = None, *, run: str = "") -> Greenlet:
    return Greenlet(1000 + (user or 0), "Greenlet", run, "parked", user, False, tuple(stack), wait)


def main_thread(stack: Sequence[Frame], *, greenlet: int = 0, lock: int = 0, is_dumping: bool = False) -> Thread:
    wait = ParkedAt(WaitKind.LOCK, lock=lock, is_native=True) if lock else None
    return Thread(1, "MainThread", True, is_dumping, greenlet, tuple(stack), wait)


def dump(*greenlets: Greenlet, threads: Sequence[Thread] = (), locks: Sequence[Lock] = (), mode: str = "loop") -> Dump:
    return Dump(1, mode, 0.0, "3.11", "24.2.1", "3", (), greenlets, tuple(threads), {lock.id: lock for lock in locks})


def view(made: Dump, *users: int) -> View:
    return View(made, users or [one.user for one in made.greenlets if one.user is not None])


def test_groups_are_by_what_is_waited_for_and_where() -> None:
    lock, socket = (
        ParkedAt(WaitKind.LOCK, lock=77),
        ParkedAt(WaitKind.SOCKET, fd=8, peer="127.0.0.1:1", direction="read"),
    )
    made = dump(
        greenlet(1, [TASK, READ, HUB], socket),
        greenlet(2, [TASK, POOL, HUB], lock),
        greenlet(3, [TASK, POOL, HUB], lock),
        greenlet(4, [TASK, READ, HUB], lock),
        greenlet(5, [TASK, READ, HUB]),
        greenlet(None, [TASK, READ, HUB], socket),
    )
    found = grouped([view(made, 1, 2, 3, 4, 5), view(dump(greenlet(9, [TASK, READ], socket)), 9)])
    assert [(group.count, group.kind, group.frames[-1]) for group in found] == [
        (2, "lock", "urllib3/connectionpool.py:_get_conn"),
        (2, "socket", "urllib3/response.py:read"),
        (1, "lock", "urllib3/response.py:read"),
        (1, "unknown", "urllib3/response.py:read"),
    ]
    assert [group.example.user for group in found] == [2, 1, 4, 5]
    assert found[0].key == ("lock", ("locustfile.py:task", "urllib3/connectionpool.py:_get_conn"))


def test_who_is_not_stuck_is_in_no_group() -> None:
    made = dump(greenlet(1, [TASK]), greenlet(2, [TASK]))
    assert [group.count for group in grouped([view(made, 2)])] == [1]
    assert grouped([View(made, ())]) == ()


def test_the_ends_of_a_stack_leave_machinery_out_and_count_a_recursion_once() -> None:
    stack = [LOCUST, TASK, READ, READ, READ, POOL, HUB]
    assert innermost(stack) == (
        "locust/user/users.py:run",
        "locustfile.py:task",
        "urllib3/response.py:read",
        "urllib3/connectionpool.py:_get_conn",
    )
    assert innermost(stack, most=1) == ("urllib3/connectionpool.py:_get_conn",)
    assert outermost(stack, most=2) == ("locustfile.py:task", "urllib3/response.py:read")
    assert outermost([LOCUST, HUB]) == ("locust/user/users.py:run",)
    assert innermost([HUB]) == ("gevent/hub.py:switch",)
    assert innermost([]) == outermost([]) == ()


def test_a_main_thread_blocks_only_when_another_thread_had_to_write_its_stacks() -> None:
    main = main_thread([POOL])
    blocked = dump(threads=[main], mode="thread")
    assert blocked_main([view(dump(threads=[main])), view(blocked)]) == (blocked, main)
    assert blocked_main([view(dump(threads=[main]))]) is None
    assert blocked_main([view(dump(threads=[main_thread([POOL], is_dumping=True)], mode="thread"))]) is None
    assert blocked_main([view(dump(mode="thread"))]) is None


def test_where_a_thread_stands_says_line_code_lock_and_user() -> None:
    user, hub = greenlet(7, [TASK]), Greenlet(5, "Hub", "", "", None, True, (), None)
    made = dump(user, hub, locks=[MUTEX])
    lock = Awaited(WaitKind.LOCK, is_native=True, lock="HTTPConnectionPool.pool.mutex")
    held = native_call(made, main_thread([POOL], greenlet=1007, lock=77))
    assert held == Spot(SpotKind.CALL, POOL.place, wait=lock, who=Who(Whom.USER, 7))
    assert native_call(made, main_thread([POOL], greenlet=5)) == Spot(
        SpotKind.CALL, POOL.place, who=Who(Whom.GREENLET, name="Hub")
    )
    assert native_call(made, main_thread([READ])) == Spot(SpotKind.CALL, READ.place)
    assert native_call(made, main_thread([])) is None


def test_who_holds_a_native_lock_is_said_where_it_is_known() -> None:
    made = dump(greenlet(2, [TASK]), locks=[MUTEX])
    held = Holder(Whom.USER, 2, how=HeldBy.BLOCK, code="with self.mutex:", is_certain=False)
    assert native_holder(made, main_thread([POOL], lock=77)) == held
    assert native_holder(made, main_thread([POOL], lock=78)) is None
    assert native_holder(made, main_thread([POOL])) is None


def test_of_a_freeze_the_main_thread_comes_first_then_who_holds_then_one_group_of_the_others() -> None:
    made = dump(
        greenlet(1, [TASK, POOL]),
        greenlet(2, [TASK, READ, HUB], ParkedAt(WaitKind.SOCKET, fd=3, direction="read")),
        greenlet(3, [TASK, READ, HUB], ParkedAt(WaitKind.SOCKET, fd=4, direction="read")),
        threads=[main_thread([TASK, POOL], greenlet=1001, lock=77)],
        locks=[MUTEX],
        mode="thread",
    )
    main, holder, others = telling_stacks([view(made)], HangClass.FROZEN)
    lock = Awaited(WaitKind.LOCK, is_native=True, lock="HTTPConnectionPool.pool.mutex")
    at = Spot(SpotKind.CALL, POOL.place, wait=lock, who=Who(Whom.USER, 1))
    assert main == Stack(of=StackOf.MAIN_THREAD, frames=(TASK.place, POOL.place), spot=at)
    held = Holder(Whom.USER, 2, how=HeldBy.BLOCK, code="with self.mutex:", is_certain=False)
    assert (holder.of, holder.lock, holder.holder) == (StackOf.HOLDER, "HTTPConnectionPool.pool.mutex", held)
    waiting = StuckGroup(2, READ.place, Awaited(WaitKind.SOCKET, fd=3, direction="read"))
    assert others == Stack(of=StackOf.GROUP, frames=(TASK.place, READ.place, HUB.place), group=waiting)


def test_of_a_deadlock_who_holds_comes_before_who_waits_and_not_too_many_are_shown() -> None:
    places = [Frame("/me/locustfile.py", number, f"task_{number}") for number in range(9)]
    made = dump(
        *(greenlet(number, [place], ParkedAt(WaitKind.LOCK, lock=77)) for number, place in enumerate(places)),
        locks=[MUTEX],
    )
    first, *waiting = telling_stacks([view(made)], HangClass.DEADLOCKED)
    assert (first.of, first.frames) == (StackOf.HOLDER, (places[2].place,))
    assert len(waiting) == MOST_GROUPS
    group = StuckGroup(1, places[0].place, Awaited(WaitKind.LOCK))
    assert waiting[0] == Stack(of=StackOf.GROUP, frames=(places[0].place,), group=group)


def test_all_frames_that_matter_are_seen_and_others_are_not() -> None:
    in_turn, elsewhere = replace(MUTEX, id=78, holder_greenlet=1006), replace(MUTEX, id=79, holder_greenlet=1005)
    holder = Greenlet(1002, "Greenlet", "", "parked", None, False, (READ,), ParkedAt(WaitKind.LOCK, lock=78))
    made = dump(
        greenlet(1, [TASK], ParkedAt(WaitKind.LOCK, lock=77)),
        greenlet(5, [LOCUST]),
        greenlet(6, [HUB]),
        holder,
        threads=[main_thread([POOL])],
        locks=[MUTEX, in_turn, elsewhere],
        mode="thread",
    )
    held = {"locustfile.py:task", "urllib3/response.py:read", HUB.normalised, "weakref.py:__call__"}
    dropped = [("weakref.py:__call__",)]
    assert seen_frames([view(made, 1)], dropped=dropped) == held | {"urllib3/connectionpool.py:_get_conn"}
    assert seen_frames([view(made, 1)], dropped=dropped, has_main=False) == held
    assert seen_frames([]) == frozenset()


def test_a_user_that_turns_is_found_and_its_loop_named_by_a_frame_of_its_own_program() -> None:
    polling = greenlet(1, [LOCUST, TASK, HUB], ParkedAt(WaitKind.READY))
    waiting = greenlet(2, [LOCUST, TASK, READ], ParkedAt(WaitKind.SOCKET))
    assert turning([view(dump(waiting), 2)]) is None
    assert turning([view(dump(waiting, polling), 1, 2)]) == polling
    assert loop_of(polling.stack) == TASK.place
    assert loop_of([]) is None


ANSWER = Frame("/me/setup.py", 30, "end")


def test_where_a_program_without_users_stands_is_in_code_of_its_own_where_that_can_be() -> None:
    asleep = greenlet(None, [TASK, HUB], ParkedAt(WaitKind.TIMER))
    waiting = greenlet(None, [TASK, HUB], ParkedAt(WaitKind.EVENT))
    machinery = greenlet(None, [LOCUST, HUB], ParkedAt(WaitKind.EVENT))
    fired = Frame("/e/lib/python3.11/site-packages/locust/event.py", 45, "EventHook.fire")
    listener = greenlet(None, [fired, ANSWER, HUB], ParkedAt(WaitKind.TIMER))
    worker = Thread(7, "", False, False, 0, (TASK,), None)
    joined = greenlet(None, [HUB], ParkedAt(WaitKind.TIMER), run="Thread._bootstrap")
    in_hub = main_thread([HUB])
    of_thread = Spot(SpotKind.GEVENT_THREAD, HUB.place, wait=Awaited(WaitKind.TIMER))
    for made, expected in (
        (dump(waiting, threads=[main_thread([TASK])], mode="thread"), Spot(SpotKind.CALL, TASK.place)),
        (
            dump(machinery, asleep, waiting, threads=[in_hub], mode="thread"),
            Spot(SpotKind.GREENLET, TASK.place, wait=Awaited(WaitKind.EVENT)),
        ),
        (dump(waiting, listener), Spot(SpotKind.GREENLET, ANSWER.place, wait=Awaited(WaitKind.TIMER))),
        (dump(machinery, asleep), Spot(SpotKind.GREENLET, TASK.place, wait=Awaited(WaitKind.TIMER))),
        (dump(machinery, threads=[in_hub, worker]), Spot(SpotKind.THREAD, TASK.place, who=Who(Whom.THREAD, 7))),
        (dump(joined, threads=[in_hub]), of_thread),
        (dump(machinery, threads=[in_hub], mode="thread"), Spot(SpotKind.CALL, HUB.place)),
        (dump(machinery, threads=[in_hub]), None),
    ):
        assert waiting_place([view(made)]) == expected


def test_the_largest_group_is_known_by_the_place_of_most_of_its_users() -> None:
    asleep = [greenlet(number, [LOCUST, TASK, HUB], ParkedAt(WaitKind.TIMER)) for number in (1, 2)]
    turns = greenlet(3, [LOCUST, TASK], ParkedAt(WaitKind.READY))
    assert largest([view(dump(*asleep, turns))]) == StuckGroup(2, TASK.place, Awaited(WaitKind.TIMER))
    assert largest([view(dump(turns))]) == StuckGroup(1, TASK.place, is_running=True)
    assert largest([view(dump())]) is None


def test_who_waits_for_another_server_than_the_backend_is_told_by_the_peers_of_the_sockets() -> None:
    def waiting(*peers: str) -> list[View]:
        users = enumerate(peers, 1)
        return [
            view(
                dump(*(greenlet(number, [TASK, READ], ParkedAt(WaitKind.SOCKET, peer=peer)) for number, peer in users))
            )
        ]

    backend = "http://127.0.0.1:5000"
    assert peers_elsewhere(waiting("127.0.0.1:80", "127.0.0.1:80"), backend) == ("127.0.0.1:80",)
    assert peers_elsewhere(waiting("127.0.0.1:80", "127.0.0.1:5000"), backend) == ()
    assert peers_elsewhere(waiting("127.0.0.1:80", ""), backend) == ()
    assert peers_elsewhere(waiting("10.0.0.1:443"), "https://sqs.eu-west-1.amazonaws.com") == ()
    assert peers_elsewhere(waiting("127.0.0.1:80"), "") == ()
    assert peers_elsewhere([view(dump(greenlet(1, [TASK], ParkedAt(WaitKind.EVENT))))], backend) == ()


def test_a_lost_wake_up_is_a_frame_of_its_own() -> None:
    waiting, lost = ParkedAt(WaitKind.LOCK, lock=77), ParkedAt(WaitKind.NOTHING)
    made = dump(greenlet(1, [TASK, POOL], lost), greenlet(2, [TASK, HUB], waiting), locks=[MUTEX])
    assert unwoken_frames([view(made)]) == {"urllib3/connectionpool.py:_get_conn"}


JOIN = Frame(f"{SITE}gevent/pool.py", 430, "join")
SLEEP = Frame(f"{SITE}gevent/hub.py", 166, "sleep")


def test_who_is_left_waiting_is_the_only_one_that_waits_for_others():
    main = greenlet(None, [LOCUST, JOIN], ParkedAt(WaitKind.EVENT))
    printer = greenlet(None, [LOCUST, SLEEP], ParkedAt(WaitKind.TIMER, has_timeout=True))
    loop = greenlet(None, [HUB], ParkedAt(WaitKind.HUB))
    assert left_waiting([view(dump(main, printer, loop))]) is main
    listener = greenlet(None, [LOCUST, TASK], ParkedAt(WaitKind.EVENT))
    assert left_waiting([view(dump(main, printer, listener))]) is None
    napping = greenlet(None, [LOCUST, TASK, SLEEP], ParkedAt(WaitKind.TIMER, has_timeout=True))
    assert left_waiting([view(dump(main, napping))]) is None
    assert left_waiting([view(dump(main, greenlet(None, [LOCUST, READ], ParkedAt(WaitKind.SOCKET))))]) is None
    assert left_waiting([view(dump(printer, loop))]) is None


def test_the_frames_of_a_process_that_exits_are_those_of_all_that_it_waits_for() -> None:
    exits = (Frame("/usr/lib/python3.13/threading.py", 9, "_shutdown"),)
    worker = (Frame("/usr/lib/python3.13/concurrent/futures/thread.py", 9, "_worker"),)
    waits = (Greenlet(1, "Greenlet", "", "parked", None, False, worker, ParkedAt(WaitKind.QUEUE)),)
    main = (Greenlet(2, "greenlet", "", "parked", None, False, exits, ParkedAt(WaitKind.TIMER)),)
    running = Dump(1, "loop", 0.0, "3.13", "26.5.0", "3", greenlets=waits)
    assert seen_frames([View(running, [])]) == frozenset()
    exiting = replace(running, greenlets=waits + main)
    assert seen_frames([View(exiting, [])]) == {"threading.py:_shutdown", "concurrent/futures/thread.py:_worker"}
