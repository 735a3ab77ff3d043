"""Whether a cell has been tried enough, and how many trials that may still take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from repro.core.intervals import chances_to_rule_out
from repro.core.matrix.cells import is_settled
from repro.model import Cell, Effort, Exposure, Trial, Until, Verdict

MOST_IN_VAIN = 3
"""So many trials in a row that do not count end a soak of their cell: the next one would not count either."""


@dataclass(frozen=True)
class Tried:
    """What is kept of a trial to decide on the next: a soak has thousands."""

    verdict: Verdict
    exposure: Exposure


def tried(trial: Trial) -> Tried:
    """What is kept of a trial. All of its load counts, also that after its hang."""
    return Tried(trial.verdict, trial.exposure or Exposure(operations=trial.operations.ended))


def is_enough(made: Sequence[Tried], effort: Effort, *, trials: int) -> bool:
    """Whether a cell is not tried again."""
    verdicts = [one.verdict for one in made]
    if Verdict.UNTESTABLE in verdicts:
        return True
    if effort.is_open_ended:
        return _is_soaked(made, effort)
    return len(made) >= trials if effort.until is Until.ALL else is_settled(verdicts, trials=trials)


def _is_soaked(made: Sequence[Tried], effort: Effort) -> bool:
    verdicts = [one.verdict for one in made]
    if effort.most_trials is not None and len(made) >= effort.most_trials:
        return True
    if effort.until is Until.SETTLED and is_settled(verdicts, trials=len(made) + 1):
        return True
    latest = made[-MOST_IN_VAIN:]
    if len(latest) == MOST_IN_VAIN and all(_is_in_vain(one, effort) for one in latest):
        return True
    return is_ruled_out(made, effort) and seconds_of(made) >= effort.soak_s


def _is_in_vain(one: Tried, effort: Effort) -> bool:
    """Whether a trial brought nothing of what is asked for: then no number of them would."""
    brought = one.exposure.operations if effort.rule_out else one.exposure.seconds
    return not one.verdict.counts_in_rate or not brought


def is_ruled_out(made: Sequence[Tried], effort: Effort) -> bool:
    """Whether what was to be ruled out is, as far as the operations go; a hang among them is another matter."""
    return not effort.rule_out or operations_of(made) >= operations_needed(effort)


def operations_needed(effort: Effort) -> int:
    """The operations without a hang that rule it out with 95 %."""
    return math.ceil(chances_to_rule_out(effort.rule_out)) if effort.rule_out else 0


def operations_of(made: Sequence[Tried]) -> int:
    """Operations that ended in the trials that count."""
    return sum(one.exposure.operations for one in made if one.verdict.counts_in_rate)


def seconds_of(made: Sequence[Tried]) -> float:
    """Seconds of load in the trials that count."""
    return sum(one.exposure.seconds for one in made if one.verdict.counts_in_rate)


def trials_left(made: Sequence[Tried], effort: Effort, *, trials: int, trial_s: float, operations_s: float) -> int:
    """About how many more trials a cell takes at most.

    A trial is taken for as long as those that were made, before the first for ``trial_s`` seconds of load with
    ``operations_s`` operations in each.
    """
    if is_enough(made, effort, trials=trials):
        return 0
    if not effort.is_open_ended:
        return max(0, trials - len(made))
    counting = [one for one in made if one.verdict.counts_in_rate]
    seconds = seconds_of(made) / len(counting) if counting else trial_s
    operations = operations_of(made) / len(counting) if counting else trial_s * operations_s
    by_time = _count(effort.soak_s - seconds_of(made), seconds)
    by_operations = _count(operations_needed(effort) - operations_of(made), operations)
    wanted = max(1, by_time, by_operations)
    return wanted if effort.most_trials is None else min(wanted, effort.most_trials - len(made))


def _count(left: float, each: float) -> int:
    return math.ceil(left / each) if left > 0 and each > 0 else 0


KEPT_CLEAN = 3
"""Of the clean trials of a soak the evidence of so many is kept: hours of it stay as large as these."""


def is_kept_whole(trial: Trial, effort: Effort) -> bool:
    """Whether a trial is kept with its evidence, its timeline and its versions."""
    return not effort.is_open_ended or trial.verdict is not Verdict.CLEAN or trial.number <= KEPT_CLEAN


def thinned(trial: Trial) -> Trial:
    """A clean trial of a soak as it is kept: what it was exposed to, and nothing that grows with their number."""
    return replace(trial, evidence="", timeline=(), rungs=(), versions={})


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run's effort will take: trials in all, seconds, and the operations a second that it was reckoned with.

    ``seconds`` is None where it depends on how fast the load is, which nobody knows before the first trial.
    """

    trials: int
    seconds: float | None
    operations_s: float


def expected_s(cells: Sequence[Cell], numbers: Mapping[str, int], *, jobs: int) -> float:
    """The seconds that so many trials of each cell, by its id, take when every one is made."""
    loads = (numbers[cell.id] * (float(cell.settings.get("seconds", 0)) + START_AND_STOP_S) for cell in cells)
    return sum(loads) / jobs


START_AND_STOP_S = 4.0
"""A trial takes so much longer than its load: its start, its stop, its evidence."""
MOST_OPERATIONS_S = 500.0
"""A process with boto3 makes no more on one core, whatever the backend carries (`benchmarks/backend_capacity.py`)."""


def forecast(cells: Sequence[Cell], effort: Effort, *, trials: int, jobs: int, carries_s: float) -> Forecast:
    """What the effort will take when every cell is clean, with a backend that carries this many operations a second."""
    operations_s = min(carries_s / jobs, MOST_OPERATIONS_S)
    count, seconds = 0, 0.0
    for cell in cells:
        trial_s = float(cell.settings.get("seconds", 0))
        left = trials_left((), effort, trials=trials, trial_s=trial_s, operations_s=operations_s)
        count += left
        seconds += left * (trial_s + START_AND_STOP_S) / jobs
    is_known = not effort.rule_out or math.isfinite(carries_s)
    return Forecast(trials=count, seconds=seconds if is_known else None, operations_s=operations_s)
