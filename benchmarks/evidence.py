"""Which rungs of the ladder answer on which Python and gevent, and what the evidence of a hang of 200 users costs.

    python benchmarks/evidence.py ladder          every pair: users on a lock, a native lock taken twice, the GIL held
    python benchmarks/evidence.py refused         what a debugger says that may not attach, run as another user
    python benchmarks/evidence.py cost [TRIALS]   seconds and bytes for 200 users, planted and real

The environments are this program's own, cached as usual.
"""

import contextlib
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.core.hang.dump import read_dump
from repro.core.judge.judge import Decision
from repro.errors import UntestableError
from repro.model import EnvironmentSpec, Rung, RungKind, TrialOptions
from repro.orchestration import session as session_module
from repro.orchestration.preparation import RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.orchestration.trial.collector import Investigator
from repro.orchestration.trial.trial import Investigation, Scene
from repro.world.collecting import ptrace
from repro.world.collecting.flight import Fleet, FlightRecord
from repro.world.collecting.ladder import Target, climb
from repro.world.environments.cache import EnvironmentCache
from repro.world.processes import door

ROOT = Path(__file__).parents[1]
CHILD = ROOT / "tests" / "world" / "collecting" / "children" / "stuck.py"
BOOT = ROOT / "repro" / "agent" / "boot.py"
PAIRS = (
    ("3.8", "20.12.1"),
    ("3.8", "24.2.1"),
    ("3.9", "20.12.1"),
    ("3.9", "25.9.1"),
    ("3.10", "21.12.0"),
    ("3.10", "25.9.1"),
    ("3.11", "22.10.2"),
    ("3.11", "26.9.0"),
    ("3.12", "23.9.1"),
    ("3.12", "26.9.0"),
    ("3.13", "24.10.1"),
    ("3.13", "26.9.0"),
)
STATES = ("lock", "native", "gil")
USERS = 200
NOBODY = 65534
START_S = 30.0


def ladder() -> None:
    """Print a row a pair: which rungs answered in each state, the longest climb, the most bytes; then all refusals."""
    print(
        "| Python | gevent | greenlet | on a lock | native lock | GIL held | stacks by the thread | longest climb | most bytes |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    refusals: set[str] = set()
    for python, gevent in PAIRS:
        try:
            environment = EnvironmentCache().ensure(
                EnvironmentSpec(python=python, pins={"gevent": gevent}, requires=("setuptools<80",))
            )
        except UntestableError as error:
            print(f"| {python} | {gevent} | | {str(error).splitlines()[0]} | | | | | |", flush=True)
            continue
        climbs = [_climbed(state, environment.interpreter) for state in STATES]
        answers = " | ".join(_answers(climb.rungs) for climb in climbs)
        longest = max(sum(rung.seconds for rung in climb.rungs) for climb in climbs)
        most = max(climb.size for climb in climbs)
        refusals |= {
            f"{rung.kind.value}: {rung.refusal}" for climb in climbs for rung in climb.rungs if not rung.answered
        }
        stacks = climbs[STATES.index("native")].stacks
        greenlet = environment.versions["greenlet"]
        print(
            f"| {environment.python} | {gevent} | {greenlet} | {answers} | {stacks} of {USERS} | {longest:.1f} s | {most:,} |",
            flush=True,
        )
    print()
    for refusal in sorted(refusals):
        print(f"- {refusal}")


def refused() -> None:
    """Print what the debugger's rung says to another user of this machine."""
    with tempfile.TemporaryDirectory() as name, _stuck("lock", Path(name), Path(sys.executable)) as target:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.setgroups([])
            os.setuid(NOBODY)
            os.write(write, ptrace.look(target.pid, limit_s=5).refusal.encode())
            os._exit(0)
        os.waitpid(child, 0)
        print(os.read(read, 65536).decode())


def cost(trials: int) -> None:
    """Print the seconds from the decision to the findings, and the bytes of all files of the trial."""
    print("| hang of 200 users | called | users stuck | seconds: median (worst) | bytes: median (worst) |")
    print("|---|---|---|---|---|")
    load = ("users=200", "spawn_rate=200")
    planted = ("planted: all on one lock", "known/deadlocked", ("k=200", *load, "seconds=6"), Path(sys.executable))
    real = (
        "real: locust 2.24.0, gevent 24.2.1, urllib3 2.2.1, a client per iteration",
        "locust-2637/crossed",
        ("locust=2.24.0", "gevent=24.2.1", "urllib3=2.2.1", *load),
        None,
    )
    for title, experiment, overrides, python in (planted, real):
        rows = _costs(experiment, overrides, python, trials)
        seconds, sizes = [row[1] for row in rows], [row[2] for row in rows]
        called = ", ".join(sorted({row[0] for row in rows}))
        stuck = ", ".join(str(row[3]) for row in rows)
        print(f"| {title} | {called} | {stuck} | {statistics.median(seconds):.2f} ({max(seconds):.2f}) | {statistics.median(sizes):,.0f} ({max(sizes):,}) |", flush=True)  # fmt: skip


def _costs(
    experiment: str, overrides: tuple[str, ...], python: Path | None, trials: int
) -> list[tuple[str, float, int, int]]:
    prepared = prepare(RunRequest(experiment=experiment, overrides=overrides, python=python))
    (cell,) = prepared.plan.cells
    options = SessionOptions(TrialOptions(locustfile=prepared.scenario.locustfile, is_untouched=python is not None))
    rows: list[tuple[str, float, int, int]] = []
    taken: list[float] = []

    class Timed(Investigator):
        def __call__(self, decision: Decision, inquiry: Scene) -> Investigation:
            began = time.monotonic()
            findings = super().__call__(decision, inquiry)
            taken.append(time.monotonic() - began)
            return findings

    session_module.Investigator = Timed  # type: ignore[misc]  # a stopwatch around the one there is
    with tempfile.TemporaryDirectory() as name, Session(prepared.plan, options) as session:
        for number in range(1, trials + 1):
            folder = Path(name) / str(number)
            trial = session.trial(cell, number, folder)
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            called = f"hang ({trial.hang.hang_class.value})" if trial.hang else trial.verdict.value
            rows.append((called, taken[-1], size, trial.hang.users_stuck if trial.hang else 0))
    return rows


def _answers(rungs: tuple[Rung, ...]) -> str:
    silent = [rung.kind.value for rung in rungs if not rung.answered]
    return "all" if not silent else "all but " + " and ".join(silent)


@dataclass(frozen=True)
class _Climb:
    """The rungs, the bytes of their files, and how many parked users' stacks the agent's native thread gave."""

    rungs: tuple[Rung, ...]
    size: int
    stacks: int


def _climbed(state: str, interpreter: Path) -> _Climb:
    with tempfile.TemporaryDirectory() as name, _stuck(state, Path(name), interpreter) as target:
        rungs = climb(target, folder=Path(name))
        files = [Path(name) / rung.file for rung in rungs if rung.file]
        by_thread = [rung for rung in rungs if rung.answered and rung.kind is RungKind.THREAD]
        dumps = [read_dump((Path(name) / rung.file).read_text()) for rung in by_thread]
        stacks = sum(1 for dump in dumps for item in dump.greenlets if item.run == "want_lock" and item.stack)
        return _Climb(rungs, sum(path.stat().st_size for path in files), stacks)


@contextlib.contextmanager
def _stuck(state: str, folder: Path, interpreter: Path) -> Iterator[Target]:
    env = {
        "REPRO_LAUNCH": "script",
        "REPRO_LOCUSTFILE": str(CHILD),
        "REPRO_TRIAL_DIR": str(folder),
        "REPRO_STACKS_SIGNAL": str(int(signal.SIGUSR2)),
        "STUCK": state,
        "USERS": str(USERS),
    }
    output = door.Output(folder / "stdout.txt", folder / "stderr.txt")
    child = door.start([interpreter, BOOT], env=env, cwd=folder, output=output, mark=f"stuck-{state}")
    fleet = Fleet(folder)
    try:
        _wait((folder / "ready").exists)
        record = next(record for record in fleet.records() if record.pid == child.pid)
        if state != "lock":
            _wait(lambda: time.monotonic() - record.read().loop_at > 1.0)
        yield _target(child, record, folder)
    finally:
        child.end()
        fleet.close()


def _target(child: door.Child, record: FlightRecord, folder: Path) -> Target:
    def asker(kind: str, ask: Callable[[], int], done: Callable[[], int]) -> Callable[[float], Path | None]:
        def answer(limit_s: float) -> Path | None:
            number, deadline = ask(), time.monotonic() + limit_s
            while done() < number and time.monotonic() < deadline:
                time.sleep(0.02)
            return folder / f"greenlets-{kind}-{child.pid}.json" if done() >= number else None

        return answer

    return Target(
        pid=child.pid,
        flight_record=record.path,
        ask_loop=asker("loop", record.ask_loop_dump, record.loop_dump_done),
        ask_thread=asker("thread", record.ask_thread_dump, record.thread_dump_done),
        send_signal=lambda: child.signal(signal.SIGUSR2),
        faulthandler_file=folder / f"faulthandler-{child.pid}.txt",
    )


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"not stuck within {START_S:g} s")
        time.sleep(0.02)


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "ladder"
    if what == "cost":
        cost(int(sys.argv[2]) if len(sys.argv) > 2 else 5)
    else:
        {"ladder": ladder, "refused": refused}[what]()
