"""What looks make of a lock: since when nobody got it, when it may yet be freed, when a wait was begun again."""

from dataclasses import replace

import pytest

from repro.core.judge.locks import PATIENCE_S, SLACK_S, LockBook
from repro.core.judge.samples import Examination, Parked, ParkedOn
from repro.findings import HeldBy, Holder, Whom

LOCK = "1:7"
ONE = Holder(Whom.USER, 1, how=HeldBy.BLOCK, code="with a", file="x.py", line=3, function="f")
FOUR = replace(ONE, number=4)


def look(at: float, *users: int, holder: Holder | None = None, **parked: object) -> Examination:
    wait = Parked(on=ParkedOn.LOCK, lock=LOCK, holder=holder, **parked)  # type: ignore[arg-type]  # names of its fields
    return Examination(at=at, parked={(1, user): wait for user in users})


def book(*looks: Examination, moved_at: float = 0.0) -> LockBook:
    found = LockBook()
    for one in looks:
        found = found.after(one, {(1, user): moved_at for user in range(10)})
    return found


def test_a_lock_that_nobody_gets_keeps_its_age_though_more_come() -> None:
    watch = book(look(1, 2, 3), look(2, 2, 3, 4)).of(LOCK)
    assert watch is not None
    assert watch.since == 1


def test_a_lock_that_one_of_them_got_is_young_again() -> None:
    watch = book(look(1, 2, 3), look(2, 3)).of(LOCK)
    assert watch is not None
    assert watch.since == 2


@pytest.mark.parametrize(
    ("before", "now", "since"),
    [
        (ONE, replace(ONE, line=4), 2),
        (ONE, FOUR, 2),
        (replace(ONE, is_certain=False), replace(FOUR, is_certain=False), 1),
        (None, FOUR, 1),
        (ONE, ONE, 1),
    ],
)
def test_a_holder_that_moves_makes_it_young_again_unless_it_was_a_guess(
    before: Holder | None, now: Holder, since: float
) -> None:
    watch = book(look(1, 2, holder=before), look(2, 2, holder=now)).of(LOCK)
    assert watch is not None
    assert watch.since == since


@pytest.mark.parametrize(("left_s", "until"), [(5.0, 6 + SLACK_S), (PATIENCE_S + 1, 1), (float("inf"), 1)])
def test_a_sleeping_holder_may_free_it_until_its_timer_fires(left_s: float, until: float) -> None:
    watch = book(look(1, 2, root=ParkedOn.TIMER, root_left_s=left_s), look(2, 2)).of(LOCK)
    assert watch is not None
    assert watch.may_be_freed_until == until


def test_a_lock_that_nobody_waits_for_any_more_is_forgotten() -> None:
    assert book(look(1, 2), look(2)).of(LOCK) is None


def test_a_wait_that_outlasts_its_time_out_was_begun_again() -> None:
    found = book(look(1, 2, left_s=3.0), look(4.5, 2, left_s=2.5))
    assert not found.is_renewed((1, 2), 4 + SLACK_S)
    assert found.is_renewed((1, 2), 4.1 + SLACK_S)
    moved = book(look(1, 2, left_s=3.0), look(4.5, 2, left_s=2.5), moved_at=4.2)
    assert not moved.is_renewed((1, 2), 4.1 + SLACK_S)


def test_a_queue_moves_when_one_who_waited_has_moved_meanwhile_though_it_waits_again() -> None:
    found = LockBook().after(look(1, 2, 3), {})
    found = found.after(look(2, 2, 3), {(1, 2): 1.5})  # it got the lock, and queued up again
    watch = found.of(LOCK)
    assert watch is not None
    assert watch.since == 2


@pytest.mark.parametrize(("beats", "turned"), [((10, 10, 11), 1), ((10, 15, 20), 10)])
def test_it_is_counted_how_often_the_loop_turned_while_a_queue_stood_still(beats: tuple[int, ...], turned: int) -> None:
    looks = [replace(look(at, 2, 3), beats={1: beat}) for at, beat in enumerate(beats, 1)]
    watch = book(*looks).of(LOCK)
    assert watch is not None
    assert watch.beats == turned
