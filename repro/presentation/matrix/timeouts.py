"""The effect of timeouts as text: the sentences of the conclusion, and the lines of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.core.experiment.factors.level_text import shown
from repro.core.matrix.timeouts import (
    CONNECT,
    POLL,
    READ,
    FaultWaits,
    LongestWait,
    PollWaits,
    TimeoutPrice,
    TimeoutWorth,
)
from repro.model import HangClass, Level, NoEffect
from repro.presentation.matrix.levels import factors_text, levels_text, short_factors_text

BOTH = frozenset({CONNECT, READ})
HEADS = ("fault", "with", "longest wait", "and then")


@dataclass(frozen=True)
class WaitLine:
    """A line of the table, under the headings ``HEADS``."""

    fault: str
    told_by: str
    longest: str
    then: str


def worth_sentences(worth: TimeoutWorth) -> list[str]:
    """The facts of the table in sentences; none where nothing is known."""
    left_out = [f"{worth.left_out} more faults are left out here"] if worth.left_out else []
    return [*map(_fault, worth.faults), *left_out, *map(_poll, worth.polls), *map(_price, worth.prices)]


def worth_lines(worth: TimeoutWorth) -> tuple[WaitLine, ...]:
    """The table: a line for each fault and what tells its cells apart, then polls, then what short timeouts cost."""
    return (
        *(line for fault in worth.faults for line in _lines(shown(fault.fault), fault.waits, _any_of(fault.no_effect))),
        *([WaitLine(f"{worth.left_out} more faults", "", "", "left out here")] if worth.left_out else []),
        *(line for poll in worth.polls for line in _poll_lines(poll)),
        *(line for price in worth.prices for line in _price_lines(price)),
    )


def _lines(fault: str, waits: Sequence[LongestWait], others: str = "") -> Iterator[WaitLine]:
    for wait in waits:
        told_by = ", ".join(text for text in (_told_by(wait), others) if text)
        yield WaitLine(fault, told_by, _seconds(wait), _then(wait))


def _any_of(no_effect: Sequence[NoEffect]) -> str:
    """``any retry_mode``: the factors that make no difference to a wait."""
    names = dict.fromkeys(short_factors_text(one.factors) for one in no_effect)
    return f"any {', '.join(names)}" if names else ""


def _poll_lines(poll: PollWaits) -> Iterator[WaitLine]:
    """The waits of polls beyond the read timeout, and how long it is with a timeout that allows them."""
    if not poll.waits:
        yield WaitLine(_beyond(poll), "", "", "the polls were answered in time")
        return
    yield from _lines(_beyond(poll), poll.waits)
    if poll.calm_timeout is not None:
        yield WaitLine(f"{POLL}={shown(poll.poll)}", f"{READ}={poll.calm_timeout:g}", f"{poll.calm_s:.1f} s", "")


def _price_lines(price: TimeoutPrice) -> Iterator[WaitLine]:
    if price.ratio is None:
        cost = f"{price.failed} of {price.ended} operations failed"
    else:
        cost = f"{price.ratio:.2f} times the operations a second (95 % CI {price.low:.2f}–{price.high:.2f})"
    yield WaitLine("none", _label(price.longer), f"{price.longer_s:.1f} s", "")
    yield WaitLine("none", _label(price.shorter), f"{price.shorter_s:.1f} s", cost)


def _beyond(poll: PollWaits) -> str:
    return f"{POLL}={shown(poll.poll)} beyond {READ}={shown(poll.read_timeout)}"


def _fault(found: FaultWaits) -> str:
    waits = ", ".join(map(_wait, found.waits))
    return f"under fault={shown(found.fault)} the longest wait was {waits}{_whatever(found.no_effect)}"


def _whatever(no_effect: Sequence[NoEffect]) -> str:
    """The factors that make no difference, those that were tried with the same timeout together."""
    wheres: dict[str, list[str]] = {}
    for one in no_effect:
        where = f" (tried with {_label(one.under[0].levels[0])})" if one.under else ""
        wheres.setdefault(where, []).append("timeouts" if set(one.factors) == BOTH else factors_text(one.factors))
    texts = [" and ".join(names) + where for where, names in wheres.items()]
    return f", whatever the {', the '.join(texts)}" if texts else ""


def _wait(wait: LongestWait) -> str:
    label, then = _told_by(wait), _then(wait)
    return _seconds(wait) + (f" and {then}" if then else "") + (f" with {label}" if label else "")


def _seconds(wait: LongestWait) -> str:
    low, high = f"{wait.least_s:.1f}", f"{wait.most_s:.1f}"
    return f"{high} s" if low == high else f"{low} to {high} s"


def _then(wait: LongestWait) -> str:
    """What came after the longest wait, if it ended in anything but an answer."""
    if wait.goes_on:
        return f"no end yet{_bound(wait)}"
    return f"then a failure ({wait.failed} of {wait.ended} operations)" if wait.failed else ""


def _bound(wait: LongestWait) -> str:
    if wait.hang_class is not HangClass.UNANSWERED:
        return ""
    return " (nothing ends it)" if wait.at_most_s is None else f" (it gives up after at most {wait.at_most_s:.0f} s)"


def _told_by(wait: LongestWait) -> str:
    return " and ".join(map(_label, wait.told_by))


def _label(levels: Mapping[str, Level]) -> str:
    """``timeouts of 3 s`` where both vary together and are the same."""
    values = set(levels.values())
    return f"timeouts of {shown(values.pop())} s" if set(levels) == BOTH and len(values) == 1 else levels_text(levels)


def _poll(found: PollWaits) -> str:
    pair = _beyond(found)
    if not found.waits:
        return f"{pair} did no harm here: the polls were answered in time"
    waits = ", ".join(map(_wait, found.waits))
    calmly = ""
    if found.calm_timeout is not None:
        calmly = f", but with {READ}={found.calm_timeout:g} it is {found.calm_s:.1f} s and nothing fails"
    return f"{pair} is a fault of its own: without any other the longest wait was {waits}{calmly}"


def _price(price: TimeoutPrice) -> str:
    short, long = _label(price.shorter), _label(price.longer)
    waits = f"longest wait {price.shorter_s:.1f} s against {price.longer_s:.1f} s with {long}"
    if price.ratio is None:
        return f"without a fault {short} cost {price.failed} of {price.ended} operations, {waits}"
    what = "cost nothing that shows" if price.high >= 1 else "cost throughput"
    doubt = f"95 % interval {price.low:.2f} to {price.high:.2f}"
    return f"without a fault {short} {what}: {price.ratio:.2f} times the operations a second ({doubt}), {waits}"
