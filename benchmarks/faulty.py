"""How often the combination that hangs is found, in how many trials: planted in eight factors of three levels, simulated.

    python benchmarks/faulty.py [--seeds 20]

A cell is tried three times or until it hangs, then up to 200 trials settle what hangs. *right*: all that hangs is found and
nothing else; *part*: one of two causes never hung in a trial; *open*: said not to be settled; *none*: nothing hung.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import Counter

from repro.core.cover.rows import covering_rows
from repro.core.cover.space import Space
from repro.core.faulty.belief import Tally
from repro.core.faulty.causes import Axis, Row
from repro.core.faulty.search import CauseSearch
from repro.core.search.change_point import PARTS

AXES = (Axis(3),) * 8
TRIALS, MOST = 3, 200
PLANTED: dict[str, tuple[int, list[dict[int, int]]]] = {
    "a pair": (2, [{1: 0b001, 4: 0b001}]),
    "a triple": (3, [{1: 0b001, 4: 0b001, 6: 0b010}]),
    "a pair, one factor with two levels": (2, [{1: 0b011, 4: 0b001}]),
    "two pairs": (2, [{1: 0b001, 4: 0b001}, {0: 0b001, 7: 0b010}]),
    "nothing": (2, []),
}


def simulated(planted: list[dict[int, int]], rate: float, strength: int, seed: int) -> tuple[str, int, int]:
    """What it came to, the trials of the cells, and those that were made to settle it."""
    chance = random.Random(seed)
    tallies: dict[Row, Tally] = {}

    def hangs(row: Row) -> bool:
        is_hit = any(all(mask >> row[at] & 1 for at, mask in cause.items()) for cause in planted)
        hang = is_hit and chance.random() < rate
        tallies[row] = tallies.get(row, Tally()) + Tally(int(hang), 0 if hang else PARTS)
        return hang

    cells = 0
    for row in covering_rows(Space(sizes=tuple(axis.size for axis in AXES)), strength, seed=seed)[0]:
        for _ in range(TRIALS):
            cells += 1
            if hangs(row):
                break
    if not any(tally.hangs for tally in tallies.values()):
        return "none", cells, 0
    for made in range(MOST + 1):
        search = CauseSearch(AXES, dict(tallies), lambda _: True, 0.95)
        rows = search.next_rows(1) if made < MOST else []
        if not rows:
            return outcome(search, planted), cells, made
        hangs(rows[0])
    raise AssertionError("the last round has no rows")


def outcome(search: CauseSearch, planted: list[dict[int, int]]) -> str:
    """How what was found compares with what was planted."""
    found = [{at: mask for at, mask in enumerate(one.cause) if mask != AXES[at].whole} for one in search.found]
    if any(cause not in planted for cause in found):
        return "wrong"
    if not search.is_settled:
        return "open"
    return "right" if len(found) == len(planted) else "part"


def main() -> None:
    """Print a line for each that is planted, at each rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    seeds = range(parser.parse_args().seeds)
    print(f"the whole matrix: {3**8:,} cells, {3**8 * TRIALS:,} trials")
    print(
        "| planted | rate | came to | trials of the cells | to settle it, median (most) | s |\n|---|---|---|---|---|---|"
    )
    for name, (strength, planted) in PLANTED.items():
        for rate in (1.0, 0.3) if planted else (1.0,):
            began = time.monotonic()
            found = [simulated(planted, rate, strength, seed) for seed in seeds]
            counted = ", ".join(f"{count} {what}" for what, count in Counter(one[0] for one in found).most_common())
            more = [one[2] for one in found if one[0] != "none"] or [0]
            cells = statistics.mean(one[1] for one in found)
            settled = f"{statistics.median(more):.0f} ({max(more)})"
            spent = time.monotonic() - began
            print(f"| {name} | {rate:g} | {counted} | {cells:.0f} | {settled} | {spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
