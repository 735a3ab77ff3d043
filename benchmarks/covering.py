"""How long a matrix takes to be planned and covered, in how much memory, with how many cells.

    python benchmarks/covering.py

Beside the rows: those of covertable called alone, and the fewest that there can be, the product of the largest factors.
Each line is measured in a process of its own; the proof that every combination is there is in its seconds.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import time

from repro.core.experiment.combinations import CoverRequest
from repro.core.experiment.experiment import ScenarioInfo
from repro.core.experiment.file import parse
from repro.core.experiment.plan import make_plan

MATRICES = {
    "5,000 cells": [5, 5, 5, 5, 4, 2],
    "4,096 cells": [4] * 6,
    "6,561 cells": [3] * 8,
    "16,777,216 cells": [4] * 12,
}
EXCLUDE = '\n[[exclude]]\n"env.A" = "0"\n"env.B" = ["0", "1"]\n"env.C" = "1"\n'
SCENARIO = ScenarioInfo(name="s", requires=("locust",))


def measured(sizes: list[int], strength: int, rules: str) -> dict[str, object]:
    """The cells, seconds and megabytes of one plan; strength 0 plans the whole."""
    levels = {f"{chr(65 + at)}": [str(level) for level in range(size)] for at, size in enumerate(sizes)}
    text = 'scenario = "s"\n[env]\n' + "".join(f"{name} = {json.dumps(own)}\n" for name, own in levels.items()) + rules
    experiment = parse(text, SCENARIO, source="bench", name="bench")
    began = time.monotonic()
    plan = make_plan(experiment, SCENARIO, cover=CoverRequest(strength=strength) if strength else None).plan
    spent = time.monotonic() - began
    return {
        "cells": len(plan.cells),
        "seconds": round(spent, 2),
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def alone(sizes: list[int], strength: int) -> str:
    """The rows of covertable itself, and its seconds."""
    from covertable import make

    began = time.monotonic()
    rows = make([list(range(size)) for size in sizes], strength=strength, salt="0")
    return f"{len(rows)} ({time.monotonic() - began:.2f} s)"


def apart(*words: object) -> dict[str, object]:
    """The same in a process of its own."""
    done = subprocess.run([sys.executable, __file__, json.dumps(words)], capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print the table."""
    if len(sys.argv) > 1:
        print(json.dumps(measured(*json.loads(sys.argv[1]))))
        return
    print(
        "| matrix | t | rules | cells | s | MB | covertable alone | fewest possible |\n|---|---|---|---|---|---|---|---|"
    )
    for name, sizes in MATRICES.items():
        for strength in (0, 2, 3):
            if not strength and math.prod(sizes) > 100_000:
                continue
            for rules in ("", EXCLUDE) if strength else ("",):
                one = apart(sizes, strength, rules)
                own = alone(sizes, strength) if strength and not rules else ""
                fewest = math.prod(sorted(sizes)[-strength:]) if strength and not rules else ""
                kind = "one exclude" if rules else "none"
                print(
                    f"| {name} | {strength or 'all'} | {kind} | {one['cells']} | {one['seconds']} | {one['mb']} | {own} | {fewest} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
