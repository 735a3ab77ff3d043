"""What timeouts are worth, computed from a run's cells: the longest wait under each fault, and what they cost.

    fault           with             longest wait
    no_answer:…     timeouts of 60 s       60.3 s
    no_answer:…     timeouts of 3 s         3.9 s

Known where a fault or a timeout varies. Cells under one fault are told apart by what varies among them; a factor that
makes no difference to the wait is named once and left out of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.core.experiment.factors.catalogue import COMMON
from repro.core.intervals import ratio_of_means
from repro.core.matrix.lockstep import Levels, Names, apart, lockstep, merged
from repro.model import (
    CellResult,
    CellVerdict,
    Condition,
    ConditionKind,
    HangClass,
    Level,
    NoEffect,
    Trial,
    Verdict,
    Wait,
)

FAULT, POLL, CONNECT, READ = "fault", "wait_time_seconds", "connect_timeout", "read_timeout"
ALIKE_S = 1.0
ALIKE = 1.5
MOST_FAULTS = 12


@dataclass(frozen=True, kw_only=True)
class LongestWait:
    """The longest waits of cells that are told as one: between ``least_s`` and ``most_s``.

    ``told_by`` are the levels that tell these cells from the others, each of a factor or of several in lockstep.
    The rest is of the cell that waited longest: ``goes_on`` when the wait had no end yet at the verdict of a hang,
    of ``hang_class``, which ends after ``at_most_s`` if ever; of its ``ended`` operations ``failed`` failed.
    """

    told_by: tuple[Mapping[str, Level], ...]
    least_s: float
    most_s: float
    goes_on: bool
    hang_class: HangClass | None
    at_most_s: float | None
    failed: int
    ended: int


@dataclass(frozen=True, kw_only=True)
class FaultWaits:
    """The waits under one fault, the longest first, and the factors that made no difference to them."""

    fault: Level
    waits: tuple[LongestWait, ...]
    no_effect: tuple[NoEffect, ...]


@dataclass(frozen=True, kw_only=True)
class PollWaits:
    """The waits without a fault where the long poll may take longer than the read timeout allows; none: it did no harm.

    With the shortest read timeout that allows the poll, ``calm_timeout``, the longest wait is ``calm_s``, and
    nothing fails.
    """

    poll: Level
    read_timeout: Level
    waits: tuple[LongestWait, ...] = ()
    calm_timeout: float | None = None
    calm_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TimeoutPrice:
    """What a shorter timeout costs where nothing is wrong: two cells that differ in it alone.

    ``ratio`` is how many times the operations a second of the longer one there were, between ``low`` and ``high``;
    None where it cost ``failed`` of ``ended`` operations.
    """

    shorter: Mapping[str, Level]
    longer: Mapping[str, Level]
    shorter_s: float
    longer_s: float
    failed: int
    ended: int
    ratio: float | None = None
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TimeoutWorth:
    """All of that for a run; ``left_out`` counts the faults beyond those."""

    faults: tuple[FaultWaits, ...] = ()
    left_out: int = 0
    polls: tuple[PollWaits, ...] = ()
    prices: tuple[TimeoutPrice, ...] = ()


@dataclass(frozen=True)
class WaitingCell:
    """A cell by its waits; ``rates`` are its operations in each second, ``telling`` the trial that waited longest."""

    levels: Mapping[Names, Levels]
    factors: Mapping[str, Level]
    verdict: CellVerdict
    wait: Wait
    rates: tuple[int, ...]
    ended: int
    failed: int
    telling: Trial

    @property
    def outpolls(self) -> bool:
        """Whether its long poll takes longer than its read timeout allows."""
        return float(self.factors.get(POLL, 0)) > float(self.factors.get(READ, float("inf")))


@dataclass(frozen=True)
class Span:
    """Cells whose waits are told as one, by the levels that tell them from the others."""

    levels: Mapping[Names, Levels]
    cells: tuple[WaitingCell, ...]

    @property
    def longest(self) -> WaitingCell:
        """The cell that waited longest."""
        return max(self.cells, key=lambda one: one.wait.seconds)


def timeout_worth(results: Sequence[CellResult], varied: Sequence[str]) -> TimeoutWorth:
    """The table; empty where neither a fault nor a timeout varies, or no wait is known."""
    if COMMON.of_waits.isdisjoint(varied):
        return TimeoutWorth()
    tried = [result for result in results if any(trial.longest_wait for trial in result.trials)]
    groups = lockstep([{name: result.cell.factors.get(name, "") for name in varied} for result in tried], varied)
    cells = [_waiting(result, varied, groups) for result in tried]
    faulty = [cell for cell in cells if cell.factors.get(FAULT)]
    healthy = [cell for cell in cells if not cell.factors.get(FAULT)]
    faults = list(dict.fromkeys(cell.factors[FAULT] for cell in faulty))
    return TimeoutWorth(
        faults=tuple(_under_fault(fault, faulty) for fault in faults[:MOST_FAULTS]),
        left_out=len(faults[MOST_FAULTS:]),
        polls=tuple(_polls([cell for cell in healthy if cell.outpolls], healthy)),
        prices=tuple(_prices([cell for cell in healthy if not cell.outpolls])),
    )


# A cell


def _waiting(result: CellResult, varied: Sequence[str], groups: Sequence[Names]) -> WaitingCell:
    factors = result.cell.factors
    telling = max(result.trials, key=lambda trial: trial.longest_wait.seconds if trial.longest_wait else -1.0)
    assert telling.longest_wait is not None  # noqa: S101  # chosen for having one
    return WaitingCell(
        levels=merged({name: factors.get(name, "") for name in varied}, groups),
        factors=factors,
        verdict=result.verdict,
        wait=telling.longest_wait,
        rates=_rates(result),
        ended=sum(trial.operations.ended for trial in result.trials),
        failed=sum(trial.operations.failed for trial in result.trials),
        telling=telling,
    )


def _rates(result: CellResult) -> tuple[int, ...]:
    """Operations of each whole second of the load as asked for, the first left out: users are being started in it."""
    seconds = float(result.cell.factors.get("seconds", 0))
    return tuple(
        moment.ended
        for trial in result.trials
        if trial.verdict is Verdict.CLEAN
        for moment in trial.timeline
        if 1 <= moment.second < seconds
    )


# Under a fault


def _under_fault(fault: Level, faulty: Sequence[WaitingCell]) -> FaultWaits:
    spans, no_effect = _told([cell for cell in faulty if cell.factors[FAULT] == fault])
    return FaultWaits(fault=fault, waits=_rows(spans), no_effect=tuple(no_effect))


def _told(cells: Sequence[WaitingCell]) -> tuple[list[Span], list[NoEffect]]:
    """The cells as few spans, the longest wait first, and the factors that make no difference to it."""
    names = [name for name in cells[0].levels if len({cell.levels[name] for cell in cells}) > 1]
    spans = [Span({name: cell.levels[name] for name in names}, (cell,)) for cell in cells]
    no_effect: list[NoEffect] = []
    for name in reversed(names):
        sets = _without(spans, name)
        tried = [group for group in sets.values() if len(group) > 1]
        if tried and all(_is_alike(group) for group in tried):
            no_effect.insert(0, NoEffect(factors=name, under=_tried_with(tried, spans, name)))
            spans = [_joined(group, name) for group in sets.values()]
    return sorted(spans, key=lambda span: -span.longest.wait.seconds), no_effect


def _tried_with(tried: Sequence[Sequence[Span]], spans: Sequence[Span], name: Names) -> tuple[Condition, ...]:
    """The timeout with which alone the factor was varied; empty where there is no other."""
    for other in spans[0].levels:
        levels = {group[0].levels[other] for group in tried}
        if other != name and READ in other and len(levels) == 1 and len({span.levels[other] for span in spans}) > 1:
            return (Condition(kind=ConditionKind.EQUAL, levels=(apart(other, levels.pop()),)),)
    return ()


def _without(spans: Sequence[Span], name: Names) -> dict[tuple[Levels, ...], list[Span]]:
    groups: dict[tuple[Levels, ...], list[Span]] = {}
    for span in spans:
        groups.setdefault(tuple(level for other, level in span.levels.items() if other != name), []).append(span)
    return groups


def _joined(spans: Sequence[Span], name: Names) -> Span:
    levels = {other: level for other, level in spans[0].levels.items() if other != name}
    return Span(levels, tuple(cell for span in spans for cell in span.cells))


def _is_alike(spans: Sequence[Span]) -> bool:
    waits = [cell.wait.seconds for span in spans for cell in span.cells]
    kinds = {(cell.wait.has_ended, cell.verdict) for span in spans for cell in span.cells}
    return len(kinds) == 1 and (max(waits) - min(waits) <= ALIKE_S or max(waits) <= ALIKE * min(waits))


def _rows(spans: Sequence[Span]) -> tuple[LongestWait, ...]:
    return tuple(_row(span, spans) for span in spans)


def _row(span: Span, spans: Sequence[Span]) -> LongestWait:
    cell, hang = span.longest, span.longest.telling.hang
    return LongestWait(
        told_by=_label(span, spans),
        least_s=min(one.wait.seconds for one in span.cells),
        most_s=cell.wait.seconds,
        goes_on=not cell.wait.has_ended and cell.verdict is CellVerdict.HANG,
        hang_class=hang.hang_class if hang else None,
        at_most_s=hang.bound.at_most_s if hang else None,
        failed=cell.failed,
        ended=cell.ended,
    )


def _label(span: Span, spans: Sequence[Span]) -> tuple[Mapping[str, Level], ...]:
    """The levels that tell it from the other spans, without those that it can do without; its timeouts always stand."""
    names = list(span.levels)
    for name in reversed(names[:]):
        rest = [other for other in names if other != name]
        is_unique = sum(all(one.levels[other] == span.levels[other] for other in rest) for one in spans) == 1
        if is_unique and READ not in name and CONNECT not in name:
            names = rest
    return tuple(apart(name, span.levels[name]) for name in names)


# Without a fault


def _polls(cells: Sequence[WaitingCell], healthy: Sequence[WaitingCell]) -> Iterator[PollWaits]:
    """Where the long poll takes longer than the read timeout allows."""
    for poll, read in dict.fromkeys((cell.factors[POLL], cell.factors[READ]) for cell in cells):
        inside = [cell for cell in cells if (cell.factors[POLL], cell.factors[READ]) == (poll, read)]
        if not any(cell.failed or cell.wait.seconds > float(poll) + ALIKE_S for cell in inside):
            yield PollWaits(poll=poll, read_timeout=read)
            continue
        spans, _ = _told(inside)
        calm = [cell for cell in healthy if cell.factors[POLL] == poll and not cell.outpolls and not cell.failed]
        yield PollWaits(
            poll=poll,
            read_timeout=read,
            waits=_rows(spans),
            calm_timeout=min((float(cell.factors[READ]) for cell in calm), default=None),
            calm_s=max((cell.wait.seconds for cell in calm), default=0.0),
        )


def _prices(cells: Sequence[WaitingCell]) -> Iterator[TimeoutPrice]:
    for name in next((list(cell.levels) for cell in cells), []):
        if CONNECT in name or READ in name:
            for longer, shorter in _pairs(cells, name):
                yield _price(longer, shorter, name)


def _pairs(cells: Sequence[WaitingCell], name: Names) -> Iterator[tuple[WaitingCell, WaitingCell]]:
    """The cells with the longest and the shortest timeout among those that are alike in all else."""
    groups: dict[tuple[Levels, ...], list[WaitingCell]] = {}
    for cell in cells:
        groups.setdefault(tuple(level for other, level in cell.levels.items() if other != name), []).append(cell)
    for group in groups.values():
        ordered = sorted(group, key=lambda cell: float(cell.factors[READ]) + float(cell.factors[CONNECT]))
        longer, shorter = ordered[-1], ordered[0]
        has_throughput = longer.verdict is CellVerdict.CLEAN and any(longer.rates)
        if longer.levels[name] != shorter.levels[name] and has_throughput and shorter.verdict is not CellVerdict.HANG:
            yield longer, shorter


def _price(longer: WaitingCell, shorter: WaitingCell, name: Names) -> TimeoutPrice:
    is_failing = shorter.failed > longer.failed
    ratio, low, high = (None, 0.0, 0.0) if is_failing else ratio_of_means(shorter.rates, longer.rates)
    return TimeoutPrice(
        shorter=apart(name, shorter.levels[name]),
        longer=apart(name, longer.levels[name]),
        shorter_s=shorter.wait.seconds,
        longer_s=longer.wait.seconds,
        failed=shorter.failed,
        ended=shorter.ended,
        ratio=ratio,
        low=low,
        high=high,
    )
