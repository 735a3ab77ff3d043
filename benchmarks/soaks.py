"""Does one shared SQS resource hang? The report's packages under load for long, in parts that add up.

    python benchmarks/soaks.py [--for SECONDS] [--only NAME]… [--results FILE] [--table]

Each part is a trial of two minutes. All parts are kept in the results file; no part is begun after ``--for`` seconds, and the
next call goes on. Prints a Markdown table: the operations, the hangs, and what they rule out at 95 %.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.core.intervals import chances_to_rule_out, hazard
from repro.core.matrix.hazards import at_risk
from repro.model import Chance, TrialOptions
from repro.orchestration.preparation import RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.presentation.hang.explanation import reason_of

RESULTS = Path(__file__).parent / "soaks.jsonl"
PART_S = 120
THE_REPORTS = (
    "locust=2.24.0",
    "gevent=24.2.1",
    "urllib3=2.2.1",
    "boto3=1.34.64",
    "botocore=1.34.64",
    "configargparse=1.7",
    "python=3.11",
    "users=50",
    "spawn_rate=50",
    f"seconds={PART_S}",
    "max_pool_connections=50",
)
"""The packages that the report had, on an interpreter of its day."""
AS_IN_THE_REPORT = ("launch=process", "tls=true", "by_name=true")
"""In a forked process, over TLS, by the name of a host."""


@dataclass(frozen=True)
class Soak:
    """One row: what is set of the report's scenario, and the operations that are wanted of it."""

    name: str
    settings: tuple[str, ...]
    operations: int


SOAKS = (
    Soak("shared", ("client=shared", *AS_IN_THE_REPORT), 1_000_000),
    Soak("shared, HTTP by one session", ("client=shared", "http=one-session", *AS_IN_THE_REPORT), 200_000),
    Soak("shared, HTTP by a session a call", ("client=shared", "http=session-a-call", *AS_IN_THE_REPORT), 200_000),
    Soak("per user", ("client=per-user", *AS_IN_THE_REPORT), 200_000),
    Soak("shared, amplified", ("client=shared", "amplify=all", *AS_IN_THE_REPORT), 200_000),
    Soak("shared, plain, by the command", ("client=shared",), 200_000),
)


def main(options: argparse.Namespace) -> None:
    """Make parts of the row that is furthest behind, then print the table of all that is there."""
    results = Path(options.results)
    soaks = [soak for soak in SOAKS if not options.only or soak.name in options.only]
    until = time.monotonic() + (0 if options.table else options.limit_s)
    while time.monotonic() < until and (soak := _next(soaks, _kept(results))) is not None:
        part = _part(soak, number=len(_of(soak, _kept(results))) + 1)
        print(f"{soak.name}: {part['verdict']}, {part['operations']:,} operations", file=sys.stderr, flush=True)
        with results.open("a") as file:
            file.write(json.dumps(part) + "\n")
    print("\n".join(_table(_kept(results))))


def _next(soaks: Sequence[Soak], kept: Sequence[Mapping[str, Any]]) -> Soak | None:
    """The row of which the least share is done; not one that hung three times, or whose last three parts were neither."""
    open_ones = [soak for soak in soaks if _share(soak, kept) < 1 and not _is_over(_of(soak, kept))]
    return min(open_ones, key=lambda soak: _share(soak, kept), default=None)


ENOUGH = 3


def _is_over(parts: Sequence[Mapping[str, Any]]) -> bool:
    """Whether it is known well enough, or another part would tell as little as the last ones."""
    return sum(map(_has_hung, parts)) >= ENOUGH or (len(parts) >= ENOUGH and not _counting(parts[-ENOUGH:]))


def _share(soak: Soak, kept: Sequence[Mapping[str, Any]]) -> float:
    return _operations(_of(soak, kept)) / soak.operations


def _part(soak: Soak, *, number: int) -> dict[str, Any]:
    request = RunRequest(
        experiment="locust-2637/single", overrides=(*THE_REPORTS, *soak.settings), backends=("ministack",)
    )
    prepared = prepare(request)
    (cell,) = prepared.plan.cells
    options = SessionOptions(TrialOptions(locustfile=prepared.scenario.locustfile))
    with tempfile.TemporaryDirectory() as folder, Session(prepared.plan, options) as session:
        trial = session.trial(cell, number, Path(folder) / "trial")
    exposure = at_risk(trial)
    return {
        "soak": soak.name,
        "number": number,
        "verdict": trial.verdict.value,
        "hang_class": trial.hang.hang_class.value if trial.hang else "",
        "operations": exposure.operations,
        "seconds": round(exposure.seconds, 1),
        "longest_wait_s": round(trial.longest_wait.seconds, 2) if trial.longest_wait else None,
        "reason": "" if trial.verdict.value == "clean" else reason_of(trial)[:400],
    }


def _kept(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def _of(soak: Soak, kept: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in kept if one["soak"] == soak.name]


def _counting(parts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in parts if one["verdict"] in {"clean", "hang"}]


def _operations(parts: Sequence[Mapping[str, Any]]) -> int:
    return sum(one["operations"] for one in _counting(parts))


def _has_hung(part: Mapping[str, Any]) -> bool:
    return part["verdict"] == "hang"


# The table


def _table(kept: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| load | operations | seconds | hangs | longest wait, s | what it rules out, or the hazard |"
    yield "|---|---|---|---|---|---|"
    for soak in SOAKS:
        parts = _counting(_of(soak, kept))
        if not parts:
            continue
        operations, hangs = _operations(parts), sum(map(_has_hung, parts))
        longest = max((one["longest_wait_s"] or 0.0 for one in parts if not _has_hung(one)), default=0.0)
        seconds = sum(one["seconds"] for one in parts)
        classes = ", ".join(sorted({one["hang_class"] for one in parts if one["hang_class"]}))
        told = f"{hangs} of {len(parts)} ({classes})" if hangs else f"0 of {len(parts)}"
        yield f"| {soak.name} | {operations:,} | {seconds:,.0f} | {told} | {longest:.2f} | {_meaning(hangs, operations)} |"


def _meaning(hangs: int, operations: int) -> str:
    if not hangs:
        return f"one in {operations / chances_to_rule_out(1.0):,.0f} operations or oftener" if operations else ""
    found = hazard(hangs, operations, chance=Chance.OPERATION)
    return f"{found.rate * 1e6:,.1f} a million ({found.low * 1e6:,.1f}–{found.high * 1e6:,.1f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--for", dest="limit_s", type=float, default=float("inf"))
    parser.add_argument("--only", action="append", help="a row's name; more than once for several")
    parser.add_argument("--results", default=str(RESULTS))
    parser.add_argument("--table", action="store_true")
    main(parser.parse_args())
