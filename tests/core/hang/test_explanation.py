"""The sentences of a verdict say what is stuck, on what, for whom, since when, and whether it ends."""

from dataclasses import replace

import pytest

from repro.core.hang.explanation import Circumstances, bound_of, explain, held_by
from repro.core.judge.judge import Decision
from repro.core.judge.now import Stuck
from repro.core.judge.samples import HeldBy, Holder, Parked, ParkedOn, Slot, Whom
from repro.core.judge.table import TABLE, Facts, Phase
from repro.model import HangClass, Verdict

ROWS = {row.name: row for row in TABLE}
HANGS = [row.name for row in TABLE if row.verdict is Verdict.HANG]
OTHERS = [row.name for row in TABLE if row.verdict is not Verdict.HANG]
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


def stuck(number: int = 1, parked: Parked | None = None, **slot: float | str) -> Stuck:
    return Stuck(1, replace(SLOT, number=number, **slot), 110.0, parked)  # type: ignore[arg-type]  # names of its fields


def decision(name: str, *users: Stuck, facts: Facts | None = None, at: float = 123.5, since: float = 110) -> Decision:
    return Decision(ROWS[name], facts or Facts(users=len(users)), users, at, since)


@pytest.mark.parametrize("name", list(ROWS))
def test_every_row_of_the_table_has_its_sentence(name: str) -> None:
    said = explain(decision(name, stuck()), AROUND)
    assert said
    assert "\n" not in said
    bound = bound_of(decision(name, stuck()))
    assert bound.why


def test_a_freeze_says_since_when_where_and_who_holds() -> None:
    holder = Holder(Whom.USER, 2, how=HeldBy.BLOCK, code="x", is_certain=False)
    around = replace(AROUND, users=2, native_call="queue.py:get, line 3", native_holder=holder)
    said = explain(decision("the event loop stands", stuck(1), stuck(2)), around)
    assert said == (
        "The event loop has not turned for 13.5 s, since second 10.0 of the load; all 2 users stand still: the main "
        "thread stands in queue.py:get, line 3. That lock is probably held by user 2 (it stands in `x`)."
    )
    held = explain(decision("the event loop stands", stuck(), facts=Facts(native_silent=True)), AROUND)
    assert held.endswith("stand still. The agent's native thread does not run either: the GIL is held.")


def test_who_never_began() -> None:
    around = replace(AROUND, native_call="a.py:f, line 1")
    assert (
        explain(decision("never began"), around) == "No user ever began in 14 s: the process stands in a.py:f, line 1."
    )


def test_a_spin_says_how_many_cores_burn_and_whether_the_loop_turns() -> None:
    facts = Facts(users=2, cores=0.98, no_end=True)
    said = explain(decision("the loop turns, a core burns, nothing ends", stuck(1), stuck(2), facts=facts), AROUND)
    assert said == "No operation of 2 users has ended for 13.5 s while 1.0 cores burn: the event loop turns."
    facts = replace(facts, loop_silent=True)
    around = replace(AROUND, loop="a.py:f, line 1")
    assert explain(decision("the event loop stands, a core burns", stuck(), facts=facts), around).endswith(
        "cores burn, in a.py:f, line 1: the event loop does not turn."
    )


def test_a_deadlock_names_the_locks_by_how_many_wait_and_who_holds_them() -> None:
    mutex = Parked(on=ParkedOn.LOCK, detail="lock pool.mutex", holder=Holder(Whom.USER, 3))
    nothing = Parked(on=ParkedOn.NOTHING)
    event = Parked(on=ParkedOn.EVENT, detail="event done")
    users = [stuck(1, event), stuck(2, mutex), stuck(3, mutex), stuck(4, mutex), stuck(5, nothing), stuck(6, nothing)]
    said = explain(decision("users parked on locks", *users, facts=Facts(locked=6)), AROUND)
    assert said == (
        "6 of 10 users are parked for good since second 10.0 of the load, 3 on lock pool.mutex, held by user 3 (the lock names it); "
        "2 on nothing that could wake it; 1 on event done, holder unknown."
    )


def test_an_unread_answer_is_a_deadlock_of_its_own() -> None:
    said = explain(decision("answers lie unread", stuck(), facts=Facts(unread=1)), AROUND)
    assert said == (
        "1 of 10 users is in flight in ReceiveMessage (1) since second 10.0 of the load: an answer lies unread in the "
        "socket, and nobody reads it."
    )


def test_an_unanswered_request_names_the_operations_the_most_frequent_first() -> None:
    users = [stuck(1), stuck(2, operation="SendMessage"), stuck(3)]
    said = explain(decision("no byte came back", *users), AROUND)
    assert said.startswith("3 of 10 users are waiting in ReceiveMessage (2), SendMessage (1) since second 10.0")
    assert said.endswith("and the backend answers its own probe.")


@pytest.mark.parametrize(
    ("requests", "end"),
    [
        (None, "answers its own probe."),
        (3, "it has received 3 requests of this queue and not answered them."),
        (0, "it has answered all that it received: what is missing never arrived there, or was lost on the way back."),
    ],
)
def test_the_backends_own_log_tells_where_the_answer_was_lost(requests: int | None, end: str) -> None:
    assert explain(decision("no byte came back", stuck()), replace(AROUND, open_requests=requests)).endswith(end)


def test_who_waits_outside_of_any_operation_is_said_to() -> None:
    waiting = stuck(1, Parked(on=ParkedOn.SOCKET, detail="socket 9 to 127.0.0.1:80, to read"), busy=False)
    assert explain(decision("no byte came back", waiting), AROUND) == (
        "1 of 10 users is waiting outside of any operation since second 10.0 of the load, 1 on socket 9 to 127.0.0.1:80, "
        "to read: no byte came, and the backend answers its own probe."
    )


def test_who_waits_for_another_server_is_not_told_of_the_backend() -> None:
    around = replace(AROUND, elsewhere="127.0.0.1:80", open_requests=0)
    said = explain(decision("no byte came back", stuck()), around)
    assert said.endswith("the request left, no byte came back from 127.0.0.1:80, which is not this run's backend.")
    early = explain(decision("no byte came back", stuck()), replace(around, connecting=1))
    assert early.endswith(
        "they wait for 127.0.0.1:80, which is not this run's backend, 1 of them to be connected; of those no request has left."
    )


def test_a_time_out_that_is_not_known_is_no_missing_one() -> None:
    assert "cannot be seen" in bound_of(decision("no byte came back", stuck(ceiling_s=0.0))).why


def test_one_that_turns_while_others_get_on() -> None:
    made = decision("users turn in a loop, others get on", stuck(), facts=Facts(turning=1, cores=0.9))
    assert explain(made, replace(AROUND, loop="mine.py:work, line 3")) == (
        "1 of 10 users is running in a loop, in mine.py:work, line 3, since second 10.0 of the load and ends no operation, while "
        "the event loop turns and 0.9 cores burn."
    )


def test_a_wait_that_begins_again_is_not_said_to_have_no_time_out() -> None:
    users = [stuck(1, Parked(on=ParkedOn.LOCK, has_timeout=True), busy=False)]
    assert "begins again" in bound_of(decision("users parked on locks", *users)).why


def test_a_freeze_of_one_process_of_several_counts_its_own_users() -> None:
    assert "; 1 of 10 users stand still" in explain(decision("the event loop stands", stuck()), AROUND)


def test_who_outlives_the_stop_goes_on_sending_or_lost_its_exit() -> None:
    name, facts = "users outlive the stop", Facts(phase=Phase.STOPPING, users=2, grace_over=True)
    users = [stuck(1, began=119), stuck(2, began=122), stuck(3, began=112, last_end=112)]
    said = explain(decision(name, *users, facts=facts), AROUND)
    assert said == (
        "3 of 10 users live on 13.5 s after the stop, and 2 of them go on sending: they survived their GreenletExit."
    )
    lost = explain(decision(name, stuck(1, began=105), facts=facts), replace(AROUND, output=DROPPED * 3))
    assert lost == (
        "1 of 10 users lives on 13.5 s after the stop: its GreenletExit was thrown into code whose exceptions Python "
        "drops. Exception ignored in <finalize object; dead>: gevent.exceptions.GreenletExit, through "
        "urllib3/connectionpool.py:_close_pool_connections (3 times in the output)."
    )
    placed = explain(
        decision(name, stuck(1, began=105), facts=facts), replace(AROUND, survivors="1 in mine.py:on_stop")
    )
    assert placed.endswith("13.5 s after the stop: it survived its GreenletExit; 1 in mine.py:on_stop.")
    alone = explain(decision("the process outlives the stop", facts=replace(facts, users=0)), AROUND)
    assert alone == "All users have ended, but the process will not exit, 13.5 s after the stop."


def test_a_process_that_a_signal_has_stopped_holds_no_gil() -> None:
    made = decision("the event loop stands", stuck(), facts=Facts(native_silent=True))
    said = explain(made, replace(AROUND, is_stopped=True))
    assert "kill -CONT" in said
    assert "GIL" not in said


def test_before_any_user_began_nothing_is_said_of_users_and_the_load() -> None:
    made = decision("no byte came back", stuck(), facts=Facts(phase=Phase.START, unanswered=1))
    said = explain(made, AROUND)
    assert said.startswith("Before any user began: 1 greenlet is waiting in")
    assert "of the load" not in said
    spun = decision("never began, a core burns", facts=Facts(phase=Phase.START, start_over=True, cores=0.97))
    assert explain(spun, replace(AROUND, loop="a.py:f, line 1")) == (
        "No user ever began in 14 s, while 1.0 cores burn, in a.py:f, line 1."
    )


ERROR = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: why\n'


@pytest.mark.parametrize(
    ("name", "facts", "around", "words"),
    [
        ("the backend has died", Facts(), {"backend_reason": "nothing listens"}, "the backend has died: nothing listens"),
        ("ended before it began", Facts(exit_code=1), {"output": ERROR}, "exit code 1 before it sent anything: ValueError: why"),
        ("ended before it began", Facts(exit_code=0), {}, "ended with exit code 0 before it sent anything"),
        ("died", Facts(exit_code=-9, ended=5, failed=1), {}, "killed by signal 9 after 5 operations ended, 1 of them failed"),
        ("died", Facts(exit_code=3), {"output": ERROR}, "ended with exit code 3 after 0 operations ended, 0 of them failed: ValueError: why"),
        ("ended by itself", Facts(exit_code=0, load_s=2.04, ended=3), {}, "ended by itself with exit code 0 after 2.0 of 8 s of load"),
        ("every operation failed at once", Facts(ended=30, failed=30), {"error": "NoRegion"}, "all 30 operations failed: NoRegion"),
        ("operations failed", Facts(ended=30, failed=20), {"output": ERROR}, "30 operations ended, 20 of them failed: ValueError: why"),
        ("ran and ended", Facts(ended=30), {}, "30 operations ended, 0 of them failed"),
        ("operations failed", Facts(ended=30, failed=20), {"budget_refusals": 7}, "; 7 calls were refused: the budget of requests is spent"),
    ],
)  # fmt: skip
def test_what_is_no_hang_gives_its_reason(name: str, facts: Facts, around: dict[str, str], words: str) -> None:
    said = explain(decision(name, facts=facts), replace(AROUND, **around))  # type: ignore[arg-type]  # names of its fields
    assert words in said


@pytest.mark.parametrize("name", HANGS)
def test_only_a_request_in_flight_gives_up_by_itself(name: str) -> None:
    bound = bound_of(decision(name, stuck()), attempts=5)
    is_unanswered = ROWS[name].hang_class is HangClass.UNANSWERED
    assert bound.at_most_s == (616 if is_unanswered else None)
    assert bound.why.startswith(
        "gives up after at most 616 s: 5 attempts of up to 60 s" if is_unanswered else "nothing ends"
    )


def test_one_operation_without_a_time_out_makes_it_endless() -> None:
    bound = bound_of(decision("no byte came back", stuck(1), stuck(2, ceiling_s=float("inf"))))
    assert bound.at_most_s is None
    assert bound.why == "nothing ends it: the operation has no time-out"


def test_the_bound_is_that_of_the_longest() -> None:
    users = [stuck(1, ceiling_s=20, attempt_s=10), stuck(2, ceiling_s=120, attempt_s=60)]
    bound = bound_of(decision("no byte came back", *users), attempts=1)
    assert bound.at_most_s == 120
    assert "1 attempt of up to 60 s" in bound.why


def test_attempts_that_do_not_fit_the_ceiling_are_not_named() -> None:
    bound = bound_of(decision("no byte came back", stuck(1, ceiling_s=366, attempt_s=60)), attempts=2)
    assert "its attempts of up to 60 s" in bound.why
    bound = bound_of(decision("no byte came back", stuck(1, ceiling_s=366, attempt_s=60)), attempts=5)
    assert "5 attempts of up to 60 s" in bound.why


def test_a_guess_about_the_holder_stays_one() -> None:
    holder = Holder(Whom.USER, 2, how=HeldBy.ACQUIRE, code="a.acquire()", file="/x/a.py", line=7, function="take")
    assert held_by(holder) == "held by user 2 (by `a.acquire()` at a.py:7 in take)"
    guess = replace(holder, is_certain=False)
    assert held_by(guess) == "probably held by user 2 (by `a.acquire()` at a.py:7 in take)"
