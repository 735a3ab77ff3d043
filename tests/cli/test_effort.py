"""``--until``, ``--soak`` and ``--rule-out`` as they are typed: what they come to, and one sentence for what cannot be."""

from __future__ import annotations

import click
import pytest

from repro.cli.options.effort import Duration, Often, check_bounded, effort_of
from repro.errors import UsageError
from repro.model import Cell, Effort, EnvironmentSpec, Limits, Plan, Until


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1.5h", 5400), ("2d", 172_800)])
def test_a_time(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "-5", "3x", "h", "1e99", "nan"])
def test_what_is_not_a_time_is_told_so_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a time; give one such as 90s"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "share"), [("1/5000", 1 / 5000), ("1/5,000", 1 / 5000), ("0.0002", 0.0002), ("2/300", 2 / 300)]
)
def test_how_often(text: str, share: float) -> None:
    assert Often().convert(text, None, None) == share


@pytest.mark.parametrize("text", ["", "5000", "1", "1/0", "0/5", "-1/5", "1/5/5", "nan", "1/1", "one in five"])
def test_what_does_not_say_how_often_is_told_so_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="give hangs per operation, such as 1/5000"):
        Often().convert(text, None, None)


def test_trials_bound_a_soak_and_nothing_else() -> None:
    assert effort_of(until="settled", soak=None, rule_out=None, trials=7) == Effort()
    assert effort_of(until="all", soak=60.0, rule_out=None, trials=7) == Effort(
        until=Until.ALL, soak_s=60.0, most_trials=7
    )
    assert effort_of(until="settled", soak=None, rule_out=0.1, trials=None) == Effort(rule_out=0.1)


def test_a_seed_is_replayed_in_all_trials_and_not_without_an_end() -> None:
    replayed = effort_of(until="settled", soak=None, rule_out=None, trials=10, replay=0)
    assert replayed == Effort(until=Until.ALL, replays=0)
    with pytest.raises(UsageError, match="--replay goes with a number of --trials"):
        effort_of(until="settled", soak=60.0, rule_out=None, trials=None, replay=7)


@pytest.mark.parametrize(
    ("backend", "trials", "is_refused"), [("aws", None, True), ("aws", 5, False), ("moto", None, False)]
)
def test_an_open_end_is_refused_where_requests_cost_money(
    backend: str, trials: int | None, *, is_refused: bool
) -> None:
    cell = Cell(
        id="a",
        label="",
        scenario="s",
        factors={},
        settings={"backend": backend},
        environ={},
        environment=EnvironmentSpec(),
    )
    effort = effort_of(until="settled", soak=60.0, rule_out=None, trials=trials)
    plan = Plan(experiment="e", scenario="s", cells=(cell,), varied=(), trials=3, limits=Limits(), effort=effort)
    if not is_refused:
        check_bounded(plan)
        return
    with pytest.raises(UsageError, match="need --trials with --backend aws"):
        check_bounded(plan)
