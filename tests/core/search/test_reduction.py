"""Reductions of planted truths: which sets hang is known, and so are the culprits and the cure."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence

import pytest

from repro.answer import BlameKind
from repro.core.search.reduction import Outcome, Reduction, chance_of_missing, smallest

NAMES = tuple(f"p{number}" for number in range(20))


class Truth:
    """Sets that hang at a rate when all of one of ``culprits`` is in them; ``torn`` are pairs that go only together."""

    def __init__(
        self, *culprits: Collection[str], rate: float = 1.0, torn: Sequence[tuple[str, str]] = (), seed: int = 1
    ) -> None:
        self.culprits = [frozenset(one) for one in culprits]
        self.rate, self.torn, self.chance = rate, torn, random.Random(seed)
        self.asked: Counter[frozenset[str]] = Counter()

    def __call__(self, packages: frozenset[str]) -> Outcome:
        self.asked[packages] += 1
        if any((one in packages) != (other in packages) for one, other in self.torn):
            return Outcome.UNRESOLVABLE
        hangs = any(one <= packages for one in self.culprits) and self.chance.random() < self.rate
        return Outcome.HANG if hangs else Outcome.CLEAN


@pytest.mark.parametrize("name", NAMES)
def test_one_package_that_always_hangs(name: str) -> None:
    truth = Truth({name})
    found = Reduction(NAMES, truth).run()
    assert found.kind is BlameKind.FOUND
    assert [one.packages for one in found.culprits] == [(name,)]
    assert found.cure == (name,)
    assert found.culprits[0].confidence >= 0.95
    assert sum(truth.asked.values()) <= 30  # five halvings, three or four trials where one is clean


@pytest.mark.parametrize("seed", range(20))
def test_packages_that_hang_only_together_are_found_as_such(seed: int) -> None:
    chance = random.Random(seed)
    guilty = chance.sample(NAMES, chance.choice([2, 3]))
    found = Reduction(NAMES, Truth(guilty)).run()
    assert [sorted(one.packages) for one in found.culprits] == [sorted(guilty)]
    assert len(found.cure) == 1
    assert set(found.cure) <= set(guilty)


def test_two_culprits_that_hang_each_alone_are_both_found() -> None:
    found = Reduction(NAMES, Truth({"p3"}, {"p7", "p11"})).run()
    assert sorted(sorted(one.packages) for one in found.culprits) == [["p11", "p7"], ["p3"]]
    assert len(found.cure) == 2
    assert "p3" in found.cure
    assert {"p7", "p11"} & set(found.cure)


def test_the_cure_is_one_package_that_two_overlapping_culprits_share() -> None:
    found = Reduction(NAMES, Truth({"p1", "p2"}, {"p1", "p3"})).run()
    assert found.cure == ("p1",)


def test_sets_that_cannot_be_installed_are_never_taken_for_good_or_bad() -> None:
    truth = Truth({"p4"}, torn=[("p4", "p15"), ("p2", "p9")])
    (one,) = Reduction(NAMES, truth).run().culprits
    assert sorted(one.packages) == ["p15", "p4"]
    assert sorted(one.tied) == ["p15", "p4"]


def test_ends_that_do_not_differ_are_said() -> None:
    assert Reduction(NAMES, Truth()).run().kind is BlameKind.BAD_IS_CLEAN
    assert Reduction(NAMES, Truth(())).run().kind is BlameKind.GOOD_HANGS


def test_too_many_trials_are_no_answer() -> None:
    found = Reduction(NAMES, Truth({"p13", "p2"}), most_trials=12).run()
    assert found.kind is BlameKind.UNKNOWN
    assert found.trials == 12


def test_a_package_is_named_as_often_rightly_as_it_says() -> None:
    """Calibration: 240 seeded truths, 5 to 30 packages, one to three that hang only together, at rates 1, 0.5 and 0.2."""
    right = wrong = 0
    for seed in range(240):
        chance = random.Random(seed)
        names = NAMES[: chance.choice([5, 10, 20])]
        guilty = chance.sample(names, chance.choice([1, 1, 2, 3]))
        found = Reduction(names, Truth(guilty, rate=chance.choice([1.0, 0.5, 0.2]), seed=seed), most_trials=2000).run()
        if found.kind is BlameKind.FOUND:
            is_right = [sorted(one.packages) for one in found.culprits] == [sorted(guilty)]
            right, wrong = right + is_right, wrong + (not is_right)
    assert right + wrong >= 228
    assert right >= 0.95 * (right + wrong)


def test_the_chance_of_missing_is_the_mean_over_the_rate() -> None:
    assert chance_of_missing(0, hangs=3, cleans=2) == pytest.approx(1)
    assert chance_of_missing(4, hangs=0, cleans=0) == pytest.approx(1 / 5)  # the integral of (1 - p)^4
    assert chance_of_missing(2, hangs=1, cleans=0) == pytest.approx(1 / 6)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
def test_the_smallest_set_is_minimal(size: int) -> None:
    for seed in range(20):
        wanted = frozenset(random.Random(seed).sample(NAMES[:size], random.Random(seed + 1).randint(1, size)))
        assert frozenset(smallest(NAMES[:size], lambda names, wanted=wanted: wanted <= names)) == wanted
