"""Which worker runs the next trial, and what becomes of the trials of one that is lost.

A worker has a trial for each of its slots, and may have one more that waits there: it begins at once when a slot comes
free, while the result of the one before is still on its way. What is stopped early has not been begun.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

MOST_ATTEMPTS = 3
"""Workers that a trial may lose: one that ends every machine which runs it is not given to a fourth."""
MOST_WAITING = 1
"""Trials that may wait on a worker: with more, a slow worker would keep at the end what others have time for."""


@dataclass(frozen=True)
class TrialKey:
    """What tells a trial from the others of its run."""

    cell_id: str
    number: int


class Slots:
    """The slots of all workers, by the workers' addresses."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._in_flight: dict[str, dict[TrialKey, None]] = {}  # the first ones run, the others wait
        self._attempts: Counter[TrialKey] = Counter()

    @property
    def total(self) -> int:
        """How many trials there can be at once."""
        return sum(self._slots.values())

    @property
    def workers(self) -> frozenset[str]:
        """Those that take part."""
        return frozenset(self._slots)

    @property
    def ahead(self) -> int:
        """How many trials more can wait."""
        return MOST_WAITING * len(self._slots)

    def join(self, worker: str, slots: int) -> None:
        """A worker takes part from now on."""
        self._slots[worker] = slots
        self._in_flight[worker] = {}

    def leave(self, worker: str) -> frozenset[TrialKey]:
        """A worker is gone; the trials that it had are to be begun anew. What only waited there had no attempt."""
        slots = self._slots.pop(worker, 0)
        lost = [*self._in_flight.pop(worker, ())]
        self._attempts.subtract(lost[slots:])
        return frozenset(lost)

    def free(self, *, but: Collection[str] = ()) -> str | None:
        """The worker with the largest share of its slots free; None when no slot is, save those of ``but``."""
        return self._emptiest(more=0, but=but)

    def next_for(self, but: Collection[str] = ()) -> str | None:
        """The worker for the next trial: one with a free slot, else one where it can wait; none of ``but``."""
        return self.free(but=but) or self._emptiest(more=MOST_WAITING, but=but)

    def _emptiest(self, *, more: int, but: Collection[str]) -> str | None:
        shares = {
            worker: len(self._in_flight[worker]) / slots
            for worker, slots in self._slots.items()
            if worker not in but and len(self._in_flight[worker]) < slots + more
        }
        return min(shares, key=shares.__getitem__, default=None)

    def begin(self, worker: str, trial: TrialKey) -> int:
        """A trial begins on a worker, for the n-th time."""
        self._in_flight[worker][trial] = None
        self._attempts[trial] += 1
        return self._attempts[trial]

    def end(self, worker: str, trial: TrialKey) -> None:
        """A trial no longer takes a slot of a worker, which may be gone."""
        self._in_flight.get(worker, {}).pop(trial, None)

    def forget(self, trial: TrialKey) -> None:
        """A trial has its verdict: with thousands of them, nothing is kept of each."""
        self._attempts.pop(trial, None)

    def is_given_up(self, trial: TrialKey) -> bool:
        """Whether it has had its last attempt."""
        return self._attempts[trial] >= MOST_ATTEMPTS
