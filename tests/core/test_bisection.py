"""Whether "95 %" is right 95 % of the time: seeded synthetic histories, the change anywhere or nowhere."""

from __future__ import annotations

import random
from math import comb

import pytest

from repro.core.bisection import AnswerKind, Bisection

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


@pytest.mark.parametrize(("rate", "histories"), [(1.0, 120), (0.5, 80), (0.2, 40)])
def test_the_release_named_is_right_as_often_as_it_says(rate: float, histories: int) -> None:
    chance = random.Random(f"rate {rate}")
    right = 0
    for _ in range(histories):
        n = chance.choice((8, 20, 50, 120, 200))
        first = chance.randrange(1, n)
        answer = searched(n, first, rate, chance)[0].answer()
        right += answer.kind is AnswerKind.FIRST_BAD and answer.index == first
    assert right >= least_right(histories), f"{right} of {histories}"


def test_no_change_is_said_where_there_is_none() -> None:
    chance = random.Random("none")
    answers = [searched(chance.choice((8, 50, 200)), 10_000, 1.0, chance)[0].answer() for _ in range(30)]
    assert {answer.kind for answer in answers} == {AnswerKind.NO_CHANGE}
    assert not any(answer.always for answer in answers)


def test_a_certain_hang_takes_about_as_many_releases_as_halving() -> None:
    state, _ = searched(32, 18, 1.0, random.Random(1))
    assert len({seen.index for seen in state.observations}) <= 8


def test_a_trial_can_be_undone() -> None:
    state = Bisection(8).observe(7, hang=True)
    assert state.observe(0, hang=False).undo() == state
