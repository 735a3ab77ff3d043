"""Whether "95 %" is right 95 % of the time: seeded synthetic histories, the change anywhere or nowhere."""

from __future__ import annotations

import random
from math import comb

import pytest

from repro.answer import AnswerKind
from repro.core.search.bisection import Bisection

MOST = 400
CONFIDENCE = 0.95


def searched(n: int, first: int, rate: float, chance: random.Random) -> tuple[Bisection, int]:
    """A search to its end over releases that hang at ``rate`` from ``first`` on (``n``: never), and its trials."""
    state, trials = Bisection(n, confidence=CONFIDENCE), 0
    while not state.answer().is_settled and trials < MOST:
        (index,) = state.next_probes(1)
        state = state.observe(index, hang=index >= first and chance.random() < rate)
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


def test_the_proof_of_an_end_is_asked_for_all_at_once() -> None:
    flaky = Bisection(16).observe(15, hang=False).observe(15, hang=False).observe(15, hang=True)
    assert flaky.next_probes(4).count(0) > 1
