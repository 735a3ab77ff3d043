"""A trial second by second, from its samples and its decision."""

from dataclasses import replace

import pytest

from repro.core.course.exposure import Tick
from repro.core.course.timeline import MAX_SECONDS, sparkline, timeline
from repro.core.judge.judge import Decision
from repro.core.judge.now import Stuck
from repro.core.judge.samples import Slot
from repro.core.judge.table import TABLE, Facts
from repro.findings import RowName
from repro.model import Moment

SLOT = Slot(
    number=1, is_user=True, busy=True, operation="x", began=0, last_end=0, begun=0, ended=0, failed=0,
    poll_s=0, attempt_s=0, ceiling_s=0, born=0, killed=0, greenlet=1,
)  # fmt: skip
ROWS = {row.name: row for row in TABLE}
LOAD_AT = 100.0
SAMPLES = [Tick(*at) for at in ((100.4, 2, 5), (101.0, 4, 10), (101.9, 9, 10), (103.5, 9, 10), (104.2, 9, 8))]


def decision(name: RowName, at: float, *stuck_since: float, facts: Facts | None = None, since: float = 0) -> Decision:
    stuck = tuple(Stuck(1, replace(SLOT, number=number), one) for number, one in enumerate(stuck_since))
    return Decision(ROWS[name], facts or Facts(), stuck, at, since)


def test_each_second_has_what_ended_in_it_and_who_was_stuck_at_its_end() -> None:
    found = timeline(SAMPLES, load_at=LOAD_AT, decision=decision(RowName.LOCKED, 104.3, 101.5, 102.0, 103.2))
    assert found == (
        Moment(second=0, ended=4, stuck=0, alive=10),  # the sample at 101.0 closes second 0
        Moment(second=1, ended=5, stuck=2, alive=10),
        Moment(second=2, ended=0, stuck=2, alive=10),
        Moment(second=3, ended=0, stuck=3, alive=10),
        Moment(second=4, ended=0, stuck=3, alive=8),
    )
    assert sum(moment.ended for moment in found) == 9


def test_nobody_is_stuck_in_a_trial_that_did_not_hang() -> None:
    found = timeline(SAMPLES, load_at=LOAD_AT, decision=decision(RowName.DIED, 102.5, 101.0))
    assert [moment.stuck for moment in found] == [0, 0, 0]


def test_who_outlives_the_stop_is_stuck_from_then_on_however_long_it_was_quiet() -> None:
    outlived = decision(
        RowName.USERS_OUTLIVE_THE_STOP, 105.5, 101.0, 104.2, facts=Facts(grace_over=True, users=2), since=103.0
    )
    assert [moment.stuck for moment in timeline(SAMPLES, load_at=LOAD_AT, decision=outlived)] == [0, 0, 1, 1, 2, 2]


def test_a_trial_that_never_got_so_far_has_no_seconds_or_empty_ones() -> None:
    early = timeline([], load_at=LOAD_AT, decision=decision(RowName.DIED, 98.0))
    assert early == ()
    assert timeline([], load_at=LOAD_AT, decision=decision(RowName.DIED, 100.5)) == (
        Moment(second=0, ended=0, stuck=0, alive=0),
    )


def test_a_long_trial_is_cut() -> None:
    long = timeline(SAMPLES, load_at=LOAD_AT, decision=decision(RowName.DIED, LOAD_AT + 2 * MAX_SECONDS))
    assert len(long) == MAX_SECONDS


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([0, 0], "  "),
        ([0, 1, 8], " ▁█"),
        ([1, 1000], "▁█"),  # a little is never nothing
        ([5], "█"),
        ([4, 8], "▄█"),
    ],
)
def test_a_sparkline_rises_with_its_values(values: list[int], line: str) -> None:
    assert sparkline(values) == line


@pytest.mark.parametrize("count", [59, 60, 61, 119, 121, 1000])
def test_a_sparkline_is_never_wider_than_it_may_be_and_keeps_its_peak(count: int) -> None:
    values = [0] * count
    values[count // 2] = 7
    line = sparkline(values, width=60)
    assert 0 < len(line) <= 60
    assert line.count("█") == 1
