"""Each row of the table for who waits for a lock: which waits it is for, and what it makes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repro.core.judge.lock_rules import LOCK_TABLE, WaitingUser, is_lock_stuck
from repro.core.judge.locks import LockBook, LockWatch, Looks
from repro.core.judge.now import Load, Now, Stuck
from repro.core.judge.samples import Examination, Parked, ParkedOn, Reading, Role, Sample, Slot
from repro.core.judge.tracks import Crowd, Helpers, Loops, Processor, ProgressMade, StopOrder
from repro.model import Limits

AT = 100.0
LIMITS = Limits(stall_after_s=4)
LOCK = Parked(on=ParkedOn.LOCK, lock="7:1")
EVENT = Parked(on=ParkedOn.EVENT, lock="7:2")
IDLE = Slot(
    number=1, is_user=True, busy=False, operation="", began=49, last_end=50, begun=1, ended=1, failed=0, poll_s=0,
    attempt_s=0, ceiling_s=0, born=1, killed=0, greenlet=1,
)  # fmt: skip
READING = Reading(
    pid=7, parent=1, phase=2, role=Role.LOCAL, started=0, native_at=AT, loop_beats=500, loop_at=AT, load_at=1,
    stop_at=0, begun=1, ended=1, failed=0, budget_refusals=0, error="", slots=(IDLE,),
)  # fmt: skip
WATCH = LockWatch(frozenset({(7, 1)}), None, since=90.0, may_be_freed_until=0.0, looked_at=AT - 1, beats=50)


def now(**changed: object) -> Now:
    """Somebody got on just now, and the load is far from over."""
    looks = Looks((Examination(at=AT - 1, parked={}),), LockBook({"7:1": WATCH, "7:2": WATCH}))
    made = Now(
        sample=Sample(now=AT, readings=(READING,), cpu_s={7: 1.0}), limits=LIMITS, load=Load(seconds=1000, users=1),
        began=0.0, asked_stop=None, starters_died_at=None, overflows=0, last_call=None,
        progress=ProgressMade(at=AT, paces=((AT, 1),)), crowd=Crowd(((7, IDLE),), has_users=True), stop_order=StopOrder(),
        loops=Loops(), helpers=Helpers(), processor=Processor(((AT, {7: 1.0}),)), looks=looks,
    )  # fmt: skip
    return replace(made, **changed)  # type: ignore[arg-type]  # names of its fields


QUIET = {"progress": ProgressMade(at=50.0, paces=((50.0, 1), (AT, 1)))}
OVER = {"load": Load(seconds=50, users=1)}
RENEWED = Looks((Examination(at=AT - 1, parked={}),), LockBook().after(
    Examination(at=60.0, parked={(7, 1): replace(LOCK, left_s=10.0)}), {}))  # fmt: skip
POLLING = Crowd(((7, replace(IDLE, busy=True, poll_s=60)),), has_users=True)
HELPED = Crowd(((7, IDLE),), helpers=((7, replace(IDLE, number=9, is_user=False, busy=True, owner=1)),))
HELD = replace(LOCK, root=ParkedOn.ELSEWHERE)
UNTURNED = Looks((Examination(at=AT - 1, parked={}),), LockBook({"7:1": replace(WATCH, beats=2)}))
SLEEPING = Looks((Examination(at=AT - 1, parked={}),), LockBook({"7:1": replace(WATCH, may_be_freed_until=AT + 9)}))


@pytest.mark.parametrize(
    ("row", "parked", "changed", "is_stuck"),
    [
        (0, LOCK, {"crowd": POLLING}, False),
        (1, LOCK, {"crowd": replace(POLLING, users=((7, IDLE),), grew_at=AT - 1)}, False),
        (2, replace(LOCK, has_timeout=True), {}, False),
        (2, replace(LOCK, has_timeout=True), QUIET, True),
        (2, replace(LOCK, has_timeout=True, left_s=3.0), QUIET, False),
        (2, replace(LOCK, has_timeout=True, left_s=3.0), {**QUIET, "looks": RENEWED}, True),
        (3, EVENT, {**QUIET, "crowd": HELPED}, False),
        (4, EVENT, {}, False),
        (4, EVENT, QUIET, True),
        (4, EVENT, OVER, True),
        (5, Parked(on=ParkedOn.NOTHING), {}, True),
        (6, HELD, {}, False),
        (6, HELD, OVER, True),
        (6, replace(LOCK, root=ParkedOn.TIMER, inside=1), {"crowd": Crowd(((7, replace(IDLE, last_end=99)),))}, False),
        (7, LOCK, {}, True),
        (7, LOCK, {"looks": UNTURNED}, False),
        (7, LOCK, {"looks": SLEEPING}, False),
    ],
)
def test_each_row_is_for_its_waits(row: int, parked: Parked, changed: dict[str, object], *, is_stuck: bool) -> None:
    moment = now(**changed)
    user = Stuck(7, IDLE, 50.0, parked)
    waiting = WaitingUser(moment, user, parked)
    assert next(number for number, one in enumerate(LOCK_TABLE) if one.applies(waiting)) == row
    assert is_lock_stuck(moment, user, parked) is is_stuck
