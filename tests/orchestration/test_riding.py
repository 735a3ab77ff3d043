"""What nobody has explained when the time of a watch is over."""

from __future__ import annotations

import pytest

from repro.core.judge.samples import Slot
from repro.model import Verdict
from repro.orchestration.riding import Overdue, overdue_of
from repro.orchestration.watch import Watched
from repro.presentation.hang.watched import ended

NOW = 100.0


def slot(number: int, *, began: float, busy: bool = True, poll_s: float = 0.0) -> Slot:
    return Slot(
        number=number, is_user=True, busy=busy, operation="GET /", began=began, last_end=began, begun=1, ended=0, failed=0,
        poll_s=poll_s, attempt_s=0.0, ceiling_s=0.0, born=1.0, killed=0.0, greenlet=number,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        ([slot(1, began=80.0), slot(2, began=85.0), slot(3, began=99.0)], Overdue(2, 3, 20.0)),
        ([slot(1, began=80.0, busy=False)], None),
        ([slot(1, began=80.0, poll_s=20.0)], None),
        ([], None),
    ],
    ids=["two of three", "between two calls", "a long poll", "nobody"],
)
def test_who_waits_for_longer_than_a_stall_and_a_long_poll_is_overdue(
    slots: list[Slot], expected: Overdue | None
) -> None:
    assert overdue_of({(4711, one.number): one for one in slots}, now=NOW, stall_s=10.0) == expected


def test_a_watch_whose_time_is_over_is_clean_only_where_nothing_is_left_open() -> None:
    def watched(overdue: Overdue | None, exit_code: int | None = None) -> Watched:
        return Watched(None, exit_code, 4, 3, 30.0, overdue=overdue)

    assert watched(None).verdict is Verdict.CLEAN
    assert watched(Overdue(2, 3, 20.4)).verdict is Verdict.INCONCLUSIVE
    assert "2 of 3 callers waited for an answer then, the longest for 20 s" in ended(watched(Overdue(2, 3, 20.4)))
    assert watched(Overdue(2, 3, 20.4), exit_code=0).verdict is Verdict.CLEAN
