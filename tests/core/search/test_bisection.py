"""Whether "95 %" is right 95 % of the time: seeded synthetic histories, the change anywhere or nowhere."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import comb

import pytest

from repro.answer import AnswerKind
from repro.core.search.bisection import TRIALS_TO_CONFIRM, Bisection

MOST = 400
CONFIDENCE = 0.95


def searched(n: int, first: int, rate: float, chance: random.Random) -> tuple[Bisection, int]:
    """A search to its end over releases that hang at ``rate`` from ``first`` on (``n``: never), and its trials."""
    return searched_over([rate if index >= first else 0.0 for index in range(n)], chance)


def searched_over(rates: Sequence[float], chance: random.Random) -> tuple[Bisection, int]:
    """A search to its end over releases of these rates, and its trials."""
    state, trials = Bisection(len(rates), confidence=CONFIDENCE), 0
    while not state.answer().is_settled and trials < MOST:
        (index,) = state.next_probes(1)
        state = state.observe(index, hang=rates[index] > 0 and chance.random() < rates[index])
        trials += 1
    return state, trials


def least_right(histories: int) -> int:
    """The fewest right answers that a search with 95 % has with a chance of more than one in a thousand."""
    total = 0.0
    for right in range(histories + 1):
        total += comb(histories, right) * CONFIDENCE**right * (1 - CONFIDENCE) ** (histories - right)
        if total > 0.001:
            return right
    return histories


@pytest.mark.parametrize(("rate", "histories"), [(1.0, 400), (0.5, 240), (0.2, 160)])
def test_the_release_named_is_right_as_often_as_it_says(rate: float, histories: int) -> None:
    chance = random.Random(f"rate {rate}")
    right = 0
    for _ in range(histories):
        n = chance.choice((8, 20, 50, 120, 200))
        first = chance.randrange(1, n)
        answer = searched(n, first, rate, chance)[0].answer()
        right += answer.kind is AnswerKind.FIRST_BAD and answer.index == first
    assert right >= least_right(histories), f"{right} of {histories}"


@pytest.mark.parametrize(("rate", "histories"), [(0.5, 60), (0.2, 30)])
def test_trials_of_different_length_are_weighed_by_their_exposure(rate: float, histories: int) -> None:
    """Some trials are a quarter as long as the usual one, some twice: each hangs as often as its length lets it."""
    chance = random.Random(f"lengths {rate}")
    right = 0
    for _ in range(histories):
        n = chance.choice((8, 20, 50))
        first = chance.randrange(1, n)
        state, trials = Bisection(n, confidence=CONFIDENCE), 0
        while not state.answer().is_settled and trials < MOST:
            (index,) = state.next_probes(1)
            length = chance.choice((0.25, 0.5, 1.0, 1.0, 2.0))
            hang = index >= first and chance.random() < 1 - (1 - rate) ** length
            state, trials = state.observe(index, hang=hang, weight=length), trials + 1
        answer = state.answer()
        right += answer.kind is AnswerKind.FIRST_BAD and answer.index == first
    assert right >= least_right(histories), f"{right} of {histories}"


def test_a_short_clean_trial_says_less_of_its_release_than_a_long_one() -> None:
    hung = Bisection(2).observe(1, hang=True).observe(1, hang=False).observe(1, hang=True)
    short, usual, long = (hung.observe(0, hang=False, weight=weight).posterior()[1] for weight in (0.25, 1.0, 2.0))
    assert short < usual < long


@pytest.mark.parametrize(("rate", "histories"), [(0.7, 200), (0.5, 200), (0.2, 120)])
def test_a_hang_that_was_always_there_is_seldom_called_a_change(rate: float, histories: int) -> None:
    chance = random.Random(f"always {rate}")
    answers = [searched(chance.choice((2, 5, 10, 50, 200)), 0, rate, chance)[0].answer() for _ in range(histories)]
    right = sum(answer.kind is AnswerKind.NO_CHANGE and answer.always for answer in answers)
    assert right >= least_right(histories), f"{right} of {histories}"


@pytest.mark.parametrize(("rate", "histories"), [(0.6, 150), (0.4, 100)])
def test_a_rate_that_differs_from_release_to_release_does_not_mislead(rate: float, histories: int) -> None:
    chance = random.Random(f"differs {rate}")
    right = 0
    for _ in range(histories):
        n = chance.choice((8, 20, 50, 120, 200))
        first = chance.randrange(1, n)
        rates = [rate * chance.uniform(0.5, 1.5) if index >= first else 0.0 for index in range(n)]
        right += searched_over(rates, chance)[0].answer().index == first
    assert right >= least_right(histories), f"{right} of {histories}"


def test_no_change_is_said_where_there_is_none() -> None:
    chance = random.Random("none")
    answers = [searched(chance.choice((8, 50, 200)), 10_000, 1.0, chance)[0].answer() for _ in range(30)]
    assert {answer.kind for answer in answers} == {AnswerKind.NO_CHANGE}
    assert not any(answer.always for answer in answers)


def test_a_certain_hang_takes_about_as_many_releases_as_halving() -> None:
    state, _ = searched(32, 18, 1.0, random.Random(1))
    assert len({seen.index for seen in state.observations}) <= 8


def test_probes_made_at_once_are_as_often_right() -> None:
    chance = random.Random("at once")
    right, histories = 0, 30
    for _ in range(histories):
        n = chance.choice((8, 20, 50, 120, 200))
        first = chance.randrange(1, n)
        state = Bisection(n, confidence=CONFIDENCE)
        under_way: list[int] = []
        while under_way or not state.answer().is_settled:
            if not state.answer().is_settled:
                under_way += state.next_probes(4 - len(under_way), under_way=under_way)
            ends = under_way.pop(chance.randrange(len(under_way)))
            state = state.observe(ends, hang=ends >= first and chance.random() < 0.5)
        right += state.answer().index == first
    assert right >= least_right(histories), f"{right} of {histories}"


def test_probes_at_once_are_different_releases_and_none_that_tells_nothing() -> None:
    state = Bisection(100).observe(99, hang=True).observe(0, hang=False)
    first = state.next_probes(3)
    assert len(set(first)) == 3
    assert set(state.next_probes(2, under_way=first[:1])) & set(first[1:])
    nearly = Bisection(2).observe(1, hang=True).observe(1, hang=True).observe(0, hang=False)
    wanted = nearly.next_probes(8)
    assert set(wanted) == {0}
    assert len(wanted) < 8
    assert nearly.next_probes(1, under_way=wanted) == ()


def test_the_proof_of_the_clean_side_is_asked_for_all_at_once_and_no_more_of_it() -> None:
    flaky = Bisection(3).observe(2, hang=False).observe(1, hang=False)
    for _ in range(2):
        flaky = flaky.observe(1, hang=True).observe(2, hang=True)
    for _ in range(4):
        flaky = flaky.observe(0, hang=False)
    wanted = flaky.next_probes(8)
    assert not flaky.answer().is_settled
    assert set(wanted) == {0}
    assert 1 < len(wanted) < 8
    for _ in wanted:
        flaky = flaky.observe(0, hang=False)
    assert flaky.answer().index == 1


@pytest.mark.parametrize("rate", [1.0, 0.5])
def test_both_ends_and_both_named_releases_are_seen_for_themselves(rate: float) -> None:
    chance = random.Random(f"seen {rate}")
    for _ in range(40):
        n = chance.choice((2, 3, 8, 50))
        state, _ = searched(n, chance.randrange(1, n), rate, chance)
        answer = state.answer()
        assert answer.index is not None
        assert answer.previous is not None
        assert state.trials_of(answer.index)[1] >= TRIALS_TO_CONFIRM
        assert state.trials_of(n - 1)[0] >= 1
        assert state.trials_of(answer.previous)[1] >= TRIALS_TO_CONFIRM
        assert state.trials_of(0)[1] >= 1
