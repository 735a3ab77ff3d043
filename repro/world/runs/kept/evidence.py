"""The files that were kept of a run's trials."""

from __future__ import annotations

import os
from pathlib import Path

from repro.world.runs.store import EVIDENCE


def evidence_files(folder: Path) -> dict[str, tuple[str, ...]]:
    """For each trial's evidence folder, as stored, the names of the files in it."""
    try:
        trials = sorted(os.scandir(folder / EVIDENCE), key=lambda entry: entry.name)
    except OSError:
        return {}
    return {
        f"{EVIDENCE}/{trial.name}": tuple(sorted(entry.name for entry in os.scandir(trial) if entry.is_file()))
        for trial in trials
        if trial.is_dir()
    }
