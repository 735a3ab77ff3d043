"""A clean probe is weighed by what it was exposed to, in the unit that fits the hang that is hunted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from repro.model import Bound, Cell, EnvironmentSpec, Exposure, Hang, HangClass, Trial, Verdict
from repro.orchestration.hunt.probes import Candidate, Probe, weights

CELL = Cell(id="a", label="a", scenario="s", factors={}, settings={}, environ={}, environment=EnvironmentSpec())
CANDIDATE = Candidate(name="1.0", released=None, cell=CELL)


def probe(operations: int, stops: int, hang_class: HangClass | None = None) -> Probe:
    bound = Bound(at_most_s=None)
    hang = Hang(hang_class=hang_class, users_stuck=1, users=2, stuck_since_s=1, bound=bound) if hang_class else None
    trial = Trial(
        cell_id="a",
        number=1,
        verdict=Verdict.HANG if hang else Verdict.CLEAN,
        started=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=1,
        exposure=Exposure(operations=operations, seconds=8, stops=stops),
        hang=hang,
    )
    return Probe(CANDIDATE, trial, bool(hang))


@pytest.mark.parametrize(
    ("hang_class", "found"),
    [
        (None, {0: 0.5, 1: 1.0, 2: 2.0}),
        (HangClass.DEADLOCKED, {0: 0.5, 1: 1.0, 2: 2.0}),
        (HangClass.UNSTOPPABLE, {0: 1.0, 1: 1.0, 2: 3.0}),
    ],
)
def test_the_usual_exposure_is_the_median_of_the_clean_ones(
    hang_class: HangClass | None, found: dict[int, float]
) -> None:
    clean = [probe(50, 10), probe(100, 10), probe(200, 30)]
    hung = [probe(7, 7, hang_class)] if hang_class else []
    assert weights([*clean, *hung]) == found


def test_what_was_not_counted_weighs_as_the_usual_one() -> None:
    assert weights([probe(0, 0), probe(0, 0)]) == {0: 1.0, 1: 1.0}
    assert weights([]) == {}
