"""The fingerprint of a hang: two hangs of one kind have the same, whatever the counts, addresses and versions.

What goes into it, by what is the same in two runs of one hang:
  * ``frozen``: where the main thread stands. Whoever called it is chance. * ``spinning``: what the main thread, or
  while the event loop turns the largest group of users that run, has begun. Where in
    its loop it is caught is chance.
  * ``unstoppable``: where the users' death was dropped. Where they are found by then is chance: they are still running.
  * the others: what the largest group of the stuck users waits for, and where. Smaller groups come and go.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from repro.core.hang.frames import Frame
from repro.core.hang.groups import View, blocked_main, grouped, innermost, outermost, turning
from repro.findings import WaitKind
from repro.model import HangClass

DIGITS = 10


@dataclass(frozen=True)
class Telltale:
    """What tells a hang from another: its class, what is waited for, and the normalised frames that show it."""

    hang_class: HangClass
    kind: str
    frames: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Its short hash."""
        text = "\n".join((self.hang_class.value, self.kind, *self.frames))
        return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def telltale(
    hang_class: HangClass,
    views: Sequence[View],
    *,
    dropped: Sequence[tuple[str, ...]] = (),
    main_stack: Sequence[Frame] = (),
) -> Telltale:
    """What tells this hang.

    ``dropped`` are the frames of each user's death that was dropped, the outermost first; ``main_stack`` is the main
    thread's as another rung saw it, for a process whose own threads are silent.
    """
    if hang_class in {HangClass.FROZEN, HangClass.SPINNING}:
        return _of_main(hang_class, views, main_stack)
    if hang_class is HangClass.UNSTOPPABLE and dropped:
        most, _ = max(Counter(dropped).items(), key=lambda item: (item[1], item[0]))
        return Telltale(hang_class, "dropped", _entry(most))
    groups = grouped(views)
    if groups:
        return Telltale(hang_class, *groups[0].key)
    return _of_main(hang_class, views, main_stack)


def _of_main(hang_class: HangClass, views: Sequence[View], main_stack: Sequence[Frame]) -> Telltale:
    blocked = blocked_main(views)
    if hang_class is HangClass.SPINNING:
        user = turning(views)
        stack = blocked[1].stack if blocked else user.stack if user else main_stack
        return Telltale(hang_class, WaitKind.RUNNING, outermost(stack))
    if blocked is None:
        return Telltale(hang_class, WaitKind.UNKNOWN, innermost(main_stack))
    _, thread = blocked
    kind = thread.wait.kind if thread.wait is not None else WaitKind.RUNNING
    last = (thread.stack[-1].normalised,) if thread.stack else ()
    frames = last if thread.wait is not None else innermost(thread.stack)
    return Telltale(hang_class, kind, frames)


def _entry(frames: tuple[str, ...]) -> tuple[str, ...]:
    """Where the finalizer begins, without the ways in which it may go on."""
    own = [name for name in frames if not name.startswith(("weakref.py:", "python", "lib/"))]
    return tuple(own[:1] or frames[:1])
