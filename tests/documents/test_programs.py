"""The table of programs as people write them is made from what they came to when they were run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from repro.world.shipped.causes import known_causes

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cli" / "cases"
RESULTS = ROOT / "benchmarks" / "programs.jsonl"


def test_the_table_is_made_from_the_results_and_has_every_program() -> None:
    words = [sys.executable, ROOT / "benchmarks" / "programs.py", "table"]
    made = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout
    assert made in (ROOT / "docs" / "causes" / "programs.md").read_text("utf-8")
    rows = [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines()]
    assert {row["case"] for row in rows} == {folder.name for folder in CASES.iterdir() if folder.is_dir()} - {
        "__pycache__"
    }
    assert {row["cause"] for row in rows} - {""} <= {cause.id for cause in known_causes()}
