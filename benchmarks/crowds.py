"""How often a healthy crowd is called hung: 10 to 5,000 users, on one core and on two, with other work beside.

    python benchmarks/crowds.py [--trials 300] [--for SECONDS] [--users-at-least N] [--users-at-most N] [--results FILE]

Prints a Markdown table. With ``--results`` every trial is kept in that file and none of them is run again; with ``--for`` no
trial is begun after this many seconds: the next call goes on, and the parts add up. ``--users-at-most`` leaves the larger crowds,
which take minutes each, to another call, and ``--users-at-least`` the smaller ones.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from repro.core.intervals import could_have_missed
from repro.model import Trial, TrialOptions
from repro.orchestration.preparation import RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.presentation.hang.explanation import reason_of

SECONDS = 4
LIMITS = ("limits.stall_after_s=2", "limits.stop_grace_s=2", "limits.beat_s=2")
"""Short limits, as the planted truths have them: a long one would hide what a crowd does to the judge."""


@dataclass(frozen=True)
class Crowd:
    """One row: users of a scenario and their backend, the cores that all of it shares, and how many processes burn beside it."""

    users: int
    backend: str
    cores: int
    beside: int
    client: str = ""

    @property
    def name(self) -> str:
        """The row's name, by which its trials are kept."""
        client = f", a client {self.client}" if self.client else ""
        return f"{self.users} users{client}, {self.backend}, {self.cores} cores, {self.beside} burning beside"


CROWDS = (
    *(
        Crowd(users, "ministack", cores, beside)
        for users in (10, 100, 500, 1000)
        for cores, beside in ((2, 0), (1, 1), (2, 2))
    ),
    *(Crowd(users, "moto", cores, beside) for users in (10, 250) for cores, beside in ((2, 0), (1, 1))),
    *(Crowd(users, "ministack", 2, beside) for users in (3000, 5000) for beside in (0, 1)),
    Crowd(250, "ministack", 1, 1, client="per-iteration"),
    Crowd(3000, "moto", 2, 0),
)
OFTEN = 15
"""Trials of a row in 300, the crowds of thousands aside."""
SELDOM = 5
"""Trials of a row of thousands of users, which take minutes each on two cores."""


def main(options: argparse.Namespace) -> None:
    """Run what is missing, the rows in turn, then print the table of all that is there."""
    began = time.monotonic()
    results = Path(options.results) if options.results else Path(tempfile.mkdtemp()) / "crowds.jsonl"
    sizes = range(options.users_at_least, options.users_at_most + 1)
    while (crowd := _next(results, share=options.trials / 300, sizes=sizes)) is not None:
        if options.limit_s and time.monotonic() - began > options.limit_s:
            break
        row = _tried(crowd)
        print(f"{crowd.name}: {row['called']} after {row['seconds']:.0f} s", file=sys.stderr, flush=True)
        with results.open("a") as file:
            file.write(json.dumps(row) + "\n")
    _print(_kept(results))


def _next(results: Path, *, share: float, sizes: range) -> Crowd | None:
    """The row of so many users that is furthest behind; None when all are whole."""
    done = Counter(row["name"] for row in _kept(results))
    wanted = {crowd: (SELDOM if crowd.users > 1000 else OFTEN) * share for crowd in CROWDS}
    behind = [crowd for crowd in CROWDS if crowd.users in sizes and done[crowd.name] < wanted[crowd]]
    return min(behind, key=lambda crowd: done[crowd.name] / wanted[crowd], default=None)


def _tried(crowd: Crowd) -> Mapping[str, object]:
    """One trial of a row in a fresh folder, on its cores."""
    every = os.sched_getaffinity(0)
    load_before = os.getloadavg()[0]
    os.sched_setaffinity(0, sorted(every)[: crowd.cores])
    try:
        with _burning(crowd.beside), tempfile.TemporaryDirectory() as scratch:
            trial = _trial(crowd, Path(scratch))
    finally:
        os.sched_setaffinity(0, every)
    called = f"hang ({trial.hang.hang_class.value})" if trial.hang else trial.verdict.value
    return {
        "name": crowd.name,
        "called": called,
        "reason": reason_of(trial),
        "seconds": round(trial.seconds, 1),
        "operations": trial.operations.ended,
        "load_average": [round(load_before, 1), round(os.getloadavg()[0], 1)],
        **asdict(crowd),
    }


def _trial(crowd: Crowd, folder: Path) -> Trial:
    experiment = "locust-2637/single" if crowd.client else "known/clean"
    own = (f"client={crowd.client}", *LIMITS) if crowd.client else ()
    assignments = (f"users={crowd.users}", f"spawn_rate={max(10, crowd.users // 3)}", f"seconds={SECONDS}", *own)
    request = RunRequest(
        experiment=experiment, overrides=assignments, python=Path(sys.executable), backends=(crowd.backend,)
    )
    prepared = prepare(request)
    options = SessionOptions(
        TrialOptions(locustfile=prepared.scenario.locustfile, is_untouched=True, seed=time.time_ns() % 10**6)
    )
    with Session(prepared.plan, options) as session:
        return session.trial(prepared.plan.cells[0], 1, folder / "evidence")


@contextmanager
def _burning(count: int) -> Iterator[None]:
    """So many processes compute without a pause meanwhile, on the same cores."""
    others = [multiprocessing.get_context("spawn").Process(target=_burn, daemon=True) for _ in range(count)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.terminate()
            other.join()


def _burn() -> None:
    """Until it is ended, or whoever began it has gone."""
    parent = os.getppid()
    while os.getppid() == parent:
        pass


def _kept(results: Path) -> list[Mapping[str, object]]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def _print(rows: Sequence[Mapping[str, object]]) -> None:
    print("| what is run | trials | called hung | called |")
    print("|---|---|---|---|")
    for crowd in CROWDS:
        called = [str(row["called"]) for row in rows if row["name"] == crowd.name]
        said = ", ".join(f"{name} {count}" for name, count in Counter(called).most_common())
        print(f"| {crowd.name} | {len(called)} | {_hung(called)} | {said} |")
    hung = _hung([str(row["called"]) for row in rows])
    missed = f"a share of up to {could_have_missed(len(rows)) * 100:.1f} % could have been missed"
    print(f"| all | {len(rows)} | {hung}; {missed} | {_load_in_words(rows)} |")


def _load_in_words(rows: Sequence[Mapping[str, object]]) -> str:
    """How busy the machine was, by its load average before and after each trial; empty where none was kept."""
    loads = [load for row in rows for load in _loads(row)]
    if not loads:
        return ""
    return f"load average {min(loads):.0f} to {max(loads):.0f}, {sum(loads) / len(loads):.0f} in the mean"


def _loads(row: Mapping[str, object]) -> Sequence[float]:
    loads = row.get("load_average", [])
    return loads if isinstance(loads, list) else []


def _hung(called: Sequence[str]) -> int:
    return sum(1 for one in called if one.startswith("hang"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--for", dest="limit_s", type=float, default=0.0)
    parser.add_argument("--users-at-least", type=int, default=0)
    parser.add_argument("--users-at-most", type=int, default=5000)
    parser.add_argument("--results", default="")
    main(parser.parse_args())
