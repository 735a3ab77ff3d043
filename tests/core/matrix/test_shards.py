"""Trials dealt to shards: each is made once, those of a cell apart, none has more than its part, no level has a machine."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.core.matrix.schedule import Schedule
from repro.core.matrix.shards import command_of, parsed, share, whole_command
from repro.errors import UsageError
from repro.model import Cell, EnvironmentSpec, Shard, Verdict

from .test_schedule import run, trial


def cells(count: int) -> list[Cell]:
    ids = [hashlib.sha256(str(number).encode()).hexdigest()[:12] for number in range(count)]
    return [
        Cell(id=one, label=one, scenario="s", factors={}, settings={}, environ={}, environment=EnvironmentSpec())
        for one in ids
    ]


@settings(deadline=None)  # on a busy machine one example may take longer than another
@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 25))
def test_every_trial_is_made_once_and_those_of_a_cell_on_different_shards(count: int, trials: int, of: int) -> None:
    made = Counter[tuple[str, int]]()
    on: dict[str, Counter[int]] = defaultdict(Counter)
    loads = []
    for number in range(1, of + 1):
        own = share(cells(count), trials=trials, shard=Shard(number, of))
        pairs = [(name, one) for name, numbers in own.items() for one in numbers]
        loads.append(len(pairs))
        made.update(pairs)
        for name, _ in pairs:
            on[name][number] += 1
    assert made == {(cell.id, one): 1 for cell in cells(count) for one in range(1, trials + 1)}
    for spread in on.values():
        assert len(spread) == min(trials, of)
        assert max(spread.values()) - min(spread.values()) <= 1
    assert max(loads) - min(loads) <= 1


def test_the_order_of_the_cells_in_the_plan_changes_nothing() -> None:
    some = cells(30)
    mixed = random.Random(1).sample(some, len(some))
    assert share(some, trials=3, shard=Shard(2, 7)) == share(mixed, trials=3, shard=Shard(2, 7))


@pytest.mark.parametrize(("trials", "of"), [(1, 2), (2, 4), (3, 6), (2, 2), (1, 10)])
def test_no_level_falls_to_a_machine(trials: int, of: int) -> None:
    """Eight factors of two levels: the share of each level's trials that a shard makes is about its part."""
    levels = list(product((0, 1), repeat=8))
    some = cells(len(levels))
    for number in range(1, of + 1):
        own = share(some, trials=trials, shard=Shard(number, of))
        of_cell = {cell.id: one for cell, one in zip(some, levels, strict=True)}
        for factor in range(8):
            ran = sum(len(numbers) for name, numbers in own.items() if of_cell[name][factor])
            total = sum(map(len, own.values()))
            assert abs(ran / total - 0.5) < 4 * (0.25 / total) ** 0.5


def test_with_few_trials_a_cell_more_than_two_machines_meet() -> None:
    met = defaultdict(set)
    for number in range(1, 5):
        for name in share(cells(40), trials=2, shard=Shard(number, 4)):
            met[name].add(number)
    assert {tuple(sorted(pair)) for pair in met.values()} > {(1, 2), (3, 4)}


def test_a_shard_makes_its_own_numbers_and_goes_on_with_those_that_are_left() -> None:
    some = cells(5)
    own = share(some, trials=4, shard=Shard(2, 3))
    begun = run(Schedule(some, trials=4, seed=0, share=own), jobs=2)
    expected = [(name, one) for name, numbers in own.items() for one in numbers]
    assert sorted(begun) == sorted(expected)
    name, number = expected[0]
    finished = [trial(other, one) for other, one in expected if (other, one) != (name, number)]
    assert run(Schedule(some, trials=4, seed=0, share=own, finished=finished)) == [(name, number)]


def test_a_hang_settles_a_cell_in_its_shard() -> None:
    some = cells(1)
    own = share(some, trials=6, shard=Shard(1, 2))
    assert run(Schedule(some, trials=6, seed=0, share=own), lambda *_: Verdict.HANG) == [
        (some[0].id, own[some[0].id][0])
    ]


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "a/b", "1/0", "-1/2", "1/2/3", "1.0/2", "1/99999999"])
def test_what_is_not_a_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="give I/N, shard I of N, such as 3/20"):
        parsed(text)


def test_the_command_of_another_shard_comes_from_that_of_any() -> None:
    command = "repro run 'my file.toml' --shard 3/20 --set a=b --out=part3 --resume"
    assert whole_command(command) == "repro run 'my file.toml' --set a=b"
    assert (
        command_of(command, Shard(4, 20), out="part4") == "repro run 'my file.toml' --set a=b --shard 4/20 --out part4"
    )
    assert parsed("3/20") == Shard(3, 20)
