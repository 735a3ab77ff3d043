"""The hazard of a cell: hangs in what its trials were exposed to, whose interval covers though each hang cuts a trial off."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from scipy import stats

from repro.core.intervals import chances_to_rule_out, hazard
from repro.core.matrix.hazards import at_risk, exposure_of, hazard_of
from repro.model import Bound, Chance, Exposure, Hang, HangClass, Moment, Operations, Trial, Verdict

CLEAN = Trial(
    cell_id="a",
    number=1,
    verdict=Verdict.CLEAN,
    started=datetime(2026, 1, 1, tzinfo=UTC),
    seconds=12.0,
    operations=Operations(begun=100, ended=100),
    exposure=Exposure(operations=100, seconds=8.0, stops=10, collections=7),
)


def hung(hang_class: HangClass, at_hang: Exposure) -> Trial:
    hang = Hang(hang_class=hang_class, users_stuck=1, users=10, stuck_since_s=2.0, bound=Bound(at_most_s=None))
    return replace(CLEAN, verdict=Verdict.HANG, hang=hang, at_hang=at_hang)


def test_trials_of_different_length_add_up_and_a_hung_one_counts_until_it_hung() -> None:
    longer = replace(CLEAN, exposure=Exposure(operations=900, seconds=80.0, stops=10, collections=70))
    stuck = hung(HangClass.DEADLOCKED, Exposure(operations=51, seconds=4.0, stops=0, collections=3))
    crash = replace(CLEAN, verdict=Verdict.CRASH)
    assert exposure_of([CLEAN, longer, stuck, crash]) == Exposure(
        operations=1051, seconds=92.0, stops=20, collections=80
    )
    found = hazard_of([CLEAN, longer, stuck, crash])
    assert found is not None
    assert (found.hangs, found.chances, found.chance) == (1, 1051, Chance.OPERATION)
    assert found.rate == pytest.approx(1 / 1051)
    assert hazard_of([crash]) is None


def test_hangs_of_the_stop_are_counted_by_the_stop_unless_others_are_among_them() -> None:
    outlived = hung(HangClass.UNSTOPPABLE, Exposure(operations=100, seconds=8.0, stops=5.5, collections=7))
    stuck = hung(HangClass.DEADLOCKED, Exposure(operations=51, seconds=4.0, stops=0, collections=3))
    found = hazard_of([CLEAN, outlived])
    assert found is not None
    assert (found.chance, found.chances) == (Chance.STOP, 15.5)
    mixed = hazard_of([CLEAN, outlived, stuck])
    assert mixed is not None
    assert (mixed.chance, mixed.chances, mixed.hangs) == (Chance.OPERATION, 251, 2)


def test_the_exposure_of_an_older_trial_is_what_its_timeline_tells() -> None:
    moments = tuple(Moment(second=second, ended=10, stuck=0, alive=5) for second in range(8))
    older = replace(CLEAN, exposure=None, timeline=moments, operations=Operations(begun=80, ended=80))
    assert at_risk(older) == Exposure(operations=80, seconds=8.0, stops=None, collections=None)
    stuck = replace(hung(HangClass.DEADLOCKED, Exposure()), exposure=None, at_hang=None, timeline=moments)
    assert at_risk(stuck) == Exposure(operations=21, seconds=2.0, stops=None, collections=None)
    outlived = replace(hung(HangClass.UNSTOPPABLE, Exposure()), exposure=None, at_hang=None, timeline=moments)
    found = hazard_of([older, outlived])
    assert found is not None
    assert (found.chance, found.chances) == (Chance.OPERATION, 100)


def test_the_ends_are_garwoods_and_nothing_hung_rules_out_what_the_issue_of_three_says() -> None:
    for hangs in (1, 2, 7):
        one = hazard(hangs, 1000.0)
        assert stats.poisson.sf(hangs - 1, one.low * 1000) == pytest.approx(0.025)
        assert stats.poisson.cdf(hangs, one.high * 1000) == pytest.approx(0.025)
    none = hazard(0, 402_118)
    assert (none.low, none.rate) == (0, 0)
    assert none.ruled_out == pytest.approx(7.45e-6, rel=1e-3)
    assert none.high == pytest.approx(3.689 / 402_118, rel=1e-3)
    assert chances_to_rule_out(1 / 5000) == pytest.approx(14_979, abs=1)
    assert hazard(0, 14_979).ruled_out == pytest.approx(1 / 5000, rel=1e-3)
    assert hazard(3, 3).high == 1.0


@pytest.mark.parametrize("rate", [1 / 50, 1 / 500, 1 / 5000, 1 / 50_000])
@pytest.mark.parametrize("until", ["all", "settled"])
def test_the_interval_covers_the_hazard_at_least_95_percent_of_the_time(rate: float, until: str) -> None:
    """Ten thousand trials for each: each hangs at an operation drawn by the hazard, or is cut off at its own length.

    A history ends after its trials, or with its first hang. The interval of a settled cell is not the one of a fixed
    number of trials: it must cover all the same.
    """
    chance = random.Random(f"{rate} {until}")
    trials, histories = 10, 1000
    covered = 0
    for _ in range(histories):
        hangs, chances = 0, 0
        for _ in range(trials):
            length = chance.randint(200, 4000)
            first = 1 + int(chance.expovariate(1.0) / rate)  # the operation that hangs
            hangs, chances = hangs + (first <= length), chances + min(first, length)
            if hangs and until == "settled":
                break
        one = hazard(hangs, chances)
        covered += one.low <= rate <= one.high
    assert covered / histories >= 0.95, covered


def test_the_interval_covers_the_hazard_of_a_stop() -> None:
    """All users are told at once and some fail: how many there were before the first is reckoned, not seen."""
    chance = random.Random("stops")
    covered = 0
    for rate in (0.002, 0.02, 0.2):
        for _ in range(500):
            hangs, stops = 0, 0.0
            for _ in range(6):
                users = chance.choice((5, 20, 60))
                failed = sum(chance.random() < rate for _ in range(users))
                hangs, stops = hangs + bool(failed), stops + ((users + 1) / (failed + 1) if failed else users)
            one = hazard(hangs, stops, chance=Chance.STOP)
            covered += one.low <= rate <= one.high
    assert covered / 1500 >= 0.95, covered
