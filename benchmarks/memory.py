"""Memory of this program over many trials: the same records through schedule, store and console as a run sends them.

    python benchmarks/memory.py [TRIALS]

Prints the resident memory after each tenth; nothing is run, and the store is real.
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console

from repro.core.matrix.schedule import Schedule
from repro.findings import Findings, RowName
from repro.model import Cell, Operations, Plan, Trial, Verdict
from repro.orchestration.preparation import RunRequest, prepare
from repro.presentation.live.run import Progress
from repro.world.runs.store import create_run

CELLS = 100
MEBIBYTE = 1024 * 1024


def main(trials: int) -> None:
    """Feed them all, and print what the program has grown to."""
    plan = _plan(trials)
    schedule = Schedule(plan.cells, trials=plan.trials, seed=0)
    console = Console(file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        store = create_run(Path(folder) / "run", plan=plan, command="", seed=0, machine={}, tool_versions={})
        with store, Progress(plan, console, jobs=1) as progress:
            for count, (cell, number) in enumerate(_chosen(schedule), start=1):
                trial = _trial(cell, number)
                progress.trial_began(cell, number)
                store.add_trial(trial)
                schedule.record(trial)
                progress.trial_ended(cell, trial, left=schedule.trials_left())
                console.file = io.StringIO()  # what a terminal has shown is not this program's memory
                if count % (trials // 10) == 0:
                    print(f"{count:>8} trials  {psutil.Process().memory_info().rss / MEBIBYTE:.0f} MB", flush=True)


def _plan(trials: int) -> Plan:
    plan = prepare(RunRequest(experiment="known/clean", python=Path(sys.executable))).plan
    cells = tuple(replace(plan.cells[0], id=f"{number:012d}", label=f"cell={number}") for number in range(CELLS))
    return replace(plan, cells=cells, trials=trials // CELLS)


def _chosen(schedule: Schedule) -> Iterator[tuple[Cell, int]]:
    while (chosen := schedule.next_trial(lambda _: True)) is not None:
        yield chosen


def _trial(cell: Cell, number: int) -> Trial:
    return Trial(
        cell_id=cell.id,
        number=number,
        verdict=Verdict.CLEAN,
        findings=Findings(row=RowName.RAN_AND_ENDED, ended=8),
        started=datetime.now(UTC),
        seconds=8.0,
        operations=Operations(begun=8, ended=8),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
