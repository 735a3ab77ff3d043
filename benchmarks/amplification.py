"""Which knob of an amplification raises which hang: each rare hang and its cured twin, natural and under each knob.

    python benchmarks/amplification.py [--trials 6] [--for SECONDS] [--only NAME,…] [--levels LEVEL,…] [--healthy]
                                       [--results FILE] [--table]

Prints two Markdown tables: the hangs, and with ``--healthy`` the planted programs that must never be called hung, under all
knobs. Every trial is kept in the results file, and none of them is run again; with ``--for`` no trial is begun after this many
seconds: the next call goes on, and the parts add up. A cell that hung ``ENOUGH`` times is not tried again.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.core.experiment.factors.amplification import ALL, KNOBS, NONE
from repro.core.intervals import hazard
from repro.core.matrix.hazards import at_risk
from repro.model import Chance, Trial, TrialOptions
from repro.orchestration.preparation import Prepared, RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.presentation.hang.explanation import reason_of
from repro.world.shipped.names import root
from repro.world.shipped.truths import read_truths

RESULTS = Path(__file__).parent / "amplification.jsonl"
LEVELS = (NONE, *KNOBS, ALL)
ENOUGH = 3
MILLION = 1_000_000


@dataclass(frozen=True)
class Row:
    """A hang that is known: its experiment, what is set of it, what cures it, the knob that is to raise it, whose packages it has."""

    name: str
    experiment: str
    settings: tuple[str, ...]
    cure: str
    knob: str
    is_own: bool = True

    @property
    def places(self) -> "list[Place]":
        """The hang under every level, the cure under the knob that is to raise the hang and under all; the telling ones first."""
        if not self.cure:
            return [Place(self, False, ALL)]
        first = (self.knob, NONE, ALL)
        others = [level for level in LEVELS if level not in first]
        cured = [Place(self, True, level) for level in (self.knob, ALL)]
        return [*(Place(self, False, level) for level in first), *cured, *(Place(self, False, one) for one in others)]


ROWS = (
    *(
        Row(f"rare-{name}", f"known/rare-{name}", ("seconds=8", "defect=true"), "defect=false", knob)
        for name, knob in (
            ("finalizer", "gc"),
            ("name", "dns"),
            ("order", "threads"),
            ("pieces", "io"),
            ("stop", "stop"),
            ("wake", "threads"),
        )
    ),
    Row(
        "gevent-urllib3",
        "gevent-urllib3",
        ("python=3.11", "gc_threshold=0", "urllib3=2.2.1", "gevent=24.2.1"),
        "gevent=25.9.1",
        "gc",
        is_own=False,
    ),
    Row(
        "locust-2637 with 5 users",
        "locust-2637/single",
        ("python=3.11", "locust=2.24.0", "urllib3=2.2.1", "users=5", "spawn_rate=5", "gevent=24.2.1"),
        "gevent=25.9.1",
        "stop",
        is_own=False,
    ),
)


@dataclass(frozen=True)
class Place:
    """One cell of the table: a row, hanging or cured, under a level."""

    row: Row
    is_cured: bool
    level: str

    @property
    def key(self) -> tuple[str, bool, str]:
        """What its trials are kept by."""
        return self.row.name, self.is_cured, self.level


def main(options: argparse.Namespace) -> None:
    """Run what is missing, the cells in turn, then print the table of all that is there."""
    results = Path(options.results)
    rows = _healthy() if options.healthy else ROWS
    rows = [row for row in rows if not options.only or row.name in options.only.split(",")]
    until = time.monotonic() + (0 if options.table else options.limit_s)
    for number in range(1, options.trials + 1):
        for row in rows:
            for place in _due(row, _kept(results), number):
                is_wanted = not options.levels or place.level in options.levels.split(",")
                if is_wanted and time.monotonic() < until:
                    _keep(_tried(place, number), results)
    print("\n".join([*_table(_kept(results)), "", *_healthy_table(_kept(results))]))


def _healthy() -> list[Row]:
    """The planted programs that are clean whatever happens, as rows without a hang."""
    truths = read_truths(root()).values()
    clean = [truth.name for truth in truths if truth.expected["verdict"] == "clean"]
    return [Row(name, name, (), "", ALL) for name in clean]


def _due(row: Row, kept: Sequence[Mapping[str, Any]], number: int) -> Iterator[Place]:
    """The cells of a row that lack this trial."""
    for place in row.places:
        own = [one for one in kept if _key(one) == place.key]
        hangs = sum(one["verdict"] == "hang" for one in own)
        if hangs < ENOUGH and all(one["number"] != number for one in own):
            yield place


def _tried(place: Place, number: int) -> dict[str, Any]:
    prepared = _prepared(place)
    (cell,) = prepared.plan.cells
    options = TrialOptions(locustfile=prepared.scenario.locustfile, is_untouched=place.row.is_own)
    with tempfile.TemporaryDirectory() as folder, Session(prepared.plan, SessionOptions(options)) as session:
        trial = session.trial(cell, number, Path(folder) / "trial")
    found = _document(place, trial)
    print(f"{place.key} {number}: {found['verdict']} {found['hang_class']}", file=sys.stderr, flush=True)
    return found


def _prepared(place: Place) -> Prepared:
    row = place.row
    cured = row.cure.partition("=")[0]
    settings = [one for one in row.settings if not (place.is_cured and one.startswith(f"{cured}="))]
    overrides = (*settings, *((row.cure,) if place.is_cured else ()), f"amplify={place.level}")
    python = Path(sys.executable) if row.is_own else None
    return prepare(RunRequest(experiment=row.experiment, overrides=overrides, python=python))


def _document(place: Place, trial: Trial) -> dict[str, Any]:
    exposure = at_risk(trial)
    amplified = trial.findings.amplified if trial.findings else None
    return {
        "row": place.row.name,
        "cured": place.is_cured,
        "level": place.level,
        "number": trial.number,
        "verdict": trial.verdict.value,
        "hang_class": trial.hang.hang_class.value if trial.hang else "",
        "operations": exposure.operations,
        "stops": exposure.stops,
        "seconds": round(trial.seconds, 1),
        "moments": dict(amplified.did) if amplified else {},
        "reason": "" if trial.verdict.value == "clean" else reason_of(trial)[:300],
    }


def _keep(found: Mapping[str, Any], results: Path) -> None:
    with results.open("a") as file:
        file.write(json.dumps(found) + "\n")


def _kept(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def _key(one: Mapping[str, Any]) -> tuple[str, bool, str]:
    return one["row"], one["cured"], one["level"]


# The table


def _table(kept: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"| hang | {' | '.join(LEVELS)} |"
    yield f"|---|{'---|' * len(LEVELS)}"
    for row in ROWS:
        for is_cured in (False, True):
            cells = [[one for one in kept if _key(one) == (row.name, is_cured, level)] for level in LEVELS]
            if any(cells):
                name = f"{row.name}, cured" if is_cured else row.name
                yield f"| {name} | {' | '.join(map(_shown, cells))} |"


def _healthy_table(kept: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The verdicts of each healthy program, and their sums."""
    names = {row.name for row in _healthy()}
    own = [one for one in kept if one["row"] in names]
    verdicts = sorted({one["verdict"] for one in own} | {"clean", "hang"})
    yield f"| healthy program, amplify=all | trials | {' | '.join(verdicts)} | moments |"
    yield f"|---|---|{'---|' * len(verdicts)}---|"
    for name in [*sorted({one["row"] for one in own}), "all of them"]:
        yield _healthy_row(name, [one for one in own if one["row"] == name or name not in names], verdicts)


def _healthy_row(name: str, trials: Sequence[Mapping[str, Any]], verdicts: Sequence[str]) -> str:
    found = Counter(one["verdict"] for one in trials)
    moments = sum(sum(one["moments"].values()) for one in trials)
    return f"| {name} | {len(trials)} | {' | '.join(str(found[one]) for one in verdicts)} | {moments:,} |"


def _shown(trials: Sequence[Mapping[str, Any]]) -> str:
    """``3 of 5: 400 a million (82–1,170)``; where the knob did nothing, that."""
    counting = [one for one in trials if one["verdict"] in {"clean", "hang"}]
    if not counting:
        idle = sum(one["verdict"] == "inconclusive" for one in trials)
        return f"did nothing ({idle})" if idle else "" if not trials else "not judged"
    hangs = sum(one["verdict"] == "hang" for one in counting)
    operations = sum(one["operations"] for one in counting)
    told = f"{hangs} of {len(counting)}"
    if not hangs or not operations:
        return told
    found = hazard(hangs, operations, chance=Chance.OPERATION)
    return f"**{told}**: {found.rate * MILLION:,.0f} a million ({found.low * MILLION:,.0f}–{found.high * MILLION:,.0f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--for", dest="limit_s", type=float, default=float("inf"))
    parser.add_argument("--only", default="")
    parser.add_argument("--levels", default="")
    parser.add_argument("--healthy", action="store_true")
    parser.add_argument("--results", default=str(RESULTS))
    parser.add_argument("--table", action="store_true")
    main(parser.parse_args())
