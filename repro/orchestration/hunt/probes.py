"""The parts of a hunt: candidates, probes, the hang that counts, and when to give up."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import date

from repro.answer import KeptProbe
from repro.core.hang.same import is_same_hang
from repro.core.matrix.hazards import at_risk, chance_of
from repro.errors import BackendError
from repro.model import Cell, Chance, Hang, Trial, Verdict

TICK_S = 0.1
MOST_APART = 2
"""Trials of a release that say neither hang nor clean before it is set aside."""
MOST_IN_VAIN = 3
IN_VAIN = {Verdict.BACKEND, Verdict.ERROR, Verdict.INTERRUPTED, Verdict.INCONCLUSIVE}
"""What a trial comes to for no fault of a release: the backend's, or this program's."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A release or a day that may be the answer: its name, its date if the index has one, and its cell."""

    name: str
    released: date | None
    cell: Cell


def first_ended(trials: Collection[Future[Trial]], *, tick: Callable[[], object]) -> set[Future[Trial]]:
    """The trials that have ended, once one has; ``tick`` is called while all go on, for a view to be drawn."""
    while not (done := wait(trials, timeout=TICK_S, return_when=FIRST_COMPLETED).done):
        tick()
    return done


def told(trial: Trial) -> str:
    """What is said of a trial where nobody gives a better wording: its own reason, else its verdict."""
    return trial.reason or trial.verdict.value


@dataclass(frozen=True)
class Probe:
    """A trial of a candidate, and whether it counts: True a hang of the hunted kind, False clean, None neither."""

    candidate: Candidate
    trial: Trial
    hang: bool | None

    @property
    def kept(self) -> KeptProbe:
        """The probe as stored with its trial."""
        return KeptProbe(
            release=self.candidate.name, cell_id=self.trial.cell_id, number=self.trial.number, hang=self.hang
        )


def weights(probes: Sequence[Probe]) -> dict[int, float]:
    """By the place of each clean probe its exposure beside the usual one: the median of the clean probes'.

    By the operation, or by the stop where the hang that is hunted is one of the stop. What was not counted weighs 1.
    """
    hangs = [probe.trial.hang for probe in probes if probe.hang and probe.trial.hang]
    chance = chance_of(hangs)
    chances = {place: _chances(probe.trial, chance) for place, probe in enumerate(probes) if probe.hang is False}
    usual = statistics.median(chances.values()) if chances else 0.0
    return {place: count / usual if usual and count else 1.0 for place, count in chances.items()}


def _chances(trial: Trial, chance: Chance) -> float:
    exposure = at_risk(trial)
    return float(exposure.stops or 0.0) if chance is Chance.STOP else float(exposure.operations)


@dataclass
class HuntedHang:
    """The hang that counts: the first one seen. Other hangs do not count."""

    first: Hang | None = None

    def meaning(self, trial: Trial) -> bool | None:
        """Whether a trial counts, as ``Probe.hang`` says it."""
        if trial.verdict is Verdict.CLEAN:
            return False
        if trial.hang is None:
            return None
        self.first = self.first or trial.hang
        return True if is_same_hang(self.first, trial.hang) else None


@dataclass
class Patience:
    """Ends a hunt after too many trials in a row that do not count."""

    in_a_row: int = 0

    def take(self, trial: Trial, *, reason_of: Callable[[Trial], str]) -> None:
        """Count a new trial; ``reason_of`` says why it does not count.

        Raises:
            BackendError: there were ``MOST_IN_VAIN`` in a row; with the reason of the last one.
        """
        self.in_a_row = self.in_a_row + 1 if trial.verdict in IN_VAIN else 0
        if self.in_a_row >= MOST_IN_VAIN:
            raise BackendError(
                f"{self.in_a_row} trials in a row could not be judged, the last: {reason_of(trial)}; fix that, then "
                "continue with --resume"
            )
