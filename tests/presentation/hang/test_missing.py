"""What to type where a module was missing."""

from __future__ import annotations

import pytest

from repro.findings import Findings, RowName, Said
from repro.presentation.hang.verdicts import sentences


@pytest.mark.parametrize(
    ("module", "name"),
    [("grpc", "grpcio"), ("grpc.aio", "grpcio"), ("pandas", "pandas"), ("google.protobuf", "protobuf"), ("a_b", "a-b")],
)
def test_a_missing_module_says_what_to_type(module: str, name: str) -> None:
    said = Said(last_words=f"ModuleNotFoundError: No module named '{module}'")
    (sentence,) = sentences(Findings(row=RowName.DIED, exit_code=1, said=said))
    assert f"add --set packages.{name}= for its newest release" in sentence


def test_a_program_that_asks_for_input_says_that_there_is_none() -> None:
    said = Said(last_words="EOFError: EOF when reading a line")
    (sentence,) = sentences(Findings(row=RowName.DIED, exit_code=1, said=said))
    assert sentence.endswith(
        "a trial has no input to read: give the answer as an argument or a variable of the command"
    )


def test_another_error_says_nothing_of_modules() -> None:
    (sentence,) = sentences(Findings(row=RowName.DIED, exit_code=1, said=Said(last_words="KeyError: 'load'")))
    assert "packages." not in sentence
