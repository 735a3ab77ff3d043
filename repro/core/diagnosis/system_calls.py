"""In what a thread waits, by the number of the system call in which it stands: a table of machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from repro.core.diagnosis.standstill import KernelWait


@dataclass(frozen=True)
class Calls:
    """A machine's numbers of system calls: ``futex``, those that wait for a child, those that poll for events."""

    futex: int
    waits: frozenset[int]
    polls: frozenset[int]


CALLS: Mapping[str, Calls] = {
    "x86_64": Calls(futex=202, waits=frozenset({61, 247}), polls=frozenset({232, 281})),
    "aarch64": Calls(futex=98, waits=frozenset({260, 95}), polls=frozenset({22})),
}


def wait_of(machine: str, number: int, limit: int) -> KernelWait:
    """In what a thread of this machine waits; ``limit`` is the call's fourth argument, a futex's time limit."""
    calls = CALLS.get(machine)
    if calls is None:
        return KernelWait.OTHER
    if number == calls.futex:
        return KernelWait.LOCK if limit == 0 else KernelWait.OTHER
    return KernelWait.CHILD if number in calls.waits else KernelWait.OTHER
