"""Whether the machine is a factor: rates by host, compared within the cells alone, exactly."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from scipy.stats import fisher_exact

from repro.core.matrix.hazards import result_of
from repro.core.matrix.hosts import host_effects, host_rates
from repro.model import Bound, Cell, CellResult, EnvironmentSpec, Hang, HangClass, Trial, Until, Verdict

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
HANG = Hang(hang_class=HangClass.FROZEN, users_stuck=1, users=1, stuck_since_s=1.0, bound=Bound(at_most_s=None))


def result(name: str, hosts: Mapping[str, Sequence[bool]]) -> CellResult:
    """A cell with the trials of some hosts; True is a hang."""
    cell = Cell(id=name, label=name, scenario="s", factors={}, settings={}, environ={}, environment=EnvironmentSpec())
    numbers = count(1)
    trials = [
        Trial(
            cell_id=name, number=(number := next(numbers)), verdict=Verdict.HANG if hang else Verdict.CLEAN,
            started=BEGAN + timedelta(seconds=number), seconds=1.0, hang=HANG if hang else None, machine=host,
        )
        for host, hangs in hosts.items()
        for hang in hangs
    ]  # fmt: skip
    return result_of(cell, trials)


def test_a_cell_has_a_rate_for_each_host_that_tried_it() -> None:
    rates = host_rates(result("a", {"one": [True, False], "two": [False]}))
    assert [(rate.host, rate.hangs, rate.trials) for rate in rates] == [("one", 1, 2), ("two", 0, 1)]
    assert host_rates(result("a", {"one": [True, False]})) == ()
    assert host_rates(result("a", {"one": [True], "": [False]})) == (), "an older version kept no host"


def test_with_one_cell_it_is_fishers_test() -> None:
    hosts = {"one": [True] * 7 + [False], "two": [True] + [False] * 7}
    (effect,) = host_effects([result("a", hosts)], Until.ALL)
    assert effect.p == pytest.approx(fisher_exact([[7, 1], [1, 7]]).pvalue)
    assert (effect.host, effect.hangs, effect.trials) == ("one", 7, 8)
    assert (effect.hangs_of_others, effect.trials_of_others) == (1, 8)


def test_hosts_are_compared_within_cells_alone() -> None:
    """One host tried mostly the cell that hangs, the other mostly the clean one: pooled they would differ."""
    cells = [
        result("hangs", {"one": [True] * 9, "two": [True]}),
        result("clean", {"one": [False], "two": [False] * 9}),
    ]
    assert host_effects(cells, Until.ALL) == ()


def test_a_slow_machine_is_named_among_others() -> None:
    cells = [
        result(str(number), {"one": [False], "two": [False], "slow": [True], "three": [False]}) for number in range(8)
    ]
    (effect,) = host_effects(cells, Until.SETTLED)
    assert (effect.host, effect.hangs, effect.trials, effect.trials_of_others) == ("slow", 8, 8, 24)


def test_a_host_that_stops_at_its_hang_is_not_worse_for_it() -> None:
    """All trials of it would make it look so: 1 of 1 beside 1 of 9."""
    cells = [
        result(str(number), {"one": [number % 2 == 0], "two": [number % 2 == 1] + [False] * 8}) for number in range(9)
    ]
    assert host_effects(cells, Until.SETTLED) == ()
    assert host_effects(cells, Until.ALL), "which is why only the first trials count"


def test_hosts_that_are_alike_are_seldom_said_to_differ() -> None:
    chance = random.Random(7)
    alarms = 0
    for _ in range(200):
        rates = [chance.choice([0.0, 0.3, 0.6, 1.0]) for _ in range(12)]
        cells = [
            result(str(at), {host: [chance.random() < rate] * 1 for host in ("one", "two", "three")})
            for at, rate in enumerate(rates)
        ]
        alarms += bool(host_effects(cells, Until.SETTLED))
    assert alarms <= 200 * 0.05 + 6
