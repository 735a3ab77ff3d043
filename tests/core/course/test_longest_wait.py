"""The longest wait of a trial, as its samples show it."""

from repro.core.course.longest_wait import LongestWait
from repro.core.judge.samples import Reading, Role, Slot
from repro.model import Wait

BORN = 100.0


def slot(
    number: int = 1, *, busy: bool, began: float, last_end: float = 0.0, born: float = BORN, ceiling_s: float = 0.0
) -> Slot:
    return Slot(
        number=number,
        is_user=True,
        busy=busy,
        operation=f"operation {number}",
        began=began,
        last_end=last_end,
        begun=1,
        ended=0,
        failed=0,
        poll_s=2.0,
        attempt_s=0.0,
        ceiling_s=ceiling_s,
        born=born,
        killed=0.0,
        greenlet=0,
    )


def reading(*slots: Slot, pid: int = 7) -> Reading:
    return Reading(
        pid=pid, parent=1, phase=2, role=Role.LOCAL, started=BORN, native_at=0, loop_beats=0, loop_at=0, load_at=BORN,
        stop_at=0, begun=0, ended=0, failed=0, budget_refusals=0, error="", slots=slots,
    )  # fmt: skip


def seen(*samples: tuple[float, tuple[Reading, ...]]) -> Wait | None:
    longest = LongestWait()
    for now, readings in samples:
        longest.observe(readings, now)
    return longest.wait


def test_nothing_was_seen() -> None:
    assert seen() is None
    assert seen((101.0, (reading(slot(busy=False, began=0.0)),))) is None


def test_an_operation_in_flight_has_waited_until_now_and_has_no_end() -> None:
    flying = reading(slot(busy=True, began=101.0, ceiling_s=300.0))
    wait = seen((102.0, (flying,)), (105.5, (flying,)))
    assert wait == Wait(operation="operation 1", seconds=4.5, has_ended=False, poll_s=2.0, at_most_s=300.0)


def test_its_end_is_the_flight_records_and_not_the_samples() -> None:
    wait = seen(
        (103.0, (reading(slot(busy=True, began=101.0)),)),
        (103.1, (reading(slot(busy=False, began=101.0, last_end=103.04)),)),
    )
    assert wait is not None
    assert (round(wait.seconds, 3), wait.has_ended, wait.at_most_s) == (2.04, True, None)


def test_the_next_operation_or_the_end_of_the_user_or_of_its_process_ends_it_too() -> None:
    before = (103.0, (reading(slot(busy=True, began=101.0)),))
    for after in ((reading(slot(busy=True, began=103.05)),), (reading(),), ()):
        wait = seen(before, (103.1, after))
        assert wait is not None
        assert (wait.seconds, wait.has_ended) == (2.0, True)


def test_the_longest_of_all_users_and_processes_counts_even_when_another_waits_now() -> None:
    wait = seen(
        (110.0, (reading(slot(1, busy=True, began=101.0)), reading(slot(2, busy=True, began=108.0), pid=8))),
        (
            111.0,
            (
                reading(slot(1, busy=False, began=101.0, last_end=110.5)),
                reading(slot(2, busy=True, began=108.0), pid=8),
            ),
        ),
    )  # fmt: skip
    assert wait is not None
    assert (wait.operation, wait.seconds, wait.has_ended) == ("operation 1", 9.5, True)


def test_what_a_slots_last_user_did_is_not_its_next_users_wait() -> None:
    assert seen((150.0, (reading(slot(busy=False, began=101.0, last_end=120.0, born=140.0)),))) is None


def test_a_limit_that_is_infinite_is_none() -> None:
    wait = seen((103.0, (reading(slot(busy=True, began=101.0, ceiling_s=float("inf"))),)))
    assert wait is not None
    assert wait.at_most_s is None
