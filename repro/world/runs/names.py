"""The names of runs, and the cells of one, for a shell that completes them: at once, and no record is made."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from repro.world.runs.trouble import FILE


def run_names(root: Path) -> tuple[str, ...]:
    """The runs under ``root``, the one written last first."""
    written = {file.parent.name: file.stat().st_mtime for file in root.glob(f"*/{FILE}")}
    return tuple(sorted(written, key=lambda name: -written[name]))


def hung_cells(folder: Path) -> Mapping[str, str]:
    """The cells of a run that have hung, by their ids, with their labels.

    Raises:
        sqlite3.Error: it is not a run, or cannot be read.
    """
    path = f"{(folder / FILE).resolve().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(path, uri=True, timeout=1)) as connection:
        (plan,) = connection.execute("SELECT value FROM facts WHERE name = 'plan'").fetchone()
        hung = {cell for (cell,) in connection.execute("SELECT cell_id FROM trials WHERE verdict = 'hang'")}
    return {cell["id"]: cell["label"] for cell in json.loads(plan)["cells"] if cell["id"] in hung}
