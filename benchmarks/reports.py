"""How long a report of a large run takes, and how much memory: the real command, per format.

A benchmark's fixture, not a finding: the run is made up, with as many trials, stacks and seconds of timeline as asked for.

    python benchmarks/reports.py [--trials 5000] [--seconds 60]
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from repro.core.matrix.conclusion import conclude
from repro.model import (
    Bound,
    Cell,
    EnvironmentSpec,
    Hang,
    HangClass,
    Limits,
    Moment,
    Operations,
    Plan,
    Rung,
    RungKind,
    Trial,
    Verdict,
)
from repro.world.runs.store import create_run

FORMATS = ("md", "html", "json", "junit")
TRIALS_A_CELL = 20
HANG_SHARE = 0.3
PACKAGES = 35


def main() -> None:
    """Make the run, report it in every format, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5_000)
    parser.add_argument("--seconds", type=int, default=60, help="of each trial's timeline")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="repro-") as name:
        folder = Path(name) / "run"
        make_run(folder, trials=given.trials, seconds=given.seconds)
        size = (folder / "run.sqlite").stat().st_size
        print(f"{given.trials} trials of {given.seconds} s, {size / 1e6:.1f} MB stored")
        print("format    seconds  of processor  peak memory  size of the report")
        for form in FORMATS:
            seconds, busy_s, peak_mb, length = report(folder, form)
            print(f"{form:<8} {seconds:7.1f} s {busy_s:11.1f} s {peak_mb:9.0f} MB {length / 1e6:16.2f} MB")


def report(folder: Path, form: str) -> tuple[float, float, float, int]:
    """Seconds, those of the processor, peak resident memory in MB, and the report's length, of the command in a process."""
    path = folder / f"report.{form}"
    argv = [sys.executable, "-m", "repro", "report", str(folder), "--format", form, "-o", str(path)]
    measured = subprocess.run([sys.executable, "-c", _MEASURE, *argv], check=True, capture_output=True, text=True)
    seconds, busy_s, peak_kb = map(float, measured.stdout.split())
    return seconds, busy_s, peak_kb / 1000, path.stat().st_size


_MEASURE = """
import resource, subprocess, sys, time
began = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def make_run(folder: Path, *, trials: int, seconds: int) -> None:
    """A stored run of so many trials, with evidence folders, stacks that differ and timelines of so many seconds."""
    dice = random.Random(0)
    cells = tuple(_cell(number) for number in range(-(-trials // TRIALS_A_CELL)))
    plan = Plan(
        experiment="made-up",
        scenario="locust-2637",
        cells=cells,
        varied=("locust", "gevent", "client"),
        trials=TRIALS_A_CELL,
        limits=Limits(),
    )
    with create_run(folder, plan=plan, command="repro run made-up.toml", seed=0, machine={}, tool_versions={}) as store:
        for number in range(trials):
            cell = cells[number // TRIALS_A_CELL]
            evidence = store.evidence_folder(cell.id, number % TRIALS_A_CELL + 1)
            evidence.mkdir(parents=True)
            for name in ("stdout.txt", "stderr.txt", "flight-1.bin", "greenlets-loop-1.json"):
                (evidence / name).touch()
            store.add_trial(_trial(cell, number, seconds=seconds, evidence=evidence, dice=dice))
        store.set_conclusion(conclude(store.read().cells, plan.varied))
        store.finish()


def _cell(number: int) -> Cell:
    locust, gevent, client = number // 40, number // 4 % 10, number % 4
    factors = {"locust": f"2.{locust}.0", "gevent": f"24.{gevent}.1", "client": f"client-{client}", "users": 200}
    label = " ".join(f"{name}={level}" for name, level in factors.items())
    return Cell(
        id=f"{number:012x}",
        label=label,
        scenario="locust-2637",
        factors=factors,
        settings={},
        environ={},
        environment=EnvironmentSpec(),
    )


def _trial(cell: Cell, number: int, *, seconds: int, evidence: Path, dice: random.Random) -> Trial:
    is_hung = dice.random() < HANG_SHARE
    stuck_from = dice.randrange(seconds // 2, seconds)
    moments = tuple(
        Moment(second=s, ended=dice.randrange(500), stuck=46 * (is_hung and s >= stuck_from), alive=200)
        for s in range(seconds)
    )
    stacks = tuple(
        "\n".join(f"package/module_{dice.randrange(50)}.py:{line} function_{line}  self.call()" for line in range(12))
        for _ in range(4)
    )
    reason = (
        f"{dice.randrange(200)} of 200 users are still running 5.0 s after the stop, through urllib3/connectionpool.py"
    )
    hang = Hang(
        hang_class=HangClass.UNSTOPPABLE,
        users_stuck=46,
        users=200,
        stuck_since_s=float(stuck_from),
        bound=Bound(at_most_s=None, why="nothing ends it: they were told once"),
        explanation=reason,
        fingerprint=f"{dice.randrange(5)}",
        cause_text="This is a cause that has no name yet.",
        stacks=stacks,
    )
    return Trial(
        cell_id=cell.id,
        number=number % TRIALS_A_CELL + 1,
        verdict=Verdict.HANG if is_hung else Verdict.CLEAN,
        reason=reason,
        started=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=seconds + 5.0,
        hang=hang if is_hung else None,
        operations=Operations(begun=10_000, ended=9_954, failed=0),
        timeline=moments,
        rungs=(Rung(kind=RungKind.LOOP, pid=1, answered=True, seconds=0.1, file="greenlets-loop-1.json"),),
        python="3.11.7",
        versions={f"package-{index}": f"{index}.1.2" for index in range(PACKAGES)},
        evidence=str(evidence),
        command=f"repro run made-up.toml --set client={cell.label}",
        seed=number,
    )


if __name__ == "__main__":
    main()
