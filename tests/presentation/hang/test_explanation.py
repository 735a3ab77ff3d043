"""The sentences of a verdict say what is stuck, on what, for whom, since when, and whether it ends."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from repro.core.causes.known_causes import Fact
from repro.core.hang.findings import Circumstances, bound_of, findings_of
from repro.core.judge.judge import Decision
from repro.core.judge.now import Stuck
from repro.core.judge.samples import Parked, ParkedOn, Raised, Slot
from repro.core.judge.table import TABLE, Facts
from repro.findings import (
    Awaited,
    BackendFindings,
    CauseMatch,
    Findings,
    GilOwner,
    HeldBy,
    Holder,
    Phase,
    Place,
    RowName,
    Spot,
    SpotKind,
    Stack,
    StackOf,
    StuckGroup,
    StuckPool,
    Unseen,
    WaitKind,
    Whom,
)
from repro.model import Bound, Hang, HangClass, Trial, Verdict
from repro.presentation.hang.explanation import (
    FACTS_IN_WORDS,
    NEW,
    bound_text,
    cause_text,
    cause_text_of,
    explanation_of,
    reason_of,
    stacks_of,
    title_of,
    unseen_text,
)
from repro.presentation.hang.stacks import gil_owner_text, stack_text
from repro.presentation.hang.verdicts import sentences

ROWS = {row.name: row for row in TABLE}
HANGS = [row.name for row in TABLE if row.verdict is Verdict.HANG]
SLOT = Slot(
    number=1, is_user=True, busy=True, operation="ReceiveMessage", began=110, last_end=109, begun=5, ended=4, failed=0,
    poll_s=0, attempt_s=60, ceiling_s=616, born=100, killed=0, greenlet=1,
)  # fmt: skip
AROUND = Circumstances(load_at=100, users=10, seconds=8)
DROPPED = """Exception ignored in: <finalize object at 0x7f; dead>
Traceback (most recent call last):
  File "/e/site-packages/urllib3/connectionpool.py", line 1, in _close_pool_connections
gevent.exceptions.GreenletExit
"""
IN_F = Spot(SpotKind.CALL, Place("a.py", 1, "f"))


def stuck(number: int = 1, parked: Parked | None = None, **slot: float | str) -> Stuck:
    return Stuck(1, replace(SLOT, number=number, **slot), 110.0, parked)  # type: ignore[arg-type]  # names of its fields


def decision(
    name: RowName, *users: Stuck, facts: Facts | None = None, at: float = 123.5, since: float = 110
) -> Decision:
    return Decision(ROWS[name], facts or Facts(users=len(users)), users, at, since)


def found(
    made: Decision, around: Circumstances = AROUND, *, users: dict[str, Any] | None = None, **program: Any
) -> Findings:
    """The findings of a decision, with what stacks would have told of the users and the program."""
    findings = findings_of(made, around)
    return replace(findings, stuck=replace(findings.stuck, **users or {}), program=replace(findings.program, **program))


def logged(open_requests: int | None) -> Circumstances:
    return replace(AROUND, backend=BackendFindings(open_requests=open_requests))


def explain(
    made: Decision, around: Circumstances = AROUND, *, users: dict[str, Any] | None = None, **program: Any
) -> str:
    return " ".join(sentences(found(made, around, users=users, **program)))


@pytest.mark.parametrize("name", list(ROWS))
def test_every_row_of_the_table_has_its_sentence(name: RowName) -> None:
    said = explain(decision(name, stuck()))
    assert said
    assert "\n" not in said
    bound = bound_of(decision(name, stuck()))
    assert bound_text(bound)


def test_a_freeze_says_since_when_where_and_who_holds() -> None:
    holder = Holder(Whom.USER, 2, how=HeldBy.BLOCK, code="x", is_certain=False)
    at = Spot(SpotKind.CALL, Place("queue.py", 3, "get"))
    around = replace(AROUND, users=2)
    said = explain(decision(RowName.LOOP_STANDS, stuck(1), stuck(2)), around, at=at, holder=holder)
    assert said == (
        "The event loop has been blocked for 13.5 s, since second 10.0 of the load; all users are stuck. "
        "The main thread is at queue.py:get, line 3. That lock is probably held by user 2 (it is inside `x`)."
    )
    held = explain(decision(RowName.LOOP_STANDS, stuck(), facts=Facts(native_silent=True)))
    assert held.endswith("is stuck. No other thread can run Python either: the GIL is held.")


def test_whoever_holds_the_gil_is_named_with_the_c_function_and_the_line() -> None:
    owner = GilOwner(is_main=True, place=Place("mine.py", 7, "work"), function="sleep", library="libc.so.6")
    assert gil_owner_text(owner) == "the main thread, in sleep of libc.so.6, called at mine.py:work, line 7"
    assert gil_owner_text(replace(owner, function="")) == "the main thread, at mine.py:work, line 7"
    assert gil_owner_text(GilOwner(is_main=False, thread="worker")) == "thread worker"
    made = decision(RowName.LOOP_STANDS, stuck(), facts=Facts(native_silent=True))
    assert explain(made, replace(AROUND, gil=owner)).endswith(f": the GIL is held by {gil_owner_text(owner)}.")


def test_who_never_began() -> None:
    said = explain(decision(RowName.NEVER_BEGAN), at=IN_F)
    assert said == "No user started within 14 s. The main thread is at a.py:f, line 1."


def test_a_pool_that_can_never_go_on_is_named_with_its_workers_and_its_queue() -> None:
    pool = StuckPool(type="ThreadPoolExecutor", workers=4, queued=8, place=Place("job.py", 3, "outer"))
    said = explain(decision(RowName.SILENT_PARKED), pools=(pool,))
    assert said.endswith(
        "All 4 workers of a ThreadPoolExecutor wait without a timeout, and 8 tasks in its queue wait for a free "
        "worker. They wait at job.py:outer, line 3."
    )
    for row in (RowName.LOCKED, RowName.PROCESS_OUTLIVES_THE_STOP):
        assert "All 4 workers of a ThreadPoolExecutor wait" in explain(decision(row, stuck()), pools=(pool,))
    both = replace(pool, workers=2)
    assert "Both workers of a ThreadPoolExecutor wait" in explain(decision(RowName.SILENT_PARKED), pools=(both,))
    one = StuckPool(type="ThreadPool", workers=1, queued=1)
    assert explain(decision(RowName.SILENT_PARKED), pools=(one,)).endswith(
        "The one worker of a ThreadPool waits without a timeout, and 1 task in its queue waits for a free worker."
    )
    workers = Stack(of=StackOf.WORKER, frames=(Place("job.py", 3, "outer"),), group=StuckGroup(4, None))
    assert stack_text(workers) == "4 workers of a pool\njob.py:3 outer"


def test_tasks_of_asyncio_are_named_with_the_line_and_what_they_wait_for() -> None:
    place = Place("job.py", 5, "worker", "await q.get()")
    at = Spot(SpotKind.TASK, place, wait=Awaited(WaitKind.EVENT, type="Queue"))
    assert explain(decision(RowName.SILENT_PARKED), at=at).endswith(
        "Its asyncio tasks wait only for each other. A task of asyncio is at job.py:worker, line 5, `await q.get()`, "
        "waiting for an asyncio.Queue."
    )
    unknown = replace(at, wait=Awaited(WaitKind.UNKNOWN))
    assert explain(decision(RowName.SILENT_UNEXPLAINED), at=unknown).endswith("line 5, `await q.get()`")


def test_a_spin_says_how_many_cores_burn_and_whether_the_loop_turns() -> None:
    facts = Facts(users=2, cores=0.98, no_end=True)
    said = explain(decision(RowName.BURNING, stuck(1), stuck(2), facts=facts))
    assert said == (
        "No operation of 2 users has ended for 13.5 s, and the process uses 1.0 CPU cores. The event loop still turns."
    )
    facts = replace(facts, loop_silent=True)
    assert explain(decision(RowName.LOOP_STANDS_BURNING, stuck(), facts=facts), loop=IN_F).endswith(
        "CPU cores. The event loop is blocked. The busy loop is in a.py:f, line 1."
    )


def test_a_deadlock_names_the_locks_by_how_many_wait_and_who_holds_them() -> None:
    mutex = Parked(on=ParkedOn.LOCK, wait=Awaited(WaitKind.LOCK, lock="pool.mutex"), holder=Holder(Whom.USER, 3))
    nothing = Parked(on=ParkedOn.NOTHING)
    event = Parked(on=ParkedOn.EVENT, wait=Awaited(WaitKind.EVENT, name="done"))
    users = [stuck(1, event), stuck(2, mutex), stuck(3, mutex), stuck(4, mutex), stuck(5, nothing), stuck(6, nothing)]
    said = explain(decision(RowName.LOCKED, *users, facts=Facts(locked=6)))
    assert said == (
        "6 of 10 users have been parked since second 10.0 of the load, and nothing will wake them. "
        "3 wait for lock pool.mutex, held by user 3 (the lock names it as its owner). "
        "2 wait for a wake-up that will not come. 1 waits for event done, whose holder is unknown."
    )


def test_an_unread_answer_is_a_deadlock_of_its_own() -> None:
    said = explain(decision(RowName.UNREAD, stuck(), facts=Facts(unread=1)))
    assert said == (
        "1 of 10 users has been waiting in ReceiveMessage (1) since second 10.0 of the load. "
        "The response has arrived in the socket, but nothing reads it."
    )


def test_an_unanswered_request_names_the_operations_the_most_frequent_first() -> None:
    users = [stuck(1), stuck(2, operation="SendMessage"), stuck(3)]
    said = explain(decision(RowName.NO_ANSWER, *users))
    assert said.startswith("3 of 10 users have been waiting in ReceiveMessage (2), SendMessage (1) since second 10.0")
    assert said.endswith("but no byte has come back, although the backend answers health probes.")


@pytest.mark.parametrize(
    ("requests", "end"),
    [
        (None, "answers health probes."),
        (3, "shows 3 requests of this trial that it received and did not answer."),
        (
            0,
            "answered every request it received. The missing ones were lost on the way there or on the way back.",
        ),
    ],
)
def test_the_backends_own_log_tells_where_the_answer_was_lost(requests: int | None, end: str) -> None:
    assert explain(decision(RowName.NO_ANSWER, stuck()), logged(requests)).endswith(end)


def test_who_waits_outside_of_any_operation_is_said_to() -> None:
    waiting = stuck(
        1,
        Parked(on=ParkedOn.SOCKET, wait=Awaited(WaitKind.SOCKET, fd=9, peer="127.0.0.1:80", direction="read")),
        busy=False,
    )
    assert explain(decision(RowName.NO_ANSWER, waiting)) == (
        "1 of 10 users has been waiting outside any operation since second 10.0 of the load. "
        "1 waits for socket 9 to 127.0.0.1:80, to read. No byte has arrived, although the backend answers health probes."
    )


def test_who_waits_for_another_server_is_not_told_of_the_backend() -> None:
    elsewhere = {"elsewhere": ("127.0.0.1:80",)}
    said = explain(decision(RowName.NO_ANSWER, stuck()), logged(0), users=elsewhere)
    assert said.endswith(
        "The request was sent, but no byte has come back from 127.0.0.1:80, which is not this run's backend."
    )
    early = explain(decision(RowName.NO_ANSWER, stuck()), logged(0), users=elsewhere | {"connecting": 1})
    assert early.endswith(
        "They wait for 127.0.0.1:80, which is not this run's backend. 1 of them is still connecting: no request has been sent yet."
    )


def test_who_waits_for_a_name_is_said_to_and_nothing_was_lost_on_the_way() -> None:
    said = explain(decision(RowName.NO_ANSWER, stuck()), logged(0), users={"resolving": 1, "count": 1})
    end = "no request has been sent yet, although the backend answers health probes."
    assert said.endswith(f"1 of them is waiting for a name to be resolved: {end}")


def test_a_time_out_that_is_not_known_is_no_missing_one() -> None:
    assert "cannot be seen" in bound_text(bound_of(decision(RowName.NO_ANSWER, stuck(ceiling_s=0.0))))


def test_one_that_turns_while_others_get_on() -> None:
    made = decision(RowName.TURNING, stuck(), facts=Facts(turning=1, cores=0.9))
    assert explain(made, loop=Spot(SpotKind.CALL, Place("mine.py", 3, "work"))) == (
        "1 of 10 users has been in a busy loop since second 10.0 of the load and completed no operation. "
        "The event loop still turns, and the process uses 0.9 CPU cores. The busy loop is in mine.py:work, line 3."
    )


def test_a_wait_that_begins_again_is_not_said_to_have_no_time_out() -> None:
    users = [stuck(1, Parked(on=ParkedOn.LOCK, has_timeout=True), busy=False)]
    assert "starts again" in bound_text(bound_of(decision(RowName.LOCKED, *users)))


def test_a_freeze_of_one_process_of_several_counts_its_own_users() -> None:
    assert "; 1 of 10 users is stuck." in explain(decision(RowName.LOOP_STANDS, stuck()))


def test_who_outlives_the_stop_goes_on_sending_or_lost_its_exit() -> None:
    name, facts = RowName.USERS_OUTLIVE_THE_STOP, Facts(phase=Phase.STOPPING, users=2, grace_over=True)
    users = [stuck(1, began=119, killed=110), stuck(2, began=122), stuck(3, began=112, last_end=112)]
    said = explain(decision(name, *users, facts=facts))
    assert said == (
        "3 of 10 users were still running 13.5 s after the stop, 2 of them still sending. GreenletExit did not end them."
    )
    untold = explain(decision(name, *users[1:], facts=facts))
    assert untold.endswith("No GreenletExit was raised in them: the stop did not reach the process.")
    lost = explain(decision(name, stuck(1, began=105), facts=facts), replace(AROUND, output=DROPPED * 3))
    assert lost == (
        "1 of 10 users was still running 13.5 s after the stop. Its GreenletExit was raised inside a finalizer or callback, "
        "where Python discards exceptions. The output shows this 3 times: Exception ignored in <finalize object; dead>: "
        "gevent.exceptions.GreenletExit, through urllib3/connectionpool.py:_close_pool_connections."
    )
    largest = StuckGroup(1, Place("mine.py", 9, "on_stop"), wait=Awaited(WaitKind.TIMER))
    placed = explain(decision(name, stuck(1, began=105, killed=110), facts=facts), users={"largest": largest})
    assert placed.endswith(
        "after the stop. GreenletExit did not end it. Largest group: 1 in mine.py:on_stop, line 9, waiting for timer."
    )
    alone = explain(decision(RowName.PROCESS_OUTLIVES_THE_STOP, facts=replace(facts, users=0)))
    assert alone == "All users have ended, but the process was still running 13.5 s after the stop."
    told_once = bound_of(decision(name, stuck(1, killed=110)))
    assert "GreenletExit" in bound_text(told_once)
    assert "GreenletExit" not in bound_text(bound_of(decision(name, stuck(1))))
    assert "GreenletExit" not in bound_text(told_once, RowName.PROCESS_OUTLIVES_THE_STOP)


def test_a_hang_names_the_greenlet_that_died_before() -> None:
    raised = Raised("ValueError: why", "/me/mine.py", 9, "feed", is_greenlet=True)
    said = explain(decision(RowName.LOCKED, stuck()), replace(AROUND, raised=raised))
    assert said.endswith("A greenlet of the program died: ValueError: why, raised in mine.py:feed, line 9.")
    silent = explain(decision(RowName.NOTHING_SENT), replace(AROUND, raised=raised))
    assert silent.endswith(
        "but no operation ended. A greenlet of the program died: ValueError: why, raised in mine.py:feed, line 9"
    )
    of_a_task = replace(AROUND, raised=replace(raised, is_greenlet=False))
    assert "ValueError" not in explain(decision(RowName.LOCKED, stuck()), of_a_task)


def test_who_lost_its_exit_to_the_program_itself_says_where() -> None:
    made = decision(RowName.USERS_OUTLIVE_THE_STOP, stuck())
    caught = explain(made, users={"catch": (Place("…/mine.py", 22, "stubborn", "except:"), 1)})
    assert "1 of them is inside the `try` with `except:` at …/mine.py:stubborn, line 22." in caught
    raised = Raised("RuntimeError: closed", "/me/mine.py", 9, "on_stop")
    replaced = explain(made, replace(AROUND, raised=raised, lost_exits=2))
    assert "replaced GreenletExit 2 times: RuntimeError: closed, raised in mine.py:on_stop, line 9." in replaced


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"own_end_s": 2.0}, "30 operations, 0 failed; the load ended by itself after 2.0 of 8 s"),
        (
            {"is_left_running": True},
            "30 operations, 0 failed; it was still running after 8 s, and --set seconds=N watches it for longer",
        ),
        ({"left_s": 2.0}, "30 operations, 0 failed; all users had ended by second 2.0 of 8, and the process was idle"),
        ({}, "30 operations, 0 failed"),
        (
            {"iterations": 9, "iteration_errors": 4},
            "30 operations, 0 failed; 4 of 9 tasks raised outside any operation: ValueError: why, raised in mine.py:f, line 3",
        ),
    ],
)
def test_a_load_that_did_not_last_its_time_says_so(facts: dict[str, float], words: str) -> None:
    made = decision(RowName.RAN_AND_ENDED, facts=Facts(ended=30, **facts))  # type: ignore[arg-type]  # its fields
    assert explain(made, replace(AROUND, raised=Raised("ValueError: why", "/me/mine.py", 3, "f"))) == words


def test_a_process_that_a_signal_has_stopped_holds_no_gil() -> None:
    made = decision(RowName.LOOP_STANDS, stuck(), facts=Facts(native_silent=True))
    said = explain(made, replace(AROUND, is_stopped=True))
    assert "kill -CONT" in said
    assert "GIL" not in said


def test_before_any_user_began_nothing_is_said_of_users_and_the_load() -> None:
    made = decision(RowName.NO_ANSWER, stuck(), facts=Facts(phase=Phase.START, unanswered=1))
    said = explain(made, AROUND)
    assert said.startswith("No user has started: 1 greenlet has been waiting in")
    assert "of the load" not in said
    spun = decision(RowName.NEVER_BEGAN_BURNING, facts=Facts(phase=Phase.START, start_over=True, cores=0.97))
    assert explain(spun, loop=IN_F) == (
        "No user started within 14 s, and the process uses 1.0 CPU cores. The busy loop is in a.py:f, line 1."
    )


ERROR = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: why\n'


@pytest.mark.parametrize(
    ("name", "facts", "around", "words"),
    [
        (RowName.BACKEND_DIED, Facts(), {"backend": BackendFindings(reason="nothing listens")}, "the backend died: nothing listens"),
        (RowName.ENDED_BEFORE_IT_BEGAN, Facts(exit_code=1), {"output": ERROR}, "exit code 1 before it sent anything: ValueError: why"),
        (RowName.ENDED_BEFORE_IT_BEGAN, Facts(exit_code=0), {}, "ended with exit code 0 before it sent anything"),
        (RowName.DIED, Facts(exit_code=-9, ended=5, failed=1), {}, "killed by signal 9 (SIGKILL) after 5 operations (1 failed)"),
        (RowName.DIED, Facts(exit_code=3), {"output": ERROR}, "ended with exit code 3 after 0 operations (0 failed): ValueError: why"),
        (RowName.ENDED_BY_ITSELF, Facts(exit_code=0, load_s=2.04, ended=3), {}, "ended by itself with exit code 0 after 2.0 of 8 s of load"),
        (RowName.ALL_FAILED, Facts(ended=30, failed=30), {"error": "NoRegion"}, "all 30 operations failed: NoRegion"),
        (RowName.OPERATIONS_FAILED, Facts(ended=30, failed=20), {"output": ERROR}, "30 operations, 20 failed: ValueError: why"),
        (RowName.RAN_AND_ENDED, Facts(ended=30), {}, "30 operations, 0 failed"),
        (RowName.OPERATIONS_FAILED, Facts(ended=30, failed=20), {"backend": BackendFindings(refusals=7)}, "; 7 calls were refused: the budget of requests is spent"),
    ],
)  # fmt: skip
def test_what_is_no_hang_gives_its_reason(name: RowName, facts: Facts, around: dict[str, Any], words: str) -> None:
    said = explain(decision(name, facts=facts), replace(AROUND, **around))
    assert words in said


@pytest.mark.parametrize("name", HANGS)
def test_only_a_request_in_flight_gives_up_by_itself(name: RowName) -> None:
    bound = bound_of(decision(name, stuck()), attempts=5)
    is_unanswered = ROWS[name].hang_class is HangClass.UNANSWERED
    assert bound.at_most_s == (616 if is_unanswered else None)
    assert bound_text(bound).startswith(
        "It gives up after at most 616 s: 5 attempts of up to 60 s" if is_unanswered else "It will not recover"
    )


def test_one_operation_without_a_time_out_makes_it_endless() -> None:
    bound = bound_of(decision(RowName.NO_ANSWER, stuck(1), stuck(2, ceiling_s=float("inf"))))
    assert bound.at_most_s is None
    assert bound_text(bound) == "It will not recover by itself: the operation has no timeout"


def test_the_bound_is_that_of_the_longest() -> None:
    users = [stuck(1, ceiling_s=20, attempt_s=10), stuck(2, ceiling_s=120, attempt_s=60)]
    bound = bound_of(decision(RowName.NO_ANSWER, *users), attempts=1)
    assert bound.at_most_s == 120
    assert "1 attempt of up to 60 s" in bound_text(bound)


def test_attempts_that_do_not_fit_the_ceiling_are_not_named() -> None:
    bound = bound_of(decision(RowName.NO_ANSWER, stuck(1, ceiling_s=366, attempt_s=60)), attempts=2)
    assert "its attempts of up to 60 s" in bound_text(bound)
    bound = bound_of(decision(RowName.NO_ANSWER, stuck(1, ceiling_s=366, attempt_s=60)), attempts=5)
    assert "5 attempts of up to 60 s" in bound_text(bound)


def test_a_known_cause_says_why_it_matches_and_what_cures_it() -> None:
    cause = CauseMatch(
        id="x-1", title="x 1: it stands", cure="some-thing 2", shown_by="an-experiment", upstream="https://example.org/1",
        frames=("a.py:f", "b.py:g"), lines=("Oops: 1",), versions=(("Some_Thing", "1.9", "<2"), ("other", "1", "")),
    )  # fmt: skip
    assert cause_text(cause) == (
        "Known cause: x 1: it stands. Fix: some-thing 2. It matches because "
        "`a.py:f` is in the stacks, `b.py:g` is in the stacks, the output says `Oops: 1`, Some_Thing 1.9 is <2 and other 1 is "
        "installed. To see it alone: `repro run an-experiment`. See https://example.org/1."
    )
    lost = replace(cause, frames=(), unwoken=("gevent/hub.py:sleep",), lines=(), versions=())
    assert "It matches because nothing will wake `gevent/hub.py:sleep`." in cause_text(lost)
    alone = replace(cause, frames=("a.py:f",), lines=(), versions=(), upstream="")
    assert "It matches because `a.py:f` is in the stacks. To see it alone: `repro" in cause_text(alone)


def test_what_was_not_seen_is_said() -> None:
    assert unseen_text(Unseen()) == ""
    assert unseen_text(Unseen(processes=5)) == "5 processes"
    assert unseen_text(Unseen(calls=3)) == "3 calls of other greenlets and threads"
    assert unseen_text(Unseen(users=2, processes=1)) == "2 users and 1 processes"


# A trial


CAUSE = CauseMatch(id="x", title="x 1", cure="x 2", shown_by="e", frames=("a.py:f",))
CAUSE_TEXT = "Known cause: x 1. Fix: x 2. It matches because `a.py:f` is in the stacks. To see it alone: `repro run e`."


def trial(verdict: Verdict, **fields: Any) -> Trial:
    hang = fields.pop("hang", None)
    return Trial(
        cell_id="c", number=1, verdict=verdict, started=datetime(2026, 1, 1, tzinfo=UTC), seconds=1, hang=hang, **fields
    )


def hung(findings: Findings | None, **fields: Any) -> Trial:
    hang = Hang(
        hang_class=HangClass.FROZEN, users_stuck=1, users=2, stuck_since_s=0, bound=Bound(at_most_s=None, why="it ends"),
        explanation="told", cause_text="a cause", stacks=("a stack",),
    )  # fmt: skip
    return trial(Verdict.HANG, hang=hang, findings=findings, **fields)


def test_a_trial_of_an_older_version_shows_the_sentences_that_were_stored_with_it() -> None:
    stored = hung(None, reason="told; 3 users were not seen")
    assert reason_of(stored) == title_of(stored) == "told; 3 users were not seen"
    assert (explanation_of(stored), cause_text_of(stored), stacks_of(stored)) == ("told", "a cause", ("a stack",))
    assert stored.hang is not None
    assert bound_text(stored.hang.bound) == "it ends"


def test_what_a_trial_has_found_counts_before_what_was_stored() -> None:
    findings = found(decision(RowName.LOOP_STANDS, stuck(), facts=Facts(native_silent=True)), at=IN_F)
    made = hung(replace(findings, unseen=Unseen(users=3)), reason="x")
    said = (
        "The event loop has been blocked for 13.5 s, since second 10.0 of the load; 1 of 10 users is stuck. "
        "The main thread is at a.py:f, line 1. No other thread can run Python either: the GIL is held."
    )
    assert explanation_of(made) == said
    assert reason_of(made) == f"{said} Not seen: 3 users (docs/reference/limits.md)."
    assert cause_text_of(made) == NEW
    assert title_of(made) == said.partition(". ")[0]
    known = replace(made, findings=replace(findings, cause=CAUSE))
    assert (cause_text_of(known), title_of(known)) == (CAUSE_TEXT, "Known cause: x 1")
    assert reason_of(known) == said


def test_the_stacks_of_a_trial_begin_with_what_python_dropped_most() -> None:
    findings = found(decision(RowName.USERS_OUTLIVE_THE_STOP, stuck()), replace(AROUND, output=DROPPED * 2))
    group = Stack(
        of=StackOf.GROUP,
        frames=(Place("mine.py", 3, "task", "get()"),),
        is_cut=True,
        group=StuckGroup(2, None, Awaited(WaitKind.LOCK)),
    )
    dropped, waiting = stacks_of(hung(replace(findings, stacks=(group,))))
    assert dropped == (
        "2 × Exception ignored in <finalize object; dead>: gevent.exceptions.GreenletExit, through "
        "urllib3/connectionpool.py:_close_pool_connections"
    )
    assert waiting == "2 users parked on lock\n…\nmine.py:3 task  get()"


def test_what_is_no_hang_has_its_known_cause_in_its_reason() -> None:
    findings = found(decision(RowName.ALL_FAILED, facts=Facts(ended=30, failed=30)))
    crash = trial(Verdict.CRASH, findings=replace(findings, cause=CAUSE))
    assert reason_of(crash) == f"all 30 operations failed. {CAUSE_TEXT}"
    assert (explanation_of(crash), cause_text_of(crash), stacks_of(crash)) == ("", "", ())


def test_what_was_never_decided_is_told_by_whoever_refused_it() -> None:
    assert reason_of(trial(Verdict.UNTESTABLE, reason="no such release")) == "no such release"
    assert reason_of(trial(Verdict.INTERRUPTED)) == "interrupted"


def test_what_a_greenlet_died_of_is_said_with_its_place() -> None:
    raised = Raised(
        "ValueError: math domain error", "/e/lib/python3.11/site-packages/locust/distribution.py", 53, "A.f"
    )
    made = decision(RowName.NO_USER_STARTED, facts=Facts(phase=Phase.START, starters_died=True))
    assert explain(made, replace(AROUND, raised=raised)) == (
        "no user could be started: ValueError: math domain error, raised in locust/distribution.py:A.f, line 53"
    )
    assert explain(made, replace(AROUND, output=ERROR)) == "no user could be started: ValueError: why"


def test_every_fact_has_its_words() -> None:
    assert set(FACTS_IN_WORDS) == {fact.value for fact in Fact}
