"""Memory of this program over many trials: their records go through schedule, store and console as in a run.

python benchmarks/memory.py [TRIALS]
"""

import io
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console

from repro.core.schedule import Schedule
from repro.model import Cell, EnvironmentSpec, Limits, Moment, Plan, Trial, Verdict
from repro.presentation.console import Progress
from repro.world.store import RunStore, create_run

CELLS = 100
TIMELINE = tuple(Moment(second=second, ended=100, stuck=0, alive=10) for second in range(30))


def main(trials: int) -> None:
    """Print what the program takes before, after and while it reads the run back."""
    names = [f"cell-{number}" for number in range(CELLS)]
    cells = tuple(
        Cell(id=name, label=name, scenario="s", factors={}, settings={}, environ={}, environment=EnvironmentSpec())
        for name in names
    )
    plan = Plan(experiment="e", scenario="s", cells=cells, varied=(), trials=trials // CELLS, limits=Limits())
    began, before = time.monotonic(), _megabytes()
    with tempfile.TemporaryDirectory() as folder:
        store = create_run(Path(folder) / "run", plan=plan, command="repro run", seed=0, machine={}, tool_versions={})
        with store, Progress(plan, Console(file=io.StringIO()), jobs=1) as progress:
            _feed(Schedule(cells, trials=plan.trials, seed=0), store, progress)
            after = _megabytes()
            seconds = time.monotonic() - began
            count = sum(len(result.trials) for result in store.read().cells)
            print(
                f"{count} trials in {seconds:.0f} s: {before:.0f} MB before, {after:.0f} MB after, "
                f"{_megabytes():.0f} MB with the run read back"
            )


def _feed(schedule: Schedule, store: RunStore, progress: Progress) -> None:
    while (chosen := schedule.next_trial(lambda _: True)) is not None:
        cell, number = chosen
        progress.trial_began(cell, number)
        trial = Trial(
            cell_id=cell.id,
            number=number,
            verdict=Verdict.CLEAN,
            reason="every user went on",
            started=datetime.now(UTC),
            seconds=30.0,
            timeline=TIMELINE,
            versions={"locust": "2.32.0", "gevent": "24.10.1"},
            evidence=f"{cell.id}-{number}",
        )
        schedule.record(trial)
        store.add_trial(trial)
        progress.trial_ended(cell, trial, left=0)


def _megabytes() -> float:
    return psutil.Process().memory_info().rss / 1e6


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
