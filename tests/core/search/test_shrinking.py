"""The smallest recipe that still shows the hang, with few trials."""

import random
from collections.abc import Callable, Collection

import pytest

from repro.core.search.shrinking import Recipe, reduced

LOAD = {"gevent": "1", "urllib3": "2", "boto3": "3", "locust": "4"}
OTHER = {"launch": "spawn", "import_order": "boto3-first", "think_time": 2}
BYSTANDERS = {f"package-{letter}": "1" for letter in "abcdefghijklmnopqrst"}


def recipe(pins: dict[str, str], **options: int) -> Recipe:
    return Recipe(title="", python="3.11", pins=pins, settings={"client": "shared", **options})


def reduce(whole: Recipe, hangs: Callable[[Recipe], bool], explicit: Collection[str] = ()) -> tuple[Recipe, list[str]]:
    tried: list[str] = []
    return reduced(whole, explicit=explicit, hangs=hangs, hangs_surely=hangs, say=tried.append), tried


def test_what_is_not_needed_goes_at_once() -> None:
    small, tried = reduce(recipe({**LOAD, **BYSTANDERS}), lambda one: {"gevent", "urllib3"} <= set(one.pins))
    assert small.pins == {"gevent": "1", "urllib3": "2"}
    assert len(tried) == 5  # all bystanders at once, then each of the four alone
    assert tried[0] == "4 pins, without 20 of them"


def test_one_bystander_that_matters_is_found_by_halves() -> None:
    small, tried = reduce(recipe({**LOAD, **BYSTANDERS}), lambda one: "package-k" in one.pins)
    assert set(small.pins) == {"package-k"}
    assert len(tried) <= 15


def test_options_go_one_by_one() -> None:
    small, tried = reduce(
        recipe(LOAD, read_timeout=3, max_attempts=1, connect_timeout=5),
        lambda one: set(LOAD) <= set(one.pins) and "read_timeout" in one.settings,
    )
    assert small.pins == LOAD
    assert small.settings == {"client": "shared", "read_timeout": 3}
    assert tried[-3:] == ["without read_timeout", "without max_attempts", "without connect_timeout"]


def test_pins_that_were_asked_for_are_tried_last_and_alone() -> None:
    _, tried = reduce(recipe({**LOAD, "idna": "3", "six": "1"}), lambda _: False, explicit={"idna", "gevent"})
    assert [text.rpartition("without ")[2] for text in tried] == ["six", "boto3", "locust", "urllib3", "gevent", "idna"]


def test_when_nothing_can_go_all_stays() -> None:
    whole = recipe({**LOAD, **BYSTANDERS}, read_timeout=3)
    small, _ = reduce(whole, lambda one: one == whole)
    assert small == whole


@pytest.mark.parametrize("seed", range(20))
def test_the_result_hangs_and_nothing_more_can_go(seed: int) -> None:
    rng = random.Random(seed)
    whole = recipe({**LOAD, **BYSTANDERS}, read_timeout=3, max_attempts=1)
    names = [*whole.pins, "read_timeout", "max_attempts"]
    needed = set(rng.sample(names, rng.randint(0, 6)))
    small, _ = reduce(whole, lambda one: needed <= {*one.pins, *one.settings}, set(rng.sample(sorted(whole.pins), 3)))
    assert {*small.pins, *small.settings} - {"client"} == needed
    assert small.pins.items() <= whole.pins.items()


def test_settings_become_plain_where_the_hang_remains() -> None:
    whole = Recipe(title="", python="3.11", pins=LOAD, settings=OTHER)
    small, tried = reduce(whole, lambda one: one.level("client") == "per-iteration")
    assert tuple(map(small.level, ("launch", "import_order", "client", "think_time"))) == (
        "cli",
        "locust-first",
        "per-iteration",
        0,
    )
    assert "with client=shared" in tried


def test_a_locustfile_of_its_own_keeps_what_it_decides_and_its_queue() -> None:
    variables = {"REPRO_QUEUE": "q", "REPRO_K": "3", "OTHER": "1"}
    whole = Recipe(title="", python="3.11", pins={}, source="pass", variables=variables, settings={"launch": "library"})
    small, tried = reduce(whole, lambda one: "REPRO_K" in one.variables)
    assert small.variables == {"REPRO_QUEUE": "q", "REPRO_K": "3"}
    assert tried == ["without REPRO_K", "without OTHER", "with launch=cli"]


def test_a_setting_without_which_it_hangs_more_seldom_stays() -> None:
    whole = recipe(LOAD, read_timeout=3)
    small = reduced(
        whole,
        explicit=(),
        hangs=lambda _: True,
        hangs_surely=lambda one: "read_timeout" in one.settings,
        say=lambda _: None,
    )
    assert small.pins == {}
    assert small.settings == {"client": "shared", "read_timeout": 3}
