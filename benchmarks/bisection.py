"""How many trials a bisection takes, and how often it is right, beside git_bayesect on the same histories.

    python benchmarks/bisection.py [HISTORIES] [--processes N]
    python benchmarks/bisection.py [HISTORIES] --at-once     how many rounds this program's search takes with several probes at once

HISTORIES for each row (1,000 when left out), each of 8 to 200 releases, in which the hang begins with any of them but the
oldest, at the row's rate. What the k-th trial of a release comes to belongs to the history, whoever asks. All searches stop at
95 %, or after ``MOST`` trials. Those of git_bayesect:

    as it is         its own priors, as `git bayesect run` has them: what the rate is on either side is left open
    told of zero     its prior for the good side put close to 0, which it advises against; the same knowledge that ours has
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from git_bayesect import Bisector

from repro.answer import AnswerKind
from repro.core.intervals import CONFIDENCE, interval
from repro.core.search.bisection import Bisection

MOST = 400
RATES = (1.0, 0.5, 0.2)
WIDTHS = (1, 2, 4)
SMALLEST, LARGEST = 8, 200
ALMOST_NEVER = 0.01


@dataclass(frozen=True)
class Ended:
    """How a search ended: the release named, None for no change or no answer, in so many trials."""

    named: int | None
    trials: int
    is_settled: bool


class History:
    """Releases of which those from ``first`` on hang at ``rate``; ``first == n``: none does."""

    def __init__(self, rate: float, seed: int, *, changes: bool) -> None:
        chance = random.Random(f"{rate} {seed} {changes}")
        self.n = chance.randint(SMALLEST, LARGEST)
        self.first = chance.randrange(1, self.n) if changes else self.n
        self._rate = rate
        self._chances = [random.Random(chance.random()) for _ in range(self.n)]

    def trial(self, index: int) -> bool:
        """Whether the next trial of a release hangs."""
        return self._chances[index].random() < self._rate and index >= self.first


def ours(history: History) -> Ended:
    """This program's search."""
    state = Bisection(history.n, confidence=CONFIDENCE)
    while not (answer := state.answer()).is_settled and len(state.observations) < MOST:
        (index,) = state.next_probes(1)
        state = state.observe(index, hang=history.trial(index))
    named = answer.index if answer.kind is AnswerKind.FIRST_BAD else None
    return Ended(named, len(state.observations), answer.is_settled)


def theirs(history: History, *, good_side: float = 0.5) -> Ended:
    """git_bayesect's, whose releases count from the newest; ``good_side`` is its ``alpha_old``."""
    search = Bisector([1.0] * history.n, alpha_old=good_side, beta_old=1.0 if good_side < 0.5 else 0.5)
    trials = 0
    while search.distribution.max() < CONFIDENCE and trials < MOST:
        place = search.select()
        search.record(place, history.trial(history.n - 1 - place))
        trials += 1
    is_settled = bool(search.distribution.max() >= CONFIDENCE)
    oldest_bad = history.n - 1 - int(search.distribution.argmax())
    return Ended(oldest_bad if is_settled else None, trials, is_settled)


SEARCHES: dict[str, Callable[[History], Ended]] = {
    "repro": ours,
    "git_bayesect as it is": theirs,
    "git_bayesect told of zero": partial(theirs, good_side=ALMOST_NEVER),
}


def compared(seed: int, rate: float, *, changes: bool) -> list[tuple[int, bool]]:
    """For each search its trials, and whether it was right."""
    rows = []
    for search in SEARCHES.values():
        history = History(rate, seed, changes=changes)
        ended = search(history)
        wanted = history.first if changes else None
        rows.append((ended.trials, ended.is_settled and ended.named == wanted))
    return rows


def in_rounds(seed: int, rate: float, *, width: int) -> tuple[int, int, bool]:
    """The rounds and the trials of a search with up to ``width`` probes a round, and whether it was right."""
    history = History(rate, seed, changes=True)
    state, made = Bisection(history.n, confidence=CONFIDENCE), 0
    while not state.answer().is_settled and len(state.observations) < MOST:
        for index in state.next_probes(width):
            state = state.observe(index, hang=history.trial(index))
        made += 1
    return made, len(state.observations), state.answer().index == history.first


def rounds(histories: int, processes: int) -> Iterator[str]:
    """The lines of the table of probes at once."""
    yield "| history | probes at once | rounds: mean | trials: mean | right |"
    yield "|---|---|---|---|---|"
    with ProcessPoolExecutor(processes) as pool:
        for rate, width in [(rate, width) for rate in RATES for width in WIDTHS]:
            made = list(pool.map(partial(in_rounds, rate=rate, width=width), range(histories), chunksize=5))
            steps, trials, right = (statistics.mean(column) for column in zip(*made, strict=True))
            yield f"| hangs at {rate:g} | {width} | {steps:.1f} | {trials:.1f} | {right:.1%} |"


def table(histories: int, processes: int) -> Iterator[str]:
    """The table's lines."""
    yield "| history | search | trials: mean | median | 95th percentile | right | 95 % interval |"
    yield "|---|---|---|---|---|---|---|"
    with ProcessPoolExecutor(processes) as pool:
        for rate, changes in [*((rate, True) for rate in RATES), (1.0, False)]:
            made = list(pool.map(partial(compared, rate=rate, changes=changes), range(histories), chunksize=10))
            for place, name in enumerate(SEARCHES):
                trials = [rows[place][0] for rows in made]
                share = interval(sum(rows[place][1] for rows in made), histories)
                what = f"hangs at {rate:g}" if changes else "no change"
                yield (
                    f"| {what} | {name} | {statistics.mean(trials):.1f} | {statistics.median(trials):.0f} "
                    f"| {sorted(trials)[int(0.95 * histories)]} | {share.hits / share.n:.1%} | {share.low:.1%}–{share.high:.1%} |"
                )


def main(argv: list[str]) -> None:
    """Print the table as its rows come."""
    parser = argparse.ArgumentParser(description="Trials needed and the share right, beside git_bayesect.")
    parser.add_argument("histories", nargs="?", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--at-once", action="store_true")
    given = parser.parse_args(argv)
    for line in (rounds if given.at_once else table)(given.histories, given.processes):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
