"""Which worker runs the next trial, and what becomes of the trials of one that is lost.

A worker has a trial in flight for each of its slots and none that waits: what is stopped early has not been begun.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

MOST_ATTEMPTS = 3
"""Workers that a trial may lose: one that ends every machine which runs it is not given to a fourth."""


@dataclass(frozen=True)
class TrialKey:
    """What tells a trial from the others of its run."""

    cell_id: str
    number: int


class Slots:
    """The slots of all workers, by the workers' addresses."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._under_way: dict[str, set[TrialKey]] = {}
        self._attempts: Counter[TrialKey] = Counter()

    @property
    def total(self) -> int:
        """How many trials there can be at once."""
        return sum(self._slots.values())

    @property
    def workers(self) -> frozenset[str]:
        """Those that take part."""
        return frozenset(self._slots)

    def join(self, worker: str, slots: int) -> None:
        """A worker takes part from now on."""
        self._slots[worker] = slots
        self._under_way[worker] = set()

    def leave(self, worker: str) -> frozenset[TrialKey]:
        """A worker is gone; the trials that it had under way are to be begun anew."""
        self._slots.pop(worker, None)
        return frozenset(self._under_way.pop(worker, ()))

    def free(self, *, but: Collection[str] = ()) -> str | None:
        """The worker with the largest share of its slots free; None when no slot is, save those of ``but``."""
        shares = {
            worker: 1 - len(self._under_way[worker]) / slots
            for worker, slots in self._slots.items()
            if worker not in but
        }
        best = max(shares, key=shares.__getitem__, default=None)
        return best if best is not None and shares[best] > 0 else None

    def begin(self, worker: str, trial: TrialKey) -> int:
        """A trial begins on a worker, for the n-th time."""
        self._under_way[worker].add(trial)
        self._attempts[trial] += 1
        return self._attempts[trial]

    def end(self, worker: str, trial: TrialKey) -> None:
        """A trial no longer takes a slot of a worker, which may be gone."""
        self._under_way.get(worker, set()).discard(trial)

    def forget(self, trial: TrialKey) -> None:
        """A trial has its verdict: with thousands of them, nothing is kept of each."""
        self._attempts.pop(trial, None)

    def is_given_up(self, trial: TrialKey) -> bool:
        """Whether it has had its last attempt."""
        return self._attempts[trial] >= MOST_ATTEMPTS
