"""Which trials settle the cause of a hung cell: one factor flipped at a time, or its levels added to a clean cell.

    next_rows: the trials that are expected to tell most ──▶ … ──▶ one cause is as likely as was asked ──▶ what it says
      is shown, clause by clause ──▶ settled
      or nothing that can be tried tells more ──▶ not settled

A cause is not only likely, it is shown: a *clause* by a hung cell that is clean once this factor alone is changed, and
that all clauses together are *enough* by a clean cell that hangs once their levels are added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from repro.core.faulty.belief import Belief, Tally
from repro.core.faulty.causes import Cause, Row, axes_of, has_levels

LEAST_GAIN = 1e-4
"""In nats: nothing is tried that is expected to tell less."""
MOST_ANCHORS, MOST_CLEAN, MOST_TOP = 3, 6, 20
LEAST_SHARE = 1e-3
IsAllowed = Callable[[Row], bool]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What was shown of a cause: each clause, by its factor, and that all of them together are enough."""

    clauses: Mapping[int, bool]
    is_enough: bool


@dataclass(frozen=True, eq=False)
class Confirmation:
    """The state of it: what is believed of a hung cell, and how certain its cause is to be.

    ``is_allowed`` says whether the experiment has a row that can be tested. ``known`` are causes found before: what
    they make hang shows nothing of this one.
    """

    belief: Belief
    is_allowed: IsAllowed
    confidence: float
    known: tuple[Cause, ...] = field(default=(), kw_only=True)

    @cached_property
    def best(self) -> int | None:
        """The cause that is as likely as was asked; None as long as none is."""
        at = self.belief.ranked[0]
        return at if self.belief.posterior[at] >= self.confidence else None

    @property
    def is_settled(self) -> bool:
        """Whether one cause is certain, and all of it is shown that can be tried."""
        return self.best is not None and not self._wanted

    @property
    def is_hopeless(self) -> bool:
        """Whether no combination of a few levels explains this cell."""
        return float(self.belief.posterior[-1]) > 0.5

    def next_rows(self, count: int) -> list[Row]:
        """Up to so many rows to try next, another each; none where it is settled, or nothing left tells more."""
        if self.best is not None:
            return self._wanted[:count]
        rows = [row for row in dict.fromkeys(self._candidates()) if self._can_be_tried(row)]
        gains = self.belief.gains(rows)
        ranked = sorted(range(len(rows)), key=lambda at: -gains[at])
        return [rows[at] for at in ranked[:count] if gains[at] >= LEAST_GAIN]

    def shown(self, at: int) -> Shown:
        """What was shown of a cause."""
        cause = self.belief.cause(at)
        clauses = {axis: self._is_shown(at, axis) for axis in axes_of(cause, self.belief.axes)}
        is_enough = any(self._tally(row).hangs for row in self._added(cause))
        return Shown(clauses=clauses, is_enough=is_enough)

    # What is shown, and what would show the rest

    @cached_property
    def _wanted(self) -> list[Row]:
        return [] if self.best is None else list(dict.fromkeys(self._lacking(self.best)))

    def _lacking(self, at: int) -> Iterator[Row]:
        """The rows that would show what is not yet shown of a cause."""
        cause, shown = self.belief.cause(at), self.shown(at)
        if not shown.clauses:
            yield from filter(self._can_be_tried, self._clean())  # that every cell hangs, every cell shows
            return
        for axis, is_shown in shown.clauses.items():
            if not is_shown:
                yield from self._most_tried(self._flips(cause, axis))
            for alike in self._alike(cause, axis):
                if not any(self._tally(row).hangs for row in alike):
                    yield from self._most_tried(iter(alike))
        if not shown.is_enough:
            yield from self._most_tried(self._added(cause))

    def _most_tried(self, rows: Iterator[Row]) -> list[Row]:
        """The row without a hang that was tried most: it takes the fewest trials more."""
        clean = [row for row in dict.fromkeys(rows) if self._can_be_tried(row) and not self._tally(row).hangs]
        return [max(clean, key=lambda row: self._tally(row).cleans)] if clean else []

    def _is_shown(self, at: int, axis: int) -> bool:
        flips = self._flips(self.belief.cause(at), axis)
        return any(self.belief.doubt(row, at) <= 1 - self.confidence for row in flips)

    def _flips(self, cause: Cause, axis: int) -> Iterator[Row]:
        """The hung rows of a cause with a level on this axis that its clause has not, all else as it was."""
        for hung in self._hung_by(cause):
            yield from (row for row in self._changed(hung, axis) if not cause[axis] >> row[axis] & 1)

    def _alike(self, cause: Cause, axis: int) -> Iterator[list[Row]]:
        """For each level of a clause of several: clean rows with the cause added, at this level; one of them must hang.

        Otherwise a hang by another cause could pass for one more level of this one.
        """
        levels = [level for level in range(self.belief.axes[axis].size) if cause[axis] >> level & 1]
        added = list(self._added(cause)) if len(levels) > 1 else []
        for level in levels:
            alike = [(*row[:axis], level, *row[axis + 1 :]) for row in added]
            if any(map(self._can_be_tried, alike)):
                yield alike

    def _added(self, cause: Cause) -> Iterator[Row]:
        """Clean rows with the levels of the cause added, from a hung row that differs elsewhere, too."""
        axes = axes_of(cause, self.belief.axes)
        for hung in self._hung_by(cause):
            for clean in self._clean():
                row = tuple(hung[at] if at in axes else level for at, level in enumerate(clean))
                if row not in (clean, hung):
                    yield row

    # What can be tried

    def _candidates(self) -> Iterator[Row]:
        """One factor flipped from a hung row, the levels of a likely cause added to a clean one, a clean one again."""
        ranked = self.belief.ranked[:MOST_TOP]
        causes = [self.belief.cause(at) for at in ranked if self.belief.posterior[at] >= LEAST_SHARE]
        causes = causes or [self.belief.cause(ranked[0])]
        axes = sorted({axis for cause in causes for axis in axes_of(cause, self.belief.axes)})
        for row in self._anchors():
            for axis in axes or range(len(self.belief.axes)):
                yield from self._changed(row, axis)
        for cause in causes:
            yield from self._added(cause)
        yield from (row for row, tally in self.belief.rows.items() if not tally.hangs)

    def _anchors(self) -> list[Row]:
        own = [row for row in self.belief.hung if row != self.belief.anchor]
        return [self.belief.anchor, *sorted(own, key=lambda row: -self._tally(row).hangs)][:MOST_ANCHORS]

    def _clean(self) -> list[Row]:
        """The clean rows, those that were tried most."""
        clean = [row for row, tally in self.belief.rows.items() if tally.cleans and not tally.hangs]
        return sorted(clean, key=lambda row: -self._tally(row).cleans)[:MOST_CLEAN]

    def _hung_by(self, cause: Cause) -> list[Row]:
        return [row for row in self.belief.hung if has_levels(cause, row)]

    def _changed(self, row: Row, axis: int) -> Iterator[Row]:
        """The row with each other level on an axis."""
        for level in range(self.belief.axes[axis].size):
            if level != row[axis]:
                yield (*row[:axis], level, *row[axis + 1 :])

    def _can_be_tried(self, row: Row) -> bool:
        return self.is_allowed(row) and not any(has_levels(cause, row) for cause in self.known)

    def _tally(self, row: Row) -> Tally:
        return self.belief.rows.get(row, Tally())
