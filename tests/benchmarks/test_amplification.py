"""The published tables of knobs, hangs and long loads are what the kept trials come to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["amplification", "soaks"])
def test_the_published_tables_are_those_of_the_kept_trials(name: str) -> None:
    argv = [sys.executable, f"benchmarks/{name}.py", "--table"]
    made = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    rows = [line for line in made.stdout.splitlines() if line.startswith("|")]
    published = (ROOT / "docs" / "explanation" / "rare-hangs.md").read_text().splitlines()
    assert len(rows) > 4
    assert [row for row in rows if row not in published] == []
