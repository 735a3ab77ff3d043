"""Whether the load of a run was as much as its backend carries: then what waited may have waited for the backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repro.core.course.timeline import throughput
from repro.model import CellResult

NEAR = 0.9


def at_capacity(results: Sequence[CellResult], capacities: Mapping[str, float], *, jobs: int) -> list[str]:
    """A sentence for each backend that was loaded to its capacity, in operations a second with nothing else on.

    Trials side by side share a backend, so a trial's own throughput counts ``jobs`` times: rather too early than
    too late.
    """
    found = []
    for name, carries in capacities.items():
        rates = [
            throughput(trial, float(result.cell.settings["seconds"])) * jobs
            for result in results
            if result.cell.settings.get("backend") == name
            for trial in result.trials
        ]
        full = [rate for rate in rates if rate >= NEAR * carries]
        if full:
            found.append(
                f"{len(full)} of {len(rates)} trials loaded {name} to its capacity (up to {max(full):.0f} of about "
                f"{carries:.0f} operations a second): users may have waited for it; give fewer users "
                "or a think_time, or use --jobs 1"
            )
    return found
