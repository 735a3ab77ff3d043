"""Each row of the table from evidence to verdict, and the order where two rows would hold."""

import pytest

from repro.core.judge.samples import Standing
from repro.core.judge.table import TABLE, Facts, decide
from repro.findings import Phase, RowName
from repro.model import HangClass, Verdict

STOPPING = Phase.STOPPING
ROWS = {
    RowName.BACKEND_DIED: Facts(backend_alive=False, locked=3),
    RowName.ENDED_BEFORE_IT_BEGAN: Facts(phase=Phase.START, exit_code=0),
    RowName.DIED: Facts(exit_code=-9, ended=50),
    RowName.ENDED_WITHOUT_A_CALL: Facts(exit_code=0, is_script=True),
    RowName.ENDED_BY_ITSELF: Facts(exit_code=0, ended=50),
    RowName.CUT_SHORT: Facts(phase=STOPPING, exit_code=0, ended=50, by_signal=True),
    RowName.NO_USER_STARTED: Facts(phase=Phase.START, starters_died=True),
    RowName.ALL_USERS_DIED: Facts(users_died=True),
    RowName.TASKS_FAILED: Facts(phase=STOPPING, exit_code=0, ended=100, iterations=50, iteration_errors=30),
    RowName.SILENT_IN_LOCKS: Facts(standing=Standing.LOCKED),
    RowName.SILENT_PARKED: Facts(standing=Standing.PARKED),
    RowName.SILENT_UNSERVED: Facts(standing=Standing.UNSERVED),
    RowName.NEVER_BEGAN_UNEXPLAINED: Facts(
        phase=Phase.START, start_over=True, loop_turns=True, standing=Standing.WAITING
    ),
    RowName.SILENT_UNEXPLAINED: Facts(standing=Standing.BLOCKED),
    RowName.ALL_FAILED_BACKEND_SILENT: Facts(ended=30, failed=30, load_s=3, backend_answering=False),
    RowName.ALL_FAILED: Facts(ended=30, failed=30, load_s=3),
    RowName.OPERATIONS_FAILED: Facts(phase=STOPPING, exit_code=0, ended=100, failed=50),
    RowName.NOTHING_SENT: Facts(phase=STOPPING, exit_code=0),
    RowName.RAN_AND_ENDED: Facts(phase=STOPPING, exit_code=0, ended=100, failed=49),
    RowName.LOOP_STANDS_BURNING: Facts(loop_silent=True, no_end=True, cores=0.9, users=5),
    RowName.LOOP_STANDS: Facts(loop_silent=True, no_end=True, cores=0.01, users=5),
    RowName.NEVER_BEGAN_BURNING: Facts(phase=Phase.START, start_over=True, cores=0.9),
    RowName.NEVER_BEGAN: Facts(phase=Phase.START, start_over=True),
    RowName.LOCKED: Facts(locked=1, users=5, ended=100),
    RowName.UNREAD: Facts(unread=1, users=5, ended=100),
    RowName.BURNING: Facts(no_end=True, cores=0.9, users=5),
    RowName.NO_ANSWER_BACKEND_SILENT: Facts(unanswered=2, users=5, backend_answering=False),
    RowName.NO_ANSWER_BACKEND_OVERRUN: Facts(unanswered=2, users=5, overflows=2),
    RowName.NO_ANSWER: Facts(unanswered=2, users=5, overflows=1),
    RowName.AT_CAPACITY: Facts(queued=2, users=5, waited_out=True),
    RowName.TURNING: Facts(turning=1, users=5, ended=100, cores=0.9),
    RowName.WAITED_IN_VAIN: Facts(unmoved=2, users=5, ended=100, waited_out=True),
    RowName.USERS_OUTLIVE_THE_STOP: Facts(phase=STOPPING, grace_over=True, users=3, ended=100),
    RowName.PROCESS_OUTLIVES_THE_STOP: Facts(phase=STOPPING, grace_over=True, ended=100),
}


@pytest.mark.parametrize("name", [row.name for row in TABLE])
def test_each_row_is_found_by_its_evidence(name: RowName) -> None:
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
        Facts(loop_silent=True, cores=1.0),  # a long computation, while native threads make progress
        Facts(queued=2, users=5),  # in line, and still waited for
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


def test_a_backend_is_overrun_where_most_of_those_who_wait_stand_in_its_kernels_queues() -> None:
    def name_of(facts: Facts) -> RowName | None:
        row = decide(facts)
        return row.name if row else None

    assert name_of(Facts(unanswered=4, users=9, unserved=2)) is RowName.NO_ANSWER_BACKEND_OVERRUN
    assert name_of(Facts(unanswered=4, users=9, unserved=1)) is RowName.NO_ANSWER
    assert name_of(Facts(unanswered=4, users=9, unserved=4, is_faulted=True)) is RowName.NO_ANSWER
