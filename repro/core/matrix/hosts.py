"""Whether the machine is a factor: hang rates by host, and hosts that hang oftener or less often in the same cells.

Cells differ in how often they hang, and hosts tried them unequally often, so that hosts are compared within each cell
alone. Given how many of a cell's trials hung, and how many of them each host made, it is known how likely each share of
those hangs is for a host that is like the others (the hypergeometric distribution); the cells' distributions are
convolved. That is exact, however few trials there are (R. A. Fisher, 1935; stratified as by N. Mantel and W. Haenszel).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from repro.core.intervals import CONFIDENCE
from repro.model import CellResult, Trial, Until, Verdict


@dataclass(frozen=True, kw_only=True)
class HostRate:
    """How many of a host's trials of a cell hung, of those that count."""

    host: str
    hangs: int
    trials: int


@dataclass(frozen=True, kw_only=True)
class HostEffect:
    """A host whose rate differs from that of the others in the same cells, by chance with probability ``p``."""

    host: str
    hangs: int
    trials: int
    hangs_of_others: int
    trials_of_others: int
    p: float


def host_rates(result: CellResult) -> tuple[HostRate, ...]:
    """The rates of a cell by host; none where a single one tried it, or where it is not known which."""
    trials = [trial for trial in result.trials if trial.verdict.counts_in_rate]
    hosts = sorted({trial.machine for trial in trials})
    if len(hosts) < 2 or "" in hosts:
        return ()
    return tuple(_rate(host, [trial for trial in trials if trial.machine == host]) for host in hosts)


def _rate(host: str, trials: Sequence[Trial]) -> HostRate:
    return HostRate(host=host, hangs=sum(one.verdict is Verdict.HANG for one in trials), trials=len(trials))


def host_effects(results: Sequence[CellResult], until: Until) -> tuple[HostEffect, ...]:
    """The hosts that do not agree with the others, where all are compared with 95 % confidence together.

    Unless every trial was made, only the first one of a cell on each host counts: a host that sees a hang stops
    trying, and would seem to hang oftener.
    """
    tables = [rates for result in results if (rates := host_rates(_comparable(result, until)))]
    hosts = sorted({rate.host for rates in tables for rate in rates})
    effects = [_effect(host, tables) for host in hosts]
    comparisons = 1 if len(hosts) == 2 else len(hosts)
    found = [one for one in effects if one.p * comparisons <= 1 - CONFIDENCE]
    return tuple(found[:1] if len(hosts) == 2 else found)


def _comparable(result: CellResult, until: Until) -> CellResult:
    if until is Until.ALL:
        return result
    first: dict[str, Trial] = {}
    for trial in sorted(result.trials, key=lambda one: one.started):
        if trial.verdict.counts_in_rate:
            first.setdefault(trial.machine, trial)
    return CellResult(cell=result.cell, trials=tuple(first.values()), verdict=result.verdict, rate=result.rate)


def _effect(host: str, tables: Iterable[Sequence[HostRate]]) -> HostEffect:
    own, others, distribution = HostRate(host=host, hangs=0, trials=0), HostRate(host="", hangs=0, trials=0), [1.0]
    for rates in tables:
        here = next((rate for rate in rates if rate.host == host), None)
        if here is None:
            continue
        own = _sum(own, here)
        for rate in rates:
            others = others if rate is here else _sum(others, rate)
        hangs, trials = sum(rate.hangs for rate in rates), sum(rate.trials for rate in rates)
        distribution = _convolved(distribution, _hypergeometric(hangs, trials, here.trials))
    observed = distribution[own.hangs]
    p = sum(chance for chance in distribution if chance <= observed * (1 + 1e-9))
    return HostEffect(
        host=host, hangs=own.hangs, trials=own.trials, hangs_of_others=others.hangs, trials_of_others=others.trials,
        p=min(1.0, p),
    )  # fmt: skip


def _sum(one: HostRate, other: HostRate) -> HostRate:
    return HostRate(host=one.host, hangs=one.hangs + other.hangs, trials=one.trials + other.trials)


def _hypergeometric(hangs: int, trials: int, own: int) -> list[float]:
    """The chances that none, one, two … of the hangs are among a host's ``own`` trials."""
    whole = math.comb(trials, own)
    return [math.comb(hangs, k) * math.comb(trials - hangs, own - k) / whole for k in range(min(hangs, own) + 1)]


def _convolved(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    found = [0.0] * (len(ones) + len(others) - 1)
    for at, one in enumerate(ones):
        for by, other in enumerate(others):
            found[at + by] += one * other
    return found
