"""How long ``repro --help`` takes, and what a plan of 5,000 cells costs: ``python benchmarks/command_line.py``."""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 15
PLAN = """
import resource, sys, time
from pathlib import Path
from repro.orchestration.preparation import RunRequest, prepare

began = time.perf_counter()
plan = prepare(RunRequest(experiment=sys.argv[1])).plan
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{len(plan.cells)} cells planned in {time.perf_counter() - began:.2f} s, peak {peak_mb:.0f} MB")
"""
EXPERIMENT = """
scenario = "locust-2637"
[packages]
gevent = [{gevent}]
urllib3 = [{urllib3}]
[settings]
client = ["shared", "per-user", "per-iteration"]
launch = ["cli", "library"]
"""


def main() -> None:
    """Print both."""
    script = Path(sys.executable).with_name("repro")
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([script, "--help"], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    bare = _bare_python()
    print(
        f"repro --help: median {statistics.median(seconds):.3f} s, best {min(seconds):.3f} s of {RUNS}; python -c pass: {bare:.3f} s"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.toml"
        path.write_text(
            EXPERIMENT.format(
                gevent=", ".join(f'"24.{n}"' for n in range(29)), urllib3=", ".join(f'"2.{n}"' for n in range(29))
            )
        )
        subprocess.run([sys.executable, "-c", PLAN, str(path)], check=True)
    print(f"(children's peak {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB)")


def _bare_python() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
