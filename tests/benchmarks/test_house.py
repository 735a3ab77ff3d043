"""The count of the house counts what it says: a small house with one of each."""

import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2] / "benchmarks" / "house.py"
BEFORE = '''"""A module."""

from typing import Any, Mapping


class Row:
    """One of two."""


def judge(sample: int, facts: Mapping[str, Any]) -> str:
    """This docstring is no sentence of the program."""
    if "probably" in facts["holder"] or facts["way"].startswith("probably "):
        raise ValueError("this is said by an error, so it may stand here")
    words = "these are words of a list".split()
    return f"{sample} users wait for it: {words}"
'''


@pytest.fixture
def house(tmp_path):
    """``house("--list", "…")`` is what the script prints of a house whose oldest room has all the faults."""
    before, after = tmp_path / "before", tmp_path / "after"
    for folder, files in (
        (before, {"core/waiting.py": BEFORE, "core/row.py": "class Row: ...\n", "core/long.py": f"X = {'1' * 130}\n"}),
        (after, {"core/judge/waits.py": "class Wait: ...\n", "core/search/shrinking.py": ""}),
    ):
        for name, text in files.items():
            path = folder / "repro" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (after / "repro/core/judge/waits.py").write_text("def wait():\n    pass\n\n\ndef look():\n    pass\n")

    def printed(*arguments: str, root: Path = before) -> str:
        argv = [sys.executable, HOUSE, root, *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    printed.before, printed.after = before, after
    return printed


def rows_of(table: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line]
    return {label: values for label, *values in cells}


def test_two_checkouts_stand_beside_one_another(house):
    rows = rows_of(house("--against", str(house.before), root=house.after))
    assert rows["files in the largest room"] == ["3 (`core/`)", "1 (`core/judge/`)"]
    assert rows["class names used twice"] == ["1 (Row)", "0"]
    assert rows["… longest"] == ["6 (`waiting.py:judge`)", "2 (`waits.py:wait`)"]
    assert rows["lines over 120 columns"] == ["1", "0"]
    assert rows["gerund modules"] == ["1", "0"]
    assert rows["places that take a text apart"] == ["2", "0"]
    assert rows["signatures with `sample`"] == ["1", "0"]
    assert rows["parameters that are `Mapping[str, Any]`"] == ["1", "0"]
    assert rows["sentences in core"] == ["1", "0"]
    assert rows["`core/`"] == ["3 (2)", ""]


def test_each_place_can_be_looked_at(house):
    places = house("--list", "places that take a text apart").splitlines()
    assert [place.split()[0] for place in places] == ["repro/core/waiting.py:12"] * 2
