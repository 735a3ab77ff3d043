"""The JSON Schema of an experiment file: what the program takes it lets pass, and what editors can see to be wrong it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from repro.errors import ReproError
from repro.orchestration.preparation import RunRequest, prepare
from repro.presentation.experiment_schema import experiment_schema
from repro.world.shipped.names import list_scenarios
from repro.world.shipped.scenarios import named

ROOT = Path(__file__).parents[2] / "scenarios"
SCHEMA = ROOT / "experiment.schema.json"
FILES = sorted(path for path in ROOT.rglob("*.toml") if path.name not in {"scenario.toml", "truths.toml"})
WRONG = (
    "trials = 3",
    'scenario = "known/clean"\ntrails = 3',
    'scenario = "known/clean"\ntrials = true',
    'scenario = "known/clean"\ntrials = 0',
    'scenario = "known/clean"\n[settings]\nusers = -1',
    'scenario = "known/clean"\n[packages]\ngevent = 24',
    'scenario = "locust-2637"\n[settings]\nclient = "nobody"',
    'scenario = "locust-2637"\n[settings]\nlaunch = "fast"',
    'scenario = "locust-2637"\n[limits]\nstall = 3',
    'scenario = "locust-2637"\n[settings]\nas_of = "yesterday"',
)


@cache
def validator() -> Draft7Validator:
    schema = experiment_schema([named(name, where="a test").info for name in list_scenarios()])
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def read(text: str) -> Any:
    """As an editor of TOML hands it to a validator: a day is a text."""
    return json.loads(
        json.dumps(tomllib.loads(text), default=lambda day: day.isoformat() if isinstance(day, date) else 0)
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_ships_is_right_and_names_its_schema(path: Path) -> None:
    text = path.read_text()
    assert list(validator().iter_errors(read(text))) == []
    head, _, name = text.partition("\n")[0].partition(" ")
    assert (head, (path.parent / name).resolve()) == ("#:schema", SCHEMA)


@pytest.mark.parametrize("text", WRONG)
def test_what_the_program_refuses_the_schema_refuses(text: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text + "\n")
    with pytest.raises(ReproError):
        prepare(RunRequest(experiment=str(file)))
    assert list(validator().iter_errors(read(text)))


def test_the_published_schema_is_what_is_printed_now() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "repro", "list", "schema"], capture_output=True, text=True, timeout=120, check=True
    )
    assert printed.stdout == SCHEMA.read_text(), "make it anew: repro list schema > scenarios/experiment.schema.json"
