"""What a worker says of itself before it gets a trial, and whether several can be one run's.

The same experiment on another interpreter is another experiment, so that all workers must have the same ones. One that
lacks an interpreter which others have takes no part: the others' cells would differ in their machine, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from repro.errors import UsageError
from repro.model import Machine


@dataclass(frozen=True, kw_only=True)
class WorkerReport:
    """A worker: its address, the trials that it runs at once, its machine.

    ``interpreters`` maps what the run's environments ask for to the full version that is there, ``lacks`` to the reason
    why there is none. ``debugger_refusal`` says why no debugger may attach, empty where one may.
    """

    address: str
    slots: int
    machine: Machine
    interpreters: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    debugger_refusal: str = ""


def check_version(versions: Mapping[str, str], *, own: str) -> None:
    """Refuse workers with another version of repro; ``versions`` by address, empty where there is none.

    Raises:
        UsageError: names the first, and what to do.
    """
    for address, version in versions.items():
        if version != own:
            raise UsageError(version_text(address, version, own=own))


def version_text(address: str, version: str, *, own: str) -> str:
    """What is said of a worker with another version of repro, or none."""
    there = f"has repro {version}" if version else "cannot import repro"
    return f"the worker {address} {there}, and this is repro {own}; install the same version of repro-hangs there"


def check_interpreters(reports: Sequence[WorkerReport]) -> None:
    """Refuse workers whose interpreters differ.

    Raises:
        UsageError: names two of them, and what to do.
    """
    for report in reports[1:]:
        if text := difference(reports[0], report):
            raise UsageError(text)


def difference(one: WorkerReport, other: WorkerReport) -> str:
    """What is said of two workers whose interpreters differ; empty where they do not."""
    for asked in one.interpreters.keys() & other.interpreters.keys():
        first, second = one.interpreters[asked], other.interpreters[asked]
        if first != second:
            return (
                f"Python {asked} is {first} on {_name(one)} and {second} on {_name(other)}, which would be two "
                f"experiments; install the same on both, or --set python={first.partition(',')[0]}"
            )
    return ""


def set_aside(reports: Sequence[WorkerReport]) -> Mapping[str, str]:
    """The workers that take no part, by address, and what is said of each."""
    wanted = {asked for report in reports for asked in report.interpreters}
    return {report.address: text for report in reports if (text := lack_text(report, wanted))}


def lack_text(report: WorkerReport, wanted: set[str]) -> str:
    """What is said of a worker without an interpreter that another one has; empty where it has all."""
    missing = [asked for asked in report.lacks if asked in wanted]
    return f"{_name(report)} gets no trials: {report.lacks[missing[0]]}" if missing else ""


def notes_on(report: WorkerReport) -> Iterator[str]:
    """What else must be known of a worker."""
    if report.debugger_refusal:
        yield f"{_name(report)}: a hang will lack the debugger's stacks: {report.debugger_refusal}"


def lost_text(report: WorkerReport, *, trials: int) -> str:
    """What is said of a worker that is gone, with so many trials under way."""
    made = "its trial is" if trials == 1 else f"its {trials} trials are"
    return f"{_name(report)} is gone; {made} made again" if trials else f"{_name(report)} is gone"


def _name(report: WorkerReport) -> str:
    return f"{report.machine.host} ({report.address})"
