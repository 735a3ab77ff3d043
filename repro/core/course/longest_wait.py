"""The longest wait of a trial, from its samples: the flight record tells when each operation in flight began."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from repro.core.judge.samples import Reading, Slot
from repro.model import Wait

_Key = tuple[int, int, float]


@dataclass
class LongestWait:
    """Fed with the living processes' readings, one after the other; ``wait`` is the longest so far, None before any.

    The end of an operation is seen where its user rests at a sample; where the next one has begun already, the wait is
    the one of the sample before, which is at most one period short.
    """

    wait: Wait | None = None
    _key: _Key | None = None

    def observe(self, living: Iterable[Reading], now: float) -> None:
        """Take a sample's readings of the processes that live."""
        still_waiting = False
        for key, slot in _slots(living):
            seconds = (now if slot.busy else slot.last_end) - slot.began
            if key == self._key or self.wait is None or seconds > self.wait.seconds:
                self._key, self.wait = key, _wait(slot, seconds)
                still_waiting = slot.busy
        if self.wait is not None and not still_waiting and not self.wait.has_ended:
            self.wait = replace(self.wait, has_ended=True)


def _slots(living: Iterable[Reading]) -> Iterator[tuple[_Key, Slot]]:
    for reading in living:
        for slot in reading.slots:
            # A slot that another user has taken over still shows an operation begun before this one was born.
            if slot.began >= slot.born and (slot.busy or slot.last_end >= slot.began):
                yield (reading.pid, slot.number, slot.began), slot


def _wait(slot: Slot, seconds: float) -> Wait:
    is_bounded = 0 < slot.ceiling_s < float("inf")
    return Wait(
        operation=slot.operation,
        seconds=max(0.0, seconds),
        has_ended=not slot.busy,
        poll_s=slot.poll_s,
        at_most_s=slot.ceiling_s if is_bounded else None,
    )
