"""How often a cell hangs by what it was given the chance to: hangs in its exposure, over trials of any length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from repro.core.intervals import hazard
from repro.core.matrix.cells import cell_verdict, rate_of
from repro.model import Cell, CellResult, Chance, Exposure, Hang, HangClass, Hazard, Trial


def result_of(cell: Cell, trials: Sequence[Trial]) -> CellResult:
    """What the trials of a cell come to."""
    verdicts = [trial.verdict for trial in trials]
    return CellResult(
        cell=cell,
        trials=tuple(trials),
        verdict=cell_verdict(verdicts),
        rate=rate_of(verdicts),
        exposure=exposure_of(trials),
        hazard=hazard_of(trials),
    )


def exposure_of(trials: Sequence[Trial]) -> Exposure:
    """The exposure of the trials that count in a rate, of a hung one as much as had passed when it hung."""
    return sum((at_risk(trial) for trial in trials if trial.verdict.counts_in_rate), Exposure())


def hazard_of(trials: Sequence[Trial]) -> Hazard | None:
    """The hangs by their chances: for each stop where every hang was one of the stop, else for each operation.

    None where no trial counts, or none had any chance.
    """
    hangs = [trial.hang for trial in trials if trial.verdict.counts_in_rate and trial.hang]
    if not any(trial.verdict.counts_in_rate for trial in trials):
        return None
    whole = exposure_of(trials)
    chance = chance_of(hangs) if whole.stops is not None else Chance.OPERATION
    chances = whole.stops if chance is Chance.STOP and whole.stops is not None else whole.operations
    return hazard(len(hangs), chances, chance=chance) if chances else None


def chance_of(hangs: Sequence[Hang]) -> Chance:
    """What the hazard of these hangs is counted by."""
    are_of_the_stop = bool(hangs) and all(hang.hang_class is HangClass.UNSTOPPABLE for hang in hangs)
    return Chance.STOP if are_of_the_stop else Chance.OPERATION


def at_risk(trial: Trial) -> Exposure:
    """What a trial was given the chance to hang in: until it hung, where it did."""
    whole = trial.exposure or _derived(trial)
    if trial.hang is None:
        return whole
    return trial.at_hang or _derived_at_hang(trial, trial.hang)


def _derived(trial: Trial) -> Exposure:
    """That of a trial of an older version, from its operations and its timeline; it counted no stops or collections."""
    return Exposure(operations=trial.operations.ended, seconds=float(len(trial.timeline)), stops=None, collections=None)


def _derived_at_hang(trial: Trial, hang: Hang) -> Exposure:
    """The same until it hung: the operations of the seconds before, and the one that hung unless it was the stop."""
    before = sum(moment.ended for moment in trial.timeline if moment.second < int(hang.stuck_since_s))
    is_of_the_stop = hang.hang_class is HangClass.UNSTOPPABLE
    return replace(
        _derived(trial), operations=before + (not is_of_the_stop), seconds=min(hang.stuck_since_s, trial.seconds)
    )
