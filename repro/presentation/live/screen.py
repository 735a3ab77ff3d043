"""The part of a terminal that is drawn anew as a run proceeds, below what has been said and stays.

It is drawn by whoever calls ``tick``: a thread of its own would take the interpreter from the threads that judge.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from repro.core.scrubbing.terminal import for_terminal

REDRAW_S = 0.25
SILENCE_S = 30.0
"""Seconds without a line after which a line of progress is said where there is no terminal."""


class Screen:
    """``draw`` is what a terminal shows; ``progress`` is said in its own line elsewhere, after long silence."""

    def __init__(self, console: Console, *, draw: Callable[[], RenderableType], progress: Callable[[], str]) -> None:
        self._console = console
        self._draw, self._progress = draw, progress
        self._drawn_at = 0.0
        self._said_at = time.monotonic()
        self._live = (
            Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop")
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    @property
    def is_live(self) -> bool:
        """Whether it is a terminal."""
        return self._live is not None

    def say(self, text: str) -> None:
        """A line that stays."""
        self._said_at = time.monotonic()
        self._console.print(Text(for_terminal(text)), soft_wrap=True)

    def tick(self, *, at_once: bool = False) -> None:
        """Draw what has changed, a few times a second; elsewhere say something after long silence."""
        now = time.monotonic()
        if self._live is None:
            if now - self._said_at > SILENCE_S:
                self.say(self._progress())
        elif at_once or now - self._drawn_at > REDRAW_S:
            self._drawn_at = now
            self._live.update(self._draw(), refresh=True)


def line(text: str, *, style: str = "") -> Text:
    """A line of what is drawn; what does not fit is cut off."""
    return Text(for_terminal(text), style=style, overflow="ellipsis", no_wrap=True)
