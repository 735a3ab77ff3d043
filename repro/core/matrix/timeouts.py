"""What time-outs are worth, in words computed from a run's cells: the longest wait under each fault, and what they cost.

    under fault=no_answer:share=0.02 the longest wait was 60.3 s with time-outs of 60 s, 3.9 s with time-outs of 3 s

Said where a fault or a time-out varies. Cells under one fault are told apart by what varies among them; a factor that
makes no difference to the wait is named once and left out of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.core.experiment.levels import equal, lockstep, merged
from repro.core.intervals import ratio_of_means
from repro.model import CellResult, CellVerdict, HangClass, Level, Trial, Verdict, Wait

FAULT, POLL, CONNECT, READ = "fault", "wait_time_seconds", "connect_timeout", "read_timeout"
BOTH = f"{CONNECT} and {READ}"
TIME_OUTS = frozenset(
    {CONNECT, READ, POLL, "max_attempts", "retry_mode", "tcp_keepalive", "max_pool_connections"},
)
ALIKE_S = 1.0
ALIKE = 1.5
MOST_FAULTS = 12


@dataclass(frozen=True)
class Waited:
    """A cell as its waits are told: its levels of what varies, all its levels, its longest wait, its operations in each second."""

    levels: Mapping[str, Level]
    factors: Mapping[str, Level]
    verdict: CellVerdict
    wait: Wait
    rates: tuple[int, ...]
    ended: int
    failed: int
    bound: str

    @property
    def outpolls(self) -> bool:
        """Whether its long poll takes longer than its read time-out allows."""
        return float(self.factors.get(POLL, 0)) > float(self.factors.get(READ, float("inf")))


@dataclass(frozen=True)
class Span:
    """Cells whose waits are told as one, by the levels that tell them from the others."""

    levels: Mapping[str, Level]
    cells: tuple[Waited, ...]


def waits_in_words(results: Sequence[CellResult], varied: Sequence[str]) -> list[str]:
    """The sentences; none where neither a fault nor a time-out varies, or no wait is known."""
    if not TIME_OUTS.union({FAULT}).intersection(varied):
        return []
    tried = [result for result in results if any(trial.longest_wait for trial in result.trials)]
    groups = lockstep([{name: result.cell.factors.get(name, "") for name in varied} for result in tried], varied)
    cells = [_waited(result, varied, groups) for result in tried]
    healthy = [cell for cell in cells if not cell.factors.get(FAULT)]
    return [
        *_under_faults([cell for cell in cells if cell.factors.get(FAULT)]),
        *_polls([cell for cell in healthy if cell.outpolls], healthy),
        *_cost([cell for cell in healthy if not cell.outpolls]),
    ]


def bounds_in_words(results: Sequence[CellResult]) -> str:
    """What ends the hangs by itself: the longest bound, and how many cells it holds for; empty where nothing ends any."""
    hung = [result for result in results if result.verdict is CellVerdict.HANG]
    bounds = [max(most) for result in hung if (most := _bounds(result))]
    if not bounds:
        return ""
    said = f"gives up after at most {max(bounds):.0f} s"
    if len(bounds) == len(hung):
        return f"that hang is bounded: it {said}"
    return f"in {len(bounds)} of {len(hung)} cells that hang it is bounded: it {said}"


def _bounds(result: CellResult) -> list[float]:
    """The bounds of a cell's hangs; empty when there is one that nothing ends."""
    found = [trial.hang.bound.at_most_s for trial in result.trials if trial.hang]
    return [] if None in found else [bound for bound in found if bound is not None]


# A cell


def _waited(result: CellResult, varied: Sequence[str], groups: Mapping[str, tuple[str, ...]]) -> Waited:
    factors = result.cell.factors
    telling = max(result.trials, key=lambda trial: trial.longest_wait.seconds if trial.longest_wait else -1.0)
    assert telling.longest_wait is not None  # noqa: S101  # chosen for having one
    return Waited(
        levels=merged({name: factors.get(name, "") for name in varied}, groups),
        factors=factors,
        verdict=result.verdict,
        wait=telling.longest_wait,
        rates=_rates(result),
        ended=sum(trial.operations.ended for trial in result.trials),
        failed=sum(trial.operations.failed for trial in result.trials),
        bound=_bound(telling),
    )


def _bound(trial: Trial) -> str:
    if trial.hang is None or trial.hang.hang_class is not HangClass.UNANSWERED:
        return ""
    at_most_s = trial.hang.bound.at_most_s
    return "nothing ends it" if at_most_s is None else f"it gives up after at most {at_most_s:.0f} s"


def _rates(result: CellResult) -> tuple[int, ...]:
    """Operations of each whole second of the load as it was asked for, the first left out: users are being started in it."""
    seconds = float(result.cell.factors.get("seconds", 0))
    return tuple(
        moment.ended
        for trial in result.trials
        if trial.verdict is Verdict.CLEAN
        for moment in trial.timeline
        if 1 <= moment.second < seconds
    )


# Under a fault


def _under_faults(cells: Sequence[Waited]) -> Iterator[str]:
    faults = list(dict.fromkeys(str(cell.factors[FAULT]) for cell in cells))
    for fault in faults[:MOST_FAULTS]:
        spans, indifferent = _told([cell for cell in cells if cell.factors[FAULT] == fault])
        waits = ", ".join(_span(span, spans) for span in spans)
        yield f"under fault={fault} the longest wait was {waits}{_whatever(indifferent)}"
    if faults[MOST_FAULTS:]:
        yield f"{len(faults) - MOST_FAULTS} more faults are left out here"


def _whatever(indifferent: Mapping[str, str]) -> str:
    wheres = dict.fromkeys(indifferent.values())
    texts = [
        " and ".join(_name(name) for name in indifferent if indifferent[name] == where) + where for where in wheres
    ]
    return f", whatever the {', the '.join(texts)}" if texts else ""


def _told(cells: Sequence[Waited]) -> tuple[list[Span], dict[str, str]]:
    """The cells as few spans, the longest wait first, and the factors that make no difference to it, with where that was tried."""
    names = [name for name in cells[0].levels if len({cell.levels[name] for cell in cells}) > 1]
    spans = [Span({name: cell.levels[name] for name in names}, (cell,)) for cell in cells]
    indifferent: dict[str, str] = {}
    for name in reversed(names):
        sets = _without(spans, name)
        tried = [group for group in sets.values() if len(group) > 1]
        if tried and all(_is_alike(group) for group in tried):
            indifferent = {name: _where(tried, spans, name), **indifferent}
            spans = [_joined(group, name) for group in sets.values()]
    return sorted(spans, key=lambda span: -_longest(span)), indifferent


def _where(tried: Sequence[Sequence[Span]], spans: Sequence[Span], name: str) -> str:
    """The time-out with which alone the factor was varied; empty where there is no other."""
    for other in spans[0].levels:
        levels = {group[0].levels[other] for group in tried}
        if other != name and READ in other and len(levels) == 1 and len({span.levels[other] for span in spans}) > 1:
            return f" (tried with {_level(other, levels.pop())})"
    return ""


def _without(spans: Sequence[Span], name: str) -> dict[tuple[Level, ...], list[Span]]:
    groups: dict[tuple[Level, ...], list[Span]] = {}
    for span in spans:
        groups.setdefault(tuple(level for other, level in span.levels.items() if other != name), []).append(span)
    return groups


def _joined(spans: Sequence[Span], name: str) -> Span:
    levels = {other: level for other, level in spans[0].levels.items() if other != name}
    return Span(levels, tuple(cell for span in spans for cell in span.cells))


def _is_alike(spans: Sequence[Span]) -> bool:
    waits = [cell.wait.seconds for span in spans for cell in span.cells]
    kinds = {(cell.wait.has_ended, cell.verdict) for span in spans for cell in span.cells}
    return len(kinds) == 1 and (max(waits) - min(waits) <= ALIKE_S or max(waits) <= ALIKE * min(waits))


def _longest(span: Span) -> float:
    return max(cell.wait.seconds for cell in span.cells)


def _span(span: Span, spans: Sequence[Span]) -> str:
    label = _label(span, spans)
    return _wait(span) + (f" with {label}" if label else "")


def _wait(span: Span) -> str:
    waits = [cell.wait.seconds for cell in span.cells]
    low, high = f"{min(waits):.1f}", f"{max(waits):.1f}"
    cell = max(span.cells, key=lambda one: one.wait.seconds)
    text = f"{high} s" if low == high else f"{low} to {high} s"
    if not cell.wait.has_ended and cell.verdict is CellVerdict.HANG:
        return f"{text} and no end yet" + (f" ({cell.bound})" if cell.bound else "")
    return f"{text} and then a failure ({cell.failed} of {cell.ended} operations)" if cell.failed else text


def _label(span: Span, spans: Sequence[Span]) -> str:
    """The levels that tell it from the other spans, without those that it can do without; its time-outs always stand."""
    names = list(span.levels)
    for name in reversed(names[:]):
        rest = [other for other in names if other != name]
        is_unique = sum(all(one.levels[other] == span.levels[other] for other in rest) for one in spans) == 1
        if is_unique and READ not in name and CONNECT not in name:
            names = rest
    return " and ".join(_level(name, span.levels[name]) for name in names)


def _level(name: str, level: Level) -> str:
    """``time-outs of 3 s`` where both vary together and are the same."""
    values = str(level).split("/")
    return f"time-outs of {values[0]} s" if name == BOTH and len(set(values)) == 1 else equal(name, level)


def _name(name: str) -> str:
    return "time-outs" if name == BOTH else name


# Without a fault


def _polls(cells: Sequence[Waited], healthy: Sequence[Waited]) -> Iterator[str]:
    """Where the long poll takes longer than the read time-out allows."""
    for poll, read in dict.fromkeys((cell.factors[POLL], cell.factors[READ]) for cell in cells):
        inside = [cell for cell in cells if (cell.factors[POLL], cell.factors[READ]) == (poll, read)]
        pair = f"{POLL}={poll} beyond {READ}={read}"
        if not any(cell.failed or cell.wait.seconds > float(poll) + ALIKE_S for cell in inside):
            yield f"{pair} did no harm here: the polls were answered in time"
            continue
        spans, _ = _told(inside)
        waits = ", ".join(_span(span, spans) for span in spans)
        calm = [cell for cell in healthy if cell.factors[POLL] == poll and not cell.outpolls and not cell.failed]
        longest = max((cell.wait.seconds for cell in calm), default=0.0)
        reads = sorted({float(cell.factors[READ]) for cell in calm})
        calmly = f", but with {READ}={reads[0]:g} it is {longest:.1f} s and nothing fails" if reads else ""
        yield f"{pair} is a fault of its own: without any other the longest wait was {waits}{calmly}"


def _cost(cells: Sequence[Waited]) -> Iterator[str]:
    """What a shorter time-out costs where nothing is wrong: pairs of cells that differ in it alone."""
    for name in next((list(cell.levels) for cell in cells), []):
        if not {CONNECT, READ} & set(name.split(" and ")):
            continue
        for longer, shorter in _pairs(cells, name):
            yield _price(longer, shorter, name)


def _pairs(cells: Sequence[Waited], name: str) -> Iterator[tuple[Waited, Waited]]:
    """The cells with the longest and the shortest time-out among those that are alike in all else."""
    groups: dict[tuple[Level, ...], list[Waited]] = {}
    for cell in cells:
        groups.setdefault(tuple(level for other, level in cell.levels.items() if other != name), []).append(cell)
    for group in groups.values():
        ordered = sorted(group, key=lambda cell: float(cell.factors[READ]) + float(cell.factors[CONNECT]))
        longer, shorter = ordered[-1], ordered[0]
        is_pair = longer.levels[name] != shorter.levels[name]
        if (
            is_pair
            and longer.verdict is CellVerdict.CLEAN
            and any(longer.rates)
            and shorter.verdict is not CellVerdict.HANG
        ):
            yield longer, shorter


def _price(longer: Waited, shorter: Waited, name: str) -> str:
    short, long = _level(name, shorter.levels[name]), _level(name, longer.levels[name])
    waits = f"longest wait {shorter.wait.seconds:.1f} s against {longer.wait.seconds:.1f} s with {long}"
    if shorter.failed > longer.failed:
        return f"without a fault {short} cost {shorter.failed} of {shorter.ended} operations, {waits}"
    ratio, low, high = ratio_of_means(shorter.rates, longer.rates)
    what = "cost nothing that shows" if high >= 1 else "cost throughput"
    doubt = f"95 % interval {low:.2f} to {high:.2f}"
    return f"without a fault {short} {what}: {ratio:.2f} times the operations a second ({doubt}), {waits}"
