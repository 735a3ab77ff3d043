"""How the agent gets into somebody's own command: by variables alone, which no image and no command need know of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

AGENT = Path(__file__).parents[2] / "agent"
RIDE = "ride"
SLOTS = 4096
"""Users and other callers that are seen of one process; its record takes half a megabyte."""
EXCUSES = "not-along-*.txt"
MOST_EXCUSES = 64


def variables(records: Path, *, agent: Path = AGENT, inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables that take the agent along; it writes into ``records`` and does nothing else."""
    path = [str((agent / RIDE).absolute()), *filter(None, [inherited.get("PYTHONPATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(path),
        "REPRO_RIDE": "1",
        "REPRO_TRIAL_DIR": str(records.absolute()),
        "REPRO_SLOTS": str(SLOTS),
    }


def make_records(folder: Path) -> Path:
    """The folder for the records, which a command may write that runs as somebody else than this program."""
    records = folder / "records"
    records.mkdir(parents=True, exist_ok=True)
    records.chmod(0o1777)  # like /tmp: a server may drop its rights after it was started
    return records


def copy_agent(folder: Path) -> Path:
    """The agent beside the records, so that one folder is all that a container needs."""
    copied = folder / "agent"
    shutil.copytree(AGENT, copied, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    return copied


def excuses(records: Path) -> tuple[str, ...]:
    """Why the agent could not come along in a process, each reason once."""
    found = sorted(records.glob(EXCUSES))[:MOST_EXCUSES]
    return tuple(dict.fromkeys(path.read_text("utf-8", "replace") for path in found))


def forget(records: Path, pid: int) -> None:
    """Remove what a process has written that is gone: a command may start thousands."""
    for name in (f"flight-{pid}.bin", f"greenlets-loop-{pid}.json", f"not-along-{pid}.txt"):
        (records / name).unlink(missing_ok=True)
