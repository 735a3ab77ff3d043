"""Operations per second of a clean cell with the agent against none, in pairs in one run.

    python benchmarks/agent_overhead.py [PAIRS]

Both arms run the scenario of the report with a client per user for the same seconds, and count by Locust's own
statistics; each pair takes turns in who comes first.
"""

import csv
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from repro.model import TrialOptions
from repro.orchestration.preparation import RunRequest, prepare
from repro.world.backends.make import make_backend
from repro.world.backends.protocol import Backend
from repro.world.processes import door
from repro.world.processes.variables import Surroundings, variables

SECONDS, USERS = 8, 50
BOOT = Path(__file__).parent.parent / "repro" / "agent" / "boot.py"


def main(pairs: int) -> None:
    """Print each pair's ratio, and their median with its quartiles."""
    ratios = []
    with tempfile.TemporaryDirectory() as name, door.warded():
        folder = Path(name)
        backend = make_backend("moto", folder=folder, mark="benchmark")
        backend.start()
        try:
            for pair in range(pairs):
                order = [True, False] if pair % 2 else [False, True]
                rate = {with_agent: _rate(backend, folder, pair, with_agent=with_agent) for with_agent in order}
                ratios.append(rate[True] / rate[False])
                print(
                    f"pair {pair + 1}: with {rate[True]:.0f}/s, without {rate[False]:.0f}/s, ratio {ratios[-1]:.3f}",
                    flush=True,
                )
        finally:
            backend.stop()
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"median ratio {middle:.3f}, quartiles {low:.3f} to {high:.3f}, {pairs} pairs")


def _rate(backend: Backend, folder: Path, pair: int, *, with_agent: bool) -> float:
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
    around = Surroundings(
        options=TrialOptions(locustfile=prepared.scenario.locustfile, seed=1, is_untouched=True),
        interpreter=Path(sys.executable),
        folder=own,
        work=own,
        queue=own.name,
        stacks_signal=12,
        backend=backend.cell_environ(),
    )
    environment = {
        **variables(cell, around),
        "LOCUST_CSV": str(own / "statistics"),
        "LOCUST_RUN_TIME": f"{SECONDS}s",
        "LOCUST_USERS": str(USERS),
        "LOCUST_SPAWN_RATE": str(USERS),
        "LOCUST_HEADLESS": "true",
    }
    plain = [sys.executable, "-m", "locust", "-f", str(prepared.scenario.locustfile)]
    subprocess.run(
        [sys.executable, str(BOOT)] if with_agent else plain,
        env=environment,
        cwd=own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=SECONDS * 6,
    )
    backend.drop_queue(own.name)
    with (own / "statistics_stats.csv").open() as file:
        (total,) = [row for row in csv.DictReader(file) if row["Name"] == "Aggregated"]
    return float(total["Requests/s"])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6)
