"""What the agent costs a clean cell: with against without, in pairs in one run.

    python benchmarks/agent_overhead.py [PAIRS]

First, without any load, what the agent adds to one operation and to one garbage collection, the least of many repetitions.
Then the pairs: both arms run the scenario of the report with a client per user for the same seconds, against a backend that
carries more than one process asks for, and count by Locust's own statistics; each takes its turn to come first. Operations for
each second of the load's own processor time, once all users are there, say the same on a machine that has other work.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from repro.model import TrialOptions
from repro.orchestration.preparation import RunRequest, prepare
from repro.world.backends.make import make_backend
from repro.world.backends.protocol import Backend
from repro.world.processes import door
from repro.world.processes.variables import Surroundings, variables

SECONDS, USERS = 8, 50
COUNTS = """

# Counts between the moment at which all users are there and the stop: starting takes processor time, too.
import json, resource
counted = {{}}

def now(environment):
    used = resource.getrusage(resource.RUSAGE_SELF)
    return environment.stats.total.num_requests, time.monotonic(), used.ru_utime + used.ru_stime

@locust.events.test_start.add_listener
def begin_to_count(environment, **_):
    import gevent
    gevent.spawn_later(2, lambda: counted.update(began=now(environment)))

@locust.events.test_stopping.add_listener
def count(environment, **_):
    requests, seconds, core_s = (end - begin for end, begin in zip(now(environment), counted["began"]))
    with open({path!r}, "w") as file:
        json.dump({{"per_s": requests / seconds, "per_core_s": requests / core_s}}, file)
"""
"""Both arms count so, in the load's own process, by Locust's statistics."""
PIECES = """
import gc, sys, time
operation = sys.modules["repro_agent"].operation

def least(act, repetitions=2000):
    best = 1.0
    for _ in range(20):
        began = time.thread_time()
        for _ in range(repetitions):
            act()
        best = min(best, (time.thread_time() - began) / repetitions)
    return best * 1e6

def seen():
    with operation("call"):
        pass

def collect():
    gc.collect(0)

seen()
operation_us, noted_us = least(seen), least(collect)
gc.callbacks.clear()
print(operation_us, noted_us - least(collect))
"""
"""What the agent adds to an operation and to a collection, in microseconds of processor time."""
BOOT = Path(__file__).parent.parent / "repro" / "agent" / "boot.py"


@dataclass(frozen=True)
class Arm:
    """One run of the load: operations a second of it, and for each second of processor time."""

    per_s: float
    per_core_s: float


def main(pairs: int) -> None:
    """Print the pieces, each pair's ratios, and their medians with their quartiles."""
    operation_us, collection_us = _pieces()
    print(f"the agent adds {operation_us:.1f} µs to an operation, {collection_us:.1f} µs to a garbage collection")
    if not pairs:
        return
    ratios: dict[str, list[float]] = {"a second": [], "a second of processor time": []}
    with tempfile.TemporaryDirectory() as name, door.warded():
        folder = Path(name)
        backend = make_backend("ministack", folder=folder, mark="benchmark")
        backend.start()
        try:
            for pair in range(pairs):
                order = [True, False] if pair % 2 else [False, True]
                arms = {with_agent: _arm(backend, folder, pair, with_agent=with_agent) for with_agent in order}
                ratios["a second"].append(arms[True].per_s / arms[False].per_s)
                ratios["a second of processor time"].append(arms[True].per_core_s / arms[False].per_core_s)
                print(f"pair {pair + 1}: with {_shown(arms[True])}, without {_shown(arms[False])}", flush=True)
        finally:
            backend.stop()
    for what, found in ratios.items():
        low, middle, high = statistics.quantiles(found, n=4) if pairs > 1 else found * 3
        print(f"operations {what}: median ratio {middle:.3f}, quartiles {low:.3f} to {high:.3f}, {pairs} pairs")


def _pieces() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as name:
        script = Path(name) / "script.py"
        script.write_text(PIECES)
        settings = {
            "REPRO_LAUNCH": "script",
            "REPRO_LOCUSTFILE": str(script),
            "REPRO_TRIAL_DIR": name,
            "REPRO_STACKS_SIGNAL": "12",
            "REPRO_SLOTS": "10",
        }
        done = subprocess.run([sys.executable, str(BOOT)], env=settings, capture_output=True, text=True, check=True)
    operation_us, collection_us = map(float, done.stdout.split())
    return operation_us, collection_us


def _shown(arm: Arm) -> str:
    return f"{arm.per_s:.0f}/s ({arm.per_core_s:.0f} for each s of processor time)"


def _arm(backend: Backend, folder: Path, pair: int, *, with_agent: bool) -> Arm:
    prepared = prepare(
        RunRequest(
            overrides=(
                "client=per-user",
                f"users={USERS}",
                "launch=cli",
                "import_order=locust-first",
                "read_timeout=60",
                "connect_timeout=60",
            ),
            python=Path(sys.executable),
        )
    )
    cell = prepared.plan.cells[0]
    own = folder / f"{pair}-{with_agent}"
    own.mkdir()
    backend.new_queue(own.name, messages=10)
    locustfile = own / "locustfile.py"
    locustfile.write_text(prepared.scenario.locustfile.read_text() + COUNTS.format(path=str(own / "counted.json")))
    around = Surroundings(
        options=TrialOptions(locustfile=locustfile, seed=1, is_untouched=True),
        interpreter=Path(sys.executable),
        folder=own,
        work=own,
        queue=own.name,
        stacks_signal=12,
        backend=backend.cell_environ(),
    )
    environment = {
        **variables(cell, around),
        "LOCUST_RUN_TIME": f"{SECONDS}s",
        "LOCUST_USERS": str(USERS),
        "LOCUST_SPAWN_RATE": str(USERS),
        "LOCUST_HEADLESS": "true",
    }
    plain = [sys.executable, "-m", "locust", "-f", str(locustfile)]
    subprocess.run(
        [sys.executable, str(BOOT)] if with_agent else plain,
        env=environment,
        cwd=own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=SECONDS * 20,
    )
    backend.drop_queue(own.name)
    return Arm(**json.loads((own / "counted.json").read_text()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6)
