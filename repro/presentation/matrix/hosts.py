"""Whether the machine is a factor, in English: hosts that do not agree with the others, and a cell's rates by host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repro.core.matrix.hosts import HostEffect, HostRate, host_effects
from repro.model import Interval, StoredRun
from repro.presentation.lines import AnswerLine
from repro.presentation.rates import rate_text


def host_lines(run: StoredRun) -> Iterator[AnswerLine]:
    """A line for each host that does not agree with the others."""
    yield from (AnswerLine("Hosts:", effect_text(one)) for one in host_effects(run.cells, run.plan.effort.until))


def effect_text(effect: HostEffect) -> str:
    """``host-2 hung in 8 of 9 trials, other hosts in 1 of 18 of the same cells (exact test, p = 0.0002): …``."""
    p = "p < 0.0001" if effect.p < 1e-4 else f"p = {effect.p:.2g}"
    return (
        f"{effect.host} hung in {effect.hangs} of {effect.trials} trials, other hosts in {effect.hangs_of_others} of "
        f"{effect.trials_of_others} of the same cells (exact test, {p}): the machine is a factor, so compare cells "
        "on one host"
    )


def rate_and_hosts(rate: Interval | None, hosts: Sequence[HostRate]) -> str:
    """A cell's rate, and beside it those of the hosts, where several tried it."""
    return "; ".join(filter(None, (rate_text(rate), rates_text(hosts))))


def rates_text(rates: Sequence[HostRate]) -> str:
    """``host-1 2 of 3, host-2 0 of 3``; empty where one host tried the cell."""
    return ", ".join(f"{rate.host} {rate.hangs} of {rate.trials}" for rate in rates)
