"""Each row of the table from evidence to verdict, and the order where two rows would hold."""

import pytest

from repro.core.judge.samples import Standing
from repro.core.judge.table import TABLE, Facts, Phase, decide
from repro.model import HangClass, Verdict

STOPPING = Phase.STOPPING
ROWS = {
    "the backend has died": Facts(backend_alive=False, locked=3),
    "ended before it began": Facts(phase=Phase.START, exit_code=0),
    "died": Facts(exit_code=-9, ended=50),
    "ended by itself without a call": Facts(exit_code=0, is_script=True),
    "ended by itself": Facts(exit_code=0, ended=50),
    "told to stop by a signal": Facts(phase=STOPPING, exit_code=0, ended=50, by_signal=True),
    "no user could be started": Facts(phase=Phase.START, starters_died=True),
    "all users died": Facts(users_died=True),
    "tasks failed": Facts(phase=STOPPING, exit_code=0, ended=100, iterations=50, iteration_errors=30),
    "a program stands in native locks": Facts(standing=Standing.LOCKED),
    "a program's greenlets wait for each other": Facts(standing=Standing.PARKED),
    "never began, and nothing shows why": Facts(
        phase=Phase.START, start_over=True, loop_turns=True, standing=Standing.WAITING
    ),
    "did nothing any more, and nothing shows why": Facts(standing=Standing.BLOCKED),
    "every operation failed, the backend silent": Facts(ended=30, failed=30, load_s=3, backend_answering=False),
    "every operation failed at once": Facts(ended=30, failed=30, load_s=3),
    "operations failed": Facts(phase=STOPPING, exit_code=0, ended=100, failed=50),
    "nothing was sent": Facts(phase=STOPPING, exit_code=0),
    "ran and ended": Facts(phase=STOPPING, exit_code=0, ended=100, failed=49),
    "the event loop stands, a core burns": Facts(loop_silent=True, no_end=True, cores=0.9, users=5),
    "the event loop stands": Facts(loop_silent=True, no_end=True, cores=0.01, users=5),
    "never began, a core burns": Facts(phase=Phase.START, start_over=True, cores=0.9),
    "never began": Facts(phase=Phase.START, start_over=True),
    "users parked on locks": Facts(locked=1, users=5, ended=100),
    "answers lie unread": Facts(unread=1, users=5, ended=100),
    "the loop turns, a core burns, nothing ends": Facts(no_end=True, cores=0.9, users=5),
    "no answer, the backend silent": Facts(unanswered=2, users=5, backend_answering=False),
    "no answer, the backend's queue of connections full": Facts(unanswered=2, users=5, overflows=2),
    "no byte came back": Facts(unanswered=2, users=5, overflows=1),
    "users turn in a loop, others get on": Facts(turning=1, users=5, ended=100, cores=0.9),
    "users outlive the stop": Facts(phase=STOPPING, grace_over=True, users=3, ended=100),
    "the process outlives the stop": Facts(phase=STOPPING, grace_over=True, ended=100),
}


@pytest.mark.parametrize("name", [row.name for row in TABLE])
def test_each_row_is_found_by_its_evidence(name: str) -> None:
    row = decide(ROWS[name])
    assert row is not None
    assert row.name == name


@pytest.mark.parametrize(
    "facts",
    [
        Facts(users=5, ended=100),
        Facts(users=5, no_end=True, cores=0.01),  # all asleep: one operation a minute
        Facts(users=5, ended=100, cores=1.0),  # busy, and getting on
        Facts(phase=STOPPING, users=5),  # still within its grace
        Facts(ended=19, failed=19, load_s=3),  # a bad start
        Facts(ended=30, failed=30, load_s=3, is_faulted=True),  # the fault was asked for
        Facts(loop_silent=True, cores=1.0),  # a long computation, while native threads get on
        Facts(backend_answering=False, users=5),  # nobody is stuck: the probe's trouble is not the cell's
    ],
)
def test_healthy_or_undecided_goes_on(facts: Facts) -> None:
    assert decide(facts) is None


@pytest.mark.parametrize(
    ("facts", "verdict", "hang_class"),
    [
        (Facts(loop_silent=True, locked=4, users=5), Verdict.HANG, HangClass.FROZEN),
        (Facts(phase=STOPPING, grace_over=True, loop_silent=True, users=5), Verdict.HANG, HangClass.FROZEN),
        (Facts(phase=STOPPING, grace_over=True, loop_silent=True), Verdict.HANG, HangClass.UNSTOPPABLE),
        (Facts(phase=Phase.START, start_over=True, loop_silent=True), Verdict.HANG, HangClass.FROZEN),
        (Facts(exit_code=-11, loop_silent=True), Verdict.CRASH, None),
        (Facts(phase=STOPPING, grace_over=True, users=5, locked=5), Verdict.HANG, HangClass.DEADLOCKED),
        (Facts(phase=STOPPING, exit_code=0, ended=30, failed=30, is_faulted=True), Verdict.FAILING, None),
    ],
)
def test_what_explains_more_comes_first(facts: Facts, verdict: Verdict, hang_class: HangClass | None) -> None:
    row = decide(facts)
    assert row is not None
    assert (row.verdict, row.hang_class) == (verdict, hang_class)
