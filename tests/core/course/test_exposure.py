"""What a trial was given the chance to hang in, from its samples: until its end, and until it hung."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repro.core.course.exposure import Tick, exposure_at_hang, whole_exposure
from repro.core.judge.judge import Decision
from repro.core.judge.now import Stuck
from repro.core.judge.samples import Slot
from repro.core.judge.table import TABLE, Facts
from repro.findings import RowName
from repro.model import Exposure

SLOT = Slot(
    number=1, is_user=True, busy=True, operation="x", began=0, last_end=0, begun=0, ended=0, failed=0,
    poll_s=0, attempt_s=0, ceiling_s=0, born=0, killed=0, greenlet=1,
)  # fmt: skip
ROWS = {row.name: row for row in TABLE}
# Loads from 100, is told to stop at 108; 30 collections while it started.
TICKS = [
    Tick(now=99.9, ended=0, alive=0, stops=0, collections=30),
    Tick(now=102.0, ended=40, alive=10, stops=0, collections=34),
    Tick(now=104.0, ended=90, alive=10, stops=0, collections=40),
    Tick(now=108.1, ended=160, alive=10, stops=10, collections=52),
    Tick(now=110.0, ended=165, alive=1, stops=10, collections=53),
]


def decided(name: RowName, *, since: float, stuck: int) -> Decision:
    users = tuple(Stuck(1, replace(SLOT, number=number), since) for number in range(stuck))
    return Decision(ROWS[name], Facts(), users, 110.0, since)


def test_all_of_a_trial_counts_and_its_start_does_not() -> None:
    assert whole_exposure(TICKS, load_at=100.0, load_ended=108.0) == Exposure(
        operations=165, seconds=8.0, stops=10, collections=23
    )


def test_a_trial_that_was_never_seen_was_exposed_to_nothing() -> None:
    assert whole_exposure([], load_at=100.0, load_ended=100.0) == Exposure()


def test_until_it_hung_counts_what_had_passed_and_the_operation_that_hung() -> None:
    found = exposure_at_hang(TICKS, load_at=100.0, decision=decided(RowName.LOCKED, since=104.5, stuck=1))
    assert found == Exposure(operations=91, seconds=4.5, stops=0, collections=10)


@pytest.mark.parametrize(("stuck", "stops"), [(1, 5.5), (10, 1.0), (4, 2.2)])
def test_of_the_stops_those_before_the_first_that_failed_are_reckoned(stuck: int, stops: float) -> None:
    decision = decided(RowName.USERS_OUTLIVE_THE_STOP, since=108.0, stuck=stuck)
    found = exposure_at_hang(TICKS, load_at=100.0, decision=decision)
    assert (found.operations, found.stops) == (90, stops)


def test_of_several_rounds_the_ones_that_went_well_count_whole() -> None:
    ticks = [replace_stops(tick, 200) for tick in TICKS]
    decision = decided(RowName.USERS_OUTLIVE_THE_STOP, since=108.0, stuck=1)
    assert exposure_at_hang(ticks, load_at=100.0, decision=decision).stops == 200 + 5.5


def replace_stops(tick: Tick, before: int) -> Tick:
    return tick._replace(stops=tick.stops + before)
