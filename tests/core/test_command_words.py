"""Options taken out of the words of a command line."""

import pytest

from repro.core.command_words import without


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("run a --out b --trials 3", "run a --trials 3"),
        ("run a --out=b --resume", "run a"),
        ("run --out a --out b", "run"),
        ("run --resumed --outer b", "run --resumed --outer b"),
        ("run --out --resume", "run"),
    ],
)
def test_an_option_goes_with_its_value_alone(typed: str, kept: str) -> None:
    assert without(typed.split(), flags={"--resume"}, values={"--out"}) == kept.split()
