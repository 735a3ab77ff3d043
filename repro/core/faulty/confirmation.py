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
from repro.core.faulty.variety import Provisos

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

    The cause is to be as certain as for one of two: there may be another, and both are to be right.

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
        return at if self.belief.posterior[at] >= (1 + self.confidence) / 2 else None

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
        return Shown(clauses=clauses, is_enough=is_enough and not any(self._sparing(cause)))

    # What is shown, and what would show the rest

    @cached_property
    def _wanted(self) -> list[Row]:
        return [] if self.best is None else list(dict.fromkeys(self._lacking(self.best)))

    def _lacking(self, at: int) -> Iterator[Row]:
        """The rows that would show what is not yet shown of a cause."""
        cause, shown = self.belief.cause(at), self.shown(at)
        if not shown.clauses:
            yield from filter(self._can_be_tried, self._clean)  # that every cell hangs, every cell shows
            return
        for axis, is_shown in shown.clauses.items():
            if not is_shown:
                yield from self._most_tried(self._flips(cause, axis))
                for other in self._untried(at, axis):
                    yield from self._most_tried(row for row in self._flips(cause, axis) if has_levels(other, row))
        if not shown.is_enough:
            yield from self._most_tried(self._added(cause))
            yield from self._sparing(cause)

    def _most_tried(self, rows: Iterator[Row]) -> list[Row]:
        """The row without a hang that was tried most: it takes the fewest trials more."""
        clean = [row for row in dict.fromkeys(rows) if self._can_be_tried(row) and not self._tally(row).hangs]
        return [max(clean, key=lambda row: self._tally(row).cleans)] if clean else []

    def _is_shown(self, at: int, axis: int) -> bool:
        """Whether a clause is: one flip is clean, and all other levels are that could belong to it."""
        cause = self.belief.cause(at)
        is_flipped = any(self._is_clean(at, self._tally(row)) for row in self._flips(cause, axis))
        return is_flipped and not any(True for _ in self._untried(at, axis))

    def _is_clean(self, at: int, tally: Tally) -> bool:
        """Whether these trials would have shown a hang if they had the levels of a cause."""
        return not tally.hangs and self.belief.doubt(tally.cleans, at) <= 1 - self.confidence

    def _untried(self, at: int, axis: int) -> Iterator[Cause]:
        """The cause with one more level on this axis instead of its own, for each that may hang as well.

        Where the levels have an order, those next to its own; whatever is beyond is nothing that the clause says.
        """
        cause, one = self.belief.cause(at), self.belief.axes[axis]
        levels = [level for level in range(one.size) if not cause[axis] >> level & 1]
        near = [level for level in levels if (cause[axis] << 1 | cause[axis] >> 1) >> level & 1]
        for level in near if one.is_ordered else levels:
            other = (*cause[:axis], 1 << level, *cause[axis + 1 :])
            clean = [tally for row, tally in self.belief.rows.items() if has_levels(other, row) and not tally.hangs]
            flips = (row for row in self._flips(cause, axis) if has_levels(other, row))
            if not self._is_clean(at, sum(clean, Tally())) and any(map(self._can_be_tried, flips)):
                yield other

    def _flips(self, cause: Cause, axis: int) -> Iterator[Row]:
        """The hung rows of a cause with a level on this axis that its clause has not, all else as it was."""
        for hung in self._hung_by(cause):
            yield from (row for row in self._changed(hung, axis) if not cause[axis] >> row[axis] & 1)

    def _sparing(self, cause: Cause) -> Iterator[Row]:
        """The rows of a cause that have to hang, too, before its levels are enough: they lack what its hung rows share.

        Of a clause of several levels each is asked for alone, or a hang by another cause could pass for one more level.
        """
        hung = self._hung_by(cause)
        clauses = axes_of(cause, self.belief.axes)
        # Two causes often share one level, and hardly ever two.
        yield from self._ruling_out(cause, Provisos(self.belief.axes, cause, hung, most=2 if len(clauses) == 1 else 1))
        for axis in clauses:
            levels = [level for level in range(self.belief.axes[axis].size) if cause[axis] >> level & 1]
            for level in levels if len(levels) > 1 else []:
                own = (*cause[:axis], 1 << level, *cause[axis + 1 :])
                alike = [row for row in hung if row[axis] == level]
                yield from self._ruling_out(own, Provisos(self.belief.axes, own, alike, most=1))

    def _ruling_out(self, cause: Cause, provisos: Provisos) -> list[Row]:
        """The row that rules out most of them; none where no row that can be tried rules out any."""
        some = [row for row in self._of_cause(cause) if self._can_be_tried(row) and not self._tally(row).hangs]
        counts = {row: provisos.ruled_out_by(row) for row in some}
        best = max(some, key=lambda row: (counts[row], self._tally(row).cleans), default=None)
        return [] if best is None or not counts[best] else [best]

    def _of_cause(self, cause: Cause) -> list[Row]:
        """The rows that were tried, each with the levels of a cause."""
        return list(dict.fromkeys(tuple(map(_nearest, row, cause)) for row in self.belief.rows))

    def _added(self, cause: Cause) -> Iterator[Row]:
        """Clean rows with the levels of the cause added, from a hung row that differs elsewhere, too."""
        axes = axes_of(cause, self.belief.axes)
        for hung in self._hung_by(cause):
            for clean in self._clean:
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

    @cached_property
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


def _nearest(level: int, mask: int) -> int:
    """The level, where a clause has it, else the first that it has."""
    return level if mask >> level & 1 else (mask & -mask).bit_length() - 1
