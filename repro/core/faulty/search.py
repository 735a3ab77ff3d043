"""All causes of the hangs that were seen, one after the other: what the first explains is set aside for the next.

The first hung row that can be explained is (`confirmation`). Once its cause is settled, the rows that have its levels
are set aside, and the next hung row among the others is explained, until none is left or the cause of one cannot be
settled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from repro.core.faulty.belief import Belief, Tallies
from repro.core.faulty.causes import Axis, Cause, Row, has_levels
from repro.core.faulty.confirmation import Confirmation, IsAllowed, Shown

MOST_CAUSES = 4


@dataclass(frozen=True, kw_only=True)
class FoundCause:
    """A cause with its probability, and what of it was shown."""

    cause: Cause
    probability: float
    shown: Shown


@dataclass(frozen=True, eq=False)
class CauseSearch:
    """The state of the search after the trials of some rows; ``confidence`` is asked of each cause."""

    axes: tuple[Axis, ...]
    rows: Tallies
    is_allowed: IsAllowed
    confidence: float

    @property
    def is_settled(self) -> bool:
        """Whether every hang that was seen has its cause."""
        return self._open is None

    @property
    def found(self) -> tuple[FoundCause, ...]:
        """The causes that are settled."""
        return self._course[0]

    def suspected(self, most: int) -> tuple[FoundCause, ...]:
        """The likeliest causes of the hang that is not settled; none where all are."""
        state = self._open
        if state is None:
            return ()
        return tuple(_found(state, at) for at in state.belief.ranked[:most])

    @property
    def something_else(self) -> float:
        """How likely no combination of a few levels explains that hang."""
        return 0.0 if self._open is None else float(self._open.belief.posterior[-1])

    def next_rows(self, count: int) -> list[Row]:
        """Up to so many rows to try next; none where nothing that can be tried would tell more."""
        return [] if self._open is None else self._open.next_rows(count)

    @property
    def _open(self) -> Confirmation | None:
        return self._course[1]

    @cached_property
    def _course(self) -> tuple[tuple[FoundCause, ...], Confirmation | None]:
        """The causes that are settled, and the state of the hang that is to be explained next."""
        found: list[FoundCause] = []
        while anchors := self._unexplained(found):
            states = list(self._states(anchors, found))
            settled = next((state for state in states if state.is_settled), None)
            if settled is None or settled.best is None or len(found) == MOST_CAUSES:
                return tuple(found), next((state for state in states if not state.is_hopeless), states[0])
            found.append(_found(settled, settled.best))
        return tuple(found), None

    def _states(self, anchors: list[Row], found: list[FoundCause]) -> Iterator[Confirmation]:
        """The state of each hung row, up to the first that is settled or can be."""
        known = tuple(one.cause for one in found)
        rows = {row: tally for row, tally in self.rows.items() if not any(has_levels(cause, row) for cause in known)}
        for anchor in anchors:
            state = Confirmation(Belief(self.axes, rows, anchor, known), self.is_allowed, self.confidence, known=known)
            yield state
            if not state.is_hopeless:
                return

    def _unexplained(self, found: list[FoundCause]) -> list[Row]:
        return [
            row
            for row, tally in self.rows.items()
            if tally.hangs and not any(has_levels(one.cause, row) for one in found)
        ]


def _found(state: Confirmation, at: int) -> FoundCause:
    return FoundCause(
        cause=state.belief.cause(at), probability=float(state.belief.posterior[at]), shown=state.shown(at)
    )
