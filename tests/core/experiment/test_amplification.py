"""The levels of ``amplify``: which knobs each has, and the one way to write it."""

from __future__ import annotations

import re

import pytest

from repro.core.experiment.factors.amplification import IN_ONE_FILE, KNOBS, LEVELS, knobs_of, level_of
from repro.core.experiment.factors.catalogue import COMMON
from repro.errors import ExperimentError


def test_every_set_of_knobs_has_one_level() -> None:
    assert len(LEVELS) == len(set(LEVELS)) == 2 ** len(KNOBS)
    for level in LEVELS:
        assert level_of(tuple(reversed(knobs_of(level)))) == level
        assert COMMON.level("amplify", level, where="") == level
        assert re.search(COMMON.factor("amplify").pattern, level)
    assert knobs_of("all") == KNOBS


def test_what_acts_outside_of_the_process_does_not_fit_into_one_file() -> None:
    assert "gc+stop" in IN_ONE_FILE
    assert not {"io", "gc+io", "all"} & set(IN_ONE_FILE)


@pytest.mark.parametrize(
    ("text", "hint"), [("io+gc", "write gc[+]io"), ("gc+gc", "write gc$"), ("cpu", "choose none, gc, "), ("", "choose")]
)
def test_another_way_to_write_it_is_refused_with_the_right_one(text: str, hint: str) -> None:
    with pytest.raises(ExperimentError, match=hint):
        COMMON.level("amplify", text, where="here")
