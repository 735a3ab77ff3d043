"""The published table of knobs and hangs is what the kept trials come to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_published_table_is_that_of_the_kept_trials() -> None:
    argv = [sys.executable, "benchmarks/amplification.py", "--table"]
    made = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    rows = [line for line in made.stdout.splitlines() if line.startswith("|")]
    published = (ROOT / "docs" / "explanation" / "rare-hangs.md").read_text().splitlines()
    assert len(rows) > 8
    assert [row for row in rows if row not in published] == []
