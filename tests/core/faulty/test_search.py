"""The search for the combination that hangs, where it is planted and the trials are simulated."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from repro.core.cover.rows import covering_rows
from repro.core.cover.space import Space
from repro.core.faulty.belief import Tally
from repro.core.faulty.causes import Axis, Cause, Row, causes_of, clauses, has_levels
from repro.core.faulty.search import CauseSearch
from repro.core.faulty.variety import Provisos
from repro.core.search.change_point import PARTS

FACTORS = 8
TRIALS = 3
MOST = 200
Planted = Sequence[Mapping[int, int]]
"""Of each cause the clauses, as bits, by the factor."""


@dataclass
class World:
    """Cells that hang by what is planted, at a rate; ``axes`` are their factors."""

    axes: tuple[Axis, ...]
    planted: Planted
    rate: float
    seed: int
    parts: int = PARTS
    forbidden: tuple[Row, ...] = ()
    trials: int = 0
    tallies: dict[Row, Tally] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def try_once(self, row: Row) -> bool:
        self.trials += 1
        is_hit = any(all(mask >> row[at] & 1 for at, mask in cause.items()) for cause in self.planted)
        hang = is_hit and self.chance.random() < self.rate
        tally = Tally(int(hang), 0 if hang else self.parts)
        self.tallies[row] = self.tallies.get(row, Tally()) + tally
        return hang

    def cover(self, strength: int) -> None:
        sizes = tuple(axis.size for axis in self.axes)
        for row in covering_rows(Space(sizes=sizes), strength, seed=self.seed)[0]:
            for _ in range(TRIALS):
                if self.try_once(row):
                    break

    @property
    def search(self) -> CauseSearch:
        return CauseSearch(self.axes, dict(self.tallies), lambda row: row not in self.forbidden, 0.95)

    def confirmed(self, most: int = MOST) -> CauseSearch:
        for _ in range(most):
            rows = self.search.next_rows(1)
            if not rows:
                break
            self.try_once(rows[0])
        return self.search


def found(search: CauseSearch) -> list[dict[int, int]]:
    return [
        {at: mask for at, (mask, axis) in enumerate(zip(one.cause, search.axes, strict=True)) if mask != axis.whole}
        for one in search.found
    ]


def world(planted: Planted, rate: float, *, seed: int, size: int = 3, is_ordered: bool = False) -> World:
    return World((Axis(size, is_ordered),) * FACTORS, planted, rate, seed)


PAIR: Planted = ({1: 0b010, 4: 0b001},)
TRIPLE: Planted = ({1: 0b010, 4: 0b001, 6: 0b100},)
PAIR_OF_TWO: Planted = ({1: 0b10, 4: 0b01},)
TRIPLE_OF_TWO: Planted = ({1: 0b10, 4: 0b01, 6: 0b10},)
TWO: Planted = ({1: 0b010, 4: 0b001}, {0: 0b100, 7: 0b010})


@pytest.mark.parametrize(("planted", "strength"), [(PAIR, 2), (TRIPLE, 3)], ids=["pair", "triple"])
def test_what_always_hangs_is_found_in_a_few_trials(planted: Planted, strength: int) -> None:
    for seed in range(3):
        one = world(planted, 1.0, seed=seed)
        one.cover(strength)
        before = one.trials
        search = one.confirmed()
        assert search.is_settled, seed
        assert sorted(map(sorted, found(search))) == sorted(map(sorted, planted))
        assert {tuple(sorted(cause.items())) for cause in found(search)} == {tuple(c.items()) for c in planted}
        assert one.trials - before < 40
        for cause in search.found:
            assert cause.shown.is_enough
            assert all(cause.shown.clauses.values())


TWO_OF_SIX: Planted = ({1: 0b001, 4: 0b001}, {0: 0b001, 5: 0b010})


@pytest.mark.parametrize(
    ("planted", "factors", "rate", "seeds", "right"),
    [(TWO, 8, 1.0, 6, 10), (TWO_OF_SIX, 6, 1.0, 8, 14), (TWO_OF_SIX, 6, 0.3, 4, 1)],
    ids=["always", "among six factors", "in three trials of ten"],
)
def test_two_independent_causes_are_found_and_hardly_ever_a_wrong_one(
    planted: Planted, factors: int, rate: float, seeds: int, right: int
) -> None:
    """A level that the hung cells of both happen to have, or a range with a level of each, explains all of them, too."""
    outcomes: Counter[str] = Counter()
    for seed in range(seeds):
        one = World((Axis(3),) * factors, planted, rate, seed)
        one.cover(2)
        search = one.confirmed(120)
        outcomes.update("right" if cause in [dict(one) for one in planted] else "wrong" for cause in found(search))
    assert not outcomes["wrong"], "a confidence of 95 %: these seeds have none"
    assert outcomes["right"] >= right, outcomes


def test_a_cause_is_not_enough_while_its_hung_cells_share_levels_of_two_others() -> None:
    """All of them have ``c = 0``, and each ``a = 0`` or ``b = 0``: one more that has neither says whether it takes these."""
    one = World((Axis(3),) * 4, [{0: 0b001, 2: 0b001}, {1: 0b001, 2: 0b001}], 1.0, seed=5)
    one.cover(2)
    search = one.confirmed()
    assert all(cause in [dict(cause) for cause in one.planted] for cause in found(search))
    assert search.is_settled


def test_levels_are_ruled_out_by_hung_rows_that_have_none_of_them() -> None:
    axes, cause = (Axis(3),) * 3, (0b001, 0b111, 0b111)
    hung = [(0, 0, 0), (0, 0, 1), (0, 1, 0)]
    pairs = Provisos(axes, cause, hung, most=2)
    assert pairs.ruled_out_by((0, 2, 2)) == 2, "b = 0 or c = 0, counted both ways"
    assert pairs.ruled_out_by((0, 0, 0)) == 0, "it has what they have"
    singles = Provisos(axes, cause, hung[:2], most=1)
    assert (singles.ruled_out_by((0, 1, 1)), singles.ruled_out_by((0, 0, 2))) == (1, 0)
    assert Provisos(axes, cause, [*hung, (0, 1, 1), (0, 2, 2)], most=1).ruled_out_by((0, 2, 1)) == 0


@pytest.mark.parametrize(("planted", "strength"), [(PAIR_OF_TWO, 2), (TRIPLE_OF_TWO, 3)], ids=["pair", "triple"])
def test_what_hangs_in_three_trials_of_ten_is_found(planted: Planted, strength: int) -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(12):
        one = world(planted, 0.3, seed=seed, size=2)
        one.cover(strength)
        if not any(tally.hangs for tally in one.tallies.values()):
            outcomes["not seen"] += 1
            continue
        search = one.confirmed()
        is_right = found(search) == [dict(cause) for cause in planted]
        outcomes["right" if is_right else "wrong" if search.found else "open"] += 1
    assert outcomes["wrong"] <= 1, "a confidence of 95 %"
    assert outcomes["right"] >= 8, outcomes


def test_levels_beyond_a_threshold_are_one_clause() -> None:
    one = world([{2: 0b1100, 5: 0b0011}], 1.0, seed=1, size=4, is_ordered=True)
    one.cover(2)
    search = one.confirmed()
    assert found(search) == [{2: 0b1100, 5: 0b0011}]


def test_a_factor_that_hangs_alone_and_one_that_does_not_matter() -> None:
    one = world([{3: 0b101}], 1.0, seed=2)
    one.cover(2)
    assert found(one.confirmed()) == [{3: 0b101}]


def test_nothing_is_found_in_what_no_combination_explains() -> None:
    axes = (Axis(2),) * 6
    one = World(axes, (), 1.0, seed=3)
    chance = random.Random(3)
    for number in range(64):
        row = tuple(number >> at & 1 for at in range(6))
        one.tallies[row] = Tally(2, 0) if chance.random() < 0.5 else Tally(0, 12 * PARTS)
    search = one.search
    assert not search.is_settled
    assert search.something_else > 0.5
    assert not search.found


def test_what_cannot_be_tried_is_not_shown() -> None:
    """A hang with one factor whose other level no cell can have beside the first: nobody can say whether it is needed."""
    one = World((Axis(2),) * 3, [{0: 0b10, 1: 0b10}], 1.0, seed=4, forbidden=((1, 0, 0), (1, 0, 1)))
    for row in ((0, 0, 0), (0, 1, 1), (1, 1, 0), (1, 1, 1), (0, 0, 1), (0, 1, 0)):
        for _ in range(6):
            one.try_once(row)
    search = one.confirmed()
    causes = [*search.found, *search.suspected(3)]
    assert all(not cause.shown.clauses.get(1, False) for cause in causes)
    assert causes[0].shown.clauses[0]


def test_a_clean_trial_of_little_exposure_says_little() -> None:
    tallies = {(0, 0): Tally(0, 12 * PARTS), (1, 0): Tally(3, 0), (0, 1): Tally(0, 12 * PARTS)}
    axes = (Axis(2), Axis(2))

    def suspicion(parts: int) -> float:
        search = CauseSearch(axes, {**tallies, (1, 1): Tally(0, parts)}, lambda _: True, 0.999)
        own: dict[Cause, float] = {one.cause: one.probability for one in (*search.found, *search.suspected(9))}
        return own.get((0b10, 0b11), 0.0)

    assert suspicion(1) > suspicion(3 * PARTS) > suspicion(12 * PARTS)


def test_the_weights_of_clauses_add_up() -> None:
    for axis in (Axis(2), Axis(3), Axis(5), Axis(3, is_ordered=True), Axis(7, is_ordered=True)):
        own = clauses(axis)
        assert sum(weight for _, weight in own) == pytest.approx(1)
        assert len({mask for mask, _ in own}) == len(own)
        assert all(0 < mask < axis.whole for mask, _ in own)


def test_each_cause_of_a_row_has_its_levels() -> None:
    axes = (Axis(3), Axis(2), Axis(4, is_ordered=True))
    causes = causes_of(axes, (2, 0, 1))
    assert causes.matches((2, 0, 1)).all()
    assert has_levels(causes.cause(0), (0, 1, 3)), "the first says that every cell hangs"
