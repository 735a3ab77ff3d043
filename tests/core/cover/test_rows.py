"""The rows of a covering array, held against every combination of every row that the rules leave."""

import itertools
import random
from collections.abc import Iterator

import pytest

from repro.core.cover.rows import covering_rows
from repro.core.cover.space import Combination, Row, Space, has
from repro.core.cover.verification import prove

SEED = 20


def product(space: Space) -> Iterator[Row]:
    """Every row that the rules leave, by going through all of them."""
    for row in itertools.product(*map(range, space.sizes)):
        if tuple(row[factor] for factor in space.ruled) in space.allowed:
            yield row


def combinations(row: Row, strength: int) -> set[Combination]:
    return set(itertools.combinations(enumerate(row), strength))


def spaces() -> list[Space]:
    """Spaces of up to six factors, some of which rules speak of, by a seed."""
    chance = random.Random(SEED)
    found = []
    for _ in range(40):
        sizes = tuple(chance.randint(1, 4) for _ in range(chance.randint(2, 6)))
        ruled = tuple(sorted(chance.sample(range(len(sizes)), chance.randint(0, len(sizes)))))
        rows = list(itertools.product(*(range(sizes[factor]) for factor in ruled)))
        allowed = tuple(sorted(chance.sample(rows, chance.randint(1, len(rows)))))
        found.append(Space(sizes=sizes, ruled=ruled, allowed=allowed))
    return found


@pytest.mark.parametrize("strength", [2, 3])
def test_every_combination_of_every_row_that_the_rules_leave_is_in_a_row(strength: int) -> None:
    for space in spaces():
        if len(space.sizes) < strength:
            continue
        whole = list(product(space))
        rows, proof = covering_rows(space, strength, seed=SEED)
        wanted = set().union(*(combinations(row, strength) for row in whole))
        assert set().union(*(combinations(row, strength) for row in rows)) == wanted, space
        assert set(rows) <= set(whole), space
        assert rows == sorted(set(rows))
        assert (proof.possible, proof.missing, space.count) == (len(wanted), (), len(whole)), space


def test_the_smallest_impossible_combinations_explain_all_others() -> None:
    for space in spaces():
        if len(space.sizes) < 3:
            continue
        there = set().union(*(combinations(row, 3) for row in product(space)))
        proof = prove(space, [], 3)
        everything = {one for factors in space.factors(3) for one in space.combinations(factors)}
        assert proof.ruled_out == len(everything - there)
        for combination in everything:
            assert any(set(one) <= set(combination) for one in proof.impossible) == (combination not in there), space
        for one, other in itertools.permutations(proof.impossible, 2):
            assert not set(one) <= set(other), "named twice"


def test_the_proof_names_what_is_missing() -> None:
    space = Space(sizes=(2, 2, 2))
    rows = [(0, 0, 0), (0, 1, 1), (1, 0, 1)]
    assert prove(space, rows, 2).missing == (((0, 1), (1, 1)), ((0, 1), (2, 0)), ((1, 1), (2, 0)))
    assert prove(space, [*rows, (1, 1, 0)], 2).missing == ()


def test_rows_that_must_be_there_are_and_spare_others() -> None:
    space = Space(sizes=(3, 3, 3, 3))
    alone, _ = covering_rows(space, 2)
    must = [(2, 2, 2, 2), (0, 1, 2, 0)]
    rows, _ = covering_rows(space, 2, must=must)
    assert set(must) <= set(rows)
    again, _ = covering_rows(space, 2, must=alone)
    assert again == alone, "what was run is covered: nothing is added"
    more, proof = covering_rows(space, 3, must=alone)
    assert set(alone) < set(more)
    assert proof.missing == ()
    assert len(more) < space.count


def test_what_the_library_leaves_out_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro.core.cover.rows._chosen", lambda *_: [(0, 0, 0)])
    space = Space(sizes=(2, 2, 2), ruled=(0, 1), allowed=((0, 0), (0, 1), (1, 0)))
    rows, proof = covering_rows(space, 2)
    assert (proof.missing, proof.ruled_out) == ((), 1)
    assert set(rows) <= set(product(space))


def test_the_rows_are_alike_for_a_seed_and_differ_between_seeds() -> None:
    space = Space(sizes=(4, 4, 4, 4, 4))
    found = [covering_rows(space, 2, seed=seed)[0] for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_a_row_has_a_combination() -> None:
    assert has((1, 2, 0), ((0, 1), (2, 0)))
    assert not has((1, 2, 0), ((0, 1), (2, 1)))
