"""What explains a decision, as records: who is stuck on what, where the program stands, what it said, whether it ends."""

from dataclasses import replace

import pytest

from repro.core.hang.dump import Dump, Greenlet, Lock, ParkedAt, Thread
from repro.core.hang.findings import MOST_KEPT, Circumstances, bound_of, findings_of, modules_of
from repro.core.hang.frames import Frame
from repro.core.hang.groups import View
from repro.core.judge.judge import Decision
from repro.core.judge.now import Stuck
from repro.core.judge.samples import Parked, ParkedOn, Raised, Slot
from repro.core.judge.table import TABLE, Facts
from repro.findings import (
    Awaited,
    BackendFindings,
    CauseMatch,
    Ending,
    GilOwner,
    HeldBy,
    Holder,
    Phase,
    Place,
    RaisedAt,
    RowName,
    Spot,
    SpotKind,
    Stack,
    StackOf,
    StuckGroup,
    Swallowed,
    Waiting,
    WaitKind,
    Who,
    Whom,
)
from repro.model import HangClass, Verdict

ROWS = {row.name: row for row in TABLE}
HANGS = [row.name for row in TABLE if row.verdict is Verdict.HANG]
SLOT = Slot(
    number=1, is_user=True, busy=True, operation="ReceiveMessage", began=110, last_end=109, begun=5, ended=4, failed=0,
    poll_s=0, attempt_s=60, ceiling_s=616, born=100, killed=0, greenlet=1,
)  # fmt: skip
AROUND = Circumstances(load_at=100, users=10, seconds=8)
SITE = "/e/lib/python3.11/site-packages/"
TASK = Frame("/me/locustfile.py", 3, "task")
PUT = Frame(f"{SITE}gevent/_threading.py", 188, "Queue.put", "with self._mutex:")
EXIT = Swallowed("<finalize object; dead>", "gevent.exceptions.GreenletExit", ("urllib3/connectionpool.py:_close",))
OUTPUT = f"""Exception ignored in: <x at 0x7f>
Traceback (most recent call last):
  File "{SITE}six.py", line 1, in f
OSError: why
Exception ignored in: <finalize object at 0x7f; dead>
Traceback (most recent call last):
  File "{SITE}urllib3/connectionpool.py", line 1, in _close
gevent.exceptions.GreenletExit
Exception ignored in: <x at 0x8f>
Traceback (most recent call last):
  File "{SITE}six.py", line 1, in f
OSError: why
"""


def stuck(number: int = 1, parked: Parked | None = None, **slot: float | str) -> Stuck:
    return Stuck(1, replace(SLOT, number=number, **slot), 110.0, parked)  # type: ignore[arg-type]  # names of its fields


def decision(name: RowName, *users: Stuck, facts: Facts | None = None) -> Decision:
    return Decision(ROWS[name], facts or Facts(users=len(users)), users, 123.5, 110)


def frozen() -> View:
    """User 7 stands in a native lock that user 2 holds; user 3 waits for a socket."""
    lock = Lock(77, "_thread.lock", ("task_queue._mutex",), 1, holder_greenlet=1002, how=HeldBy.BLOCK, code="with m:")
    greenlets = tuple(
        Greenlet(1000 + user, "Greenlet", "task", "parked", user, False, (TASK,), wait)
        for user, wait in (
            (7, None),
            (2, ParkedAt(WaitKind.READY)),
            (3, ParkedAt(WaitKind.SOCKET, fd=3, direction="read")),
        )
    )
    main = Thread(1, "MainThread", True, False, 1007, (TASK, PUT), ParkedAt(WaitKind.LOCK, lock=77, is_native=True))
    return View(Dump(1, "thread", 0.0, "3.11", "", "", (), greenlets, (main,), {77: lock}), {2, 3, 7})


def test_the_decision_is_kept_with_its_times_and_counts() -> None:
    facts = Facts(phase=Phase.STOPPING, exit_code=3, load_s=7.5, ended=30, failed=20, iterations=9, iteration_errors=8)
    found = findings_of(decision(RowName.DIED, facts=facts), AROUND)
    assert (found.row, found.phase, found.exit_code) == (RowName.DIED, Phase.STOPPING, 3)
    assert (found.since_s, found.silent_s, found.load_s, found.seconds, found.users) == (10, 13.5, 7.5, 8, 10)
    assert (found.ended, found.failed, found.iterations, found.iteration_errors) == (30, 20, 9, 8)
    early = findings_of(decision(RowName.NEVER_BEGAN), replace(AROUND, load_at=120))
    assert early.since_s == 0


def test_the_stuck_are_counted_by_operation_and_by_what_they_wait_for() -> None:
    mutex = Parked(on=ParkedOn.LOCK, wait=Awaited(WaitKind.LOCK, lock="pool.mutex"), holder=Holder(Whom.USER, 3))
    users = [
        stuck(1, Parked(on=ParkedOn.EVENT, wait=Awaited(WaitKind.EVENT))),
        *(stuck(number, mutex) for number in (2, 3)),
        *(stuck(number, Parked(on=ParkedOn.NOTHING), busy=False) for number in (4, 5, 6)),
        stuck(7, operation="SendMessage", began=122),
    ]
    found = findings_of(decision(RowName.LOCKED, *users, facts=Facts(locked=7)), AROUND).stuck
    assert (found.count, found.busy, found.sending) == (7, 4, 1)
    assert found.operations == (("ReceiveMessage", 3), ("SendMessage", 1))
    assert found.waits == (
        Waiting(count=3, wait=Awaited(WaitKind.NOTHING)),
        Waiting(count=2, wait=Awaited(WaitKind.LOCK, lock="pool.mutex"), holder=Holder(Whom.USER, 3)),
        Waiting(count=1, wait=Awaited(WaitKind.EVENT)),
        Waiting(count=1, wait=None),
    )


def test_of_a_crowd_only_the_most_frequent_waits_are_kept() -> None:
    waits = [Parked(on=ParkedOn.SOCKET, wait=Awaited(WaitKind.SOCKET, fd=number)) for number in range(50)]
    users = [stuck(number, wait) for number, wait in enumerate(waits)]
    assert len(findings_of(decision(RowName.NO_ANSWER, *users), AROUND).stuck.waits) == MOST_KEPT


def test_where_the_main_thread_stands_and_who_holds_its_lock_come_from_the_stacks() -> None:
    made = decision(RowName.LOOP_STANDS, stuck(2), facts=Facts(users=3, native_silent=True, loop_silent=True))
    found = findings_of(made, replace(AROUND, views=[frozen()], is_stopped=True))
    lock = Awaited(WaitKind.LOCK, is_native=True, lock="task_queue._mutex")
    at = Spot(SpotKind.CALL, PUT.place, wait=lock, who=Who(Whom.USER, 7, "task"))
    assert (found.program.at, found.program.loop) == (at, at)
    assert found.program.holder == Holder(Whom.USER, 2, "task", HeldBy.BLOCK, "with m:", is_certain=False)
    assert (found.program.is_native_silent, found.program.is_loop_silent, found.program.is_stopped) == (True,) * 3
    assert found.stuck.largest is not None
    assert found.stuck.largest.count == 1


def test_who_holds_the_gil_is_told_where_it_keeps_the_agent_from_running() -> None:
    around = replace(AROUND, gil=GilOwner(is_main=True))
    for is_silent, owner in ((True, around.gil), (False, None)):
        made = decision(RowName.LOOP_STANDS, stuck(2), facts=Facts(native_silent=is_silent))
        assert findings_of(made, around).program.gil == owner


def test_without_a_blocked_main_thread_the_loop_is_the_users_that_run() -> None:
    running = Greenlet(1, "Greenlet", "", "", 1, False, (TASK,), ParkedAt(WaitKind.READY))
    view = View(Dump(1, "loop", 0.0, "", "", "", (), (running,)), {1})
    made = decision(RowName.TURNING, stuck(), facts=Facts(users=1, turning=1, cores=0.9))
    found = findings_of(made, replace(AROUND, views=[view], main_stack=[PUT]))
    assert found.program.loop == Spot(SpotKind.CALL, TASK.place)
    assert found.program.at == Spot(SpotKind.CALL, PUT.place)
    assert (found.program.is_turning, found.program.cores) == (True, 0.9)
    assert found.stuck.largest == StuckGroup(1, TASK.place, is_running=True)


def test_a_program_without_users_stands_where_its_own_code_waits() -> None:
    waiting = Greenlet(1, "Greenlet", "", "", None, False, (TASK,), ParkedAt(WaitKind.EVENT))
    view = View(Dump(1, "loop", 0.0, "", "", "", (), (waiting,)), set())
    around = replace(AROUND, views=[view], main_stack=[PUT])
    found = findings_of(decision(RowName.SILENT_UNEXPLAINED, facts=Facts(is_script=True)), around)
    assert found.program.at == Spot(SpotKind.GREENLET, TASK.place, wait=Awaited(WaitKind.EVENT))
    assert not found.program.has_users


def test_what_the_program_said_is_read_from_its_output() -> None:
    raised = Raised("ValueError: x", f"{SITE}locust/distribution.py", 53, "weight_users")
    own = 'Traceback (most recent call last):\n  File "/me/locustfile.py", line 3, in task\nKeyError: why\n'
    around = replace(AROUND, output=own + OUTPUT, error="NoRegion", raised=raised)
    said = findings_of(decision(RowName.DIED, facts=Facts(exit_code=1)), around).said
    assert said.error == "NoRegion"
    assert said.traceback == said.last_words == "KeyError: why"  # not what Python ignored after it
    assert said.raised == RaisedAt("ValueError: x", Place("locust/distribution.py", 53, "weight_users"))
    assert said.dropped == (Swallowed("<x>", "OSError", ("six.py:f",)), 2)
    assert said.dropped_exit == (EXIT, 1)


def test_the_backend_is_kept_with_what_the_kernel_dropped() -> None:
    around = replace(AROUND, backend=BackendFindings(reason="refused", open_requests=3, refusals=7))
    found = findings_of(decision(RowName.NO_ANSWER, stuck(), facts=Facts(overflows=4, unserved=2)), around)
    assert found.backend == BackendFindings(reason="refused", open_requests=3, refusals=7, overflows=4, unserved=2)


def test_the_modules_of_a_hang_are_those_of_its_stacks_its_places_its_output_and_its_cause() -> None:
    found = findings_of(
        decision(RowName.LOOP_STANDS, stuck(), facts=Facts(users=1)),
        replace(AROUND, views=[frozen()], output=OUTPUT),
        cause=CauseMatch(id="x", title="x", cure="y", shown_by="z", versions=(("zope-event", "1", "<2"),)),
        stacks=(Stack(of=StackOf.GROUP, frames=(Place("boto3/session.py", 1, "f"),)),),
    )
    assert modules_of(found) == ("boto3", "gevent", "locustfile", "six", "urllib3", "zope_event")


# Whether it ends


@pytest.mark.parametrize("name", HANGS)
def test_only_a_request_in_flight_gives_up_by_itself(name: RowName) -> None:
    bound = bound_of(decision(name, stuck()), attempts=5)
    if ROWS[name].hang_class is HangClass.UNANSWERED:
        assert (bound.at_most_s, bound.ending, bound.attempts, bound.attempt_s) == (616, Ending.GIVES_UP, 5, 60)
    else:
        assert bound.at_most_s is None
        assert bound.ending not in {None, Ending.GIVES_UP, Ending.TIMEOUT_NOT_SEEN}


@pytest.mark.parametrize(
    ("ceiling_s", "ending"),
    [(float("inf"), Ending.OPERATION_HAS_NO_TIMEOUT), (0.0, Ending.TIMEOUT_NOT_SEEN)],
)
def test_one_operation_without_a_known_time_out_makes_it_endless(ceiling_s: float, ending: Ending) -> None:
    bound = bound_of(decision(RowName.NO_ANSWER, stuck(1), stuck(2, ceiling_s=ceiling_s)))
    assert (bound.at_most_s, bound.ending) == (None, ending)


def test_no_timeout_of_the_client_covers_what_a_thread_does_for_it() -> None:
    elsewhere, socket = Parked(on=ParkedOn.ELSEWHERE), Parked(on=ParkedOn.SOCKET)
    ends = [bound_of(decision(RowName.NO_ANSWER, stuck(1, elsewhere), stuck(2, two))) for two in (elsewhere, socket)]
    assert [bound.ending for bound in ends] == [Ending.THREAD_HAS_NO_TIMEOUT, Ending.GIVES_UP]


def test_the_steps_before_a_connection_stands_are_counted_by_the_innermost() -> None:
    steps = {1: ("connect", "getaddrinfo"), 2: ("connect",), 3: ("connect", "do_handshake"), 4: ("request",)}
    greenlets = [
        Greenlet(
            number,
            "Greenlet",
            "",
            "parked",
            number,
            False,
            tuple(Frame("/me/x.py", 1, f"C.{name}") for name in names),
            None,
        )
        for number, names in steps.items()
    ]
    view = View(Dump(1, "loop", 0.0, "", "", "", (), tuple(greenlets)), set(steps))
    found = findings_of(decision(RowName.NO_ANSWER, stuck()), replace(AROUND, views=[view])).stuck
    assert (found.resolving, found.connecting, found.handshaking) == (1, 1, 1)


def test_a_wait_that_begins_again_is_no_wait_without_a_time_out() -> None:
    again = stuck(1, Parked(on=ParkedOn.LOCK, has_timeout=True), busy=False)
    assert bound_of(decision(RowName.LOCKED, again)).ending is Ending.WAIT_BEGINS_AGAIN
    assert bound_of(decision(RowName.LOCKED, stuck())).ending is Ending.WAIT_HAS_NO_TIMEOUT


@pytest.mark.parametrize(("attempts", "kept"), [(2, None), (5, 5)])
def test_attempts_that_do_not_fit_the_ceiling_are_not_kept(attempts: int, kept: int | None) -> None:
    bound = bound_of(decision(RowName.NO_ANSWER, stuck(1, ceiling_s=366, attempt_s=60)), attempts=attempts)
    assert bound.attempts == kept
