"""The lines of an answer, alike on the terminal, in Markdown and on the page, and how text is fitted to a width.

HANGS    when stack=2024-03 and client=per-iteration                        4 of 4 cells
Clean:   6 cells, at least 3 trials and 6,700 operations each.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

HEAD = 8
MEASURE = 88
"""Where a count ends at most: it still stands near its text on a wide terminal."""


@dataclass(frozen=True)
class AnswerLine:
    """What a line is about (``HANGS``, ``Clean:``), what it says, and of how many; ``count`` is empty where none is."""

    head: str
    text: str
    count: str = ""

    @property
    def plain(self) -> str:
        """The line in running text: ``HANGS when client=shared (4 of 4 cells)``."""
        return f"{self.head} {self.text}".strip() + (f" ({self.count})" if self.count else "")


def laid_out(line: AnswerLine, *, width: int | None) -> str:
    """The line with its text beside its head, wrapped at ``width``; None keeps it on one line, for no terminal."""
    head = f"{line.head:<{HEAD}} "
    first, *more = _texts(line, head, width)
    if line.count:
        first = f"{first:<{min(width or MEASURE, MEASURE) - len(line.count) - 2}}  {line.count}"
    return "\n".join([first, *more])


def fitted(text: str, *, width: int | None, indent: str = "") -> str:
    """Text of several lines, each wrapped at ``width`` with what follows under its own beginning."""
    if width is None:
        return "\n".join(f"{indent}{line}" for line in text.splitlines())
    return "\n".join(
        "\n".join(_wrapped(line.strip(), width, first=_begin(line, indent), rest=f"{_begin(line, indent)}  "))
        for line in text.splitlines()
    )


def _texts(line: AnswerLine, head: str, width: int | None) -> list[str]:
    """The head with the text; where there is a count, no line of the text reaches under it."""
    if width is None:
        return [head + line.text]
    room = min(width, MEASURE if line.count else width) - (len(line.count) + 2 if line.count else 0)
    return _wrapped(line.text, room, first=head, rest=" " * (HEAD + 1))


def _begin(line: str, indent: str) -> str:
    return indent + line[: len(line) - len(line.lstrip())]


def _wrapped(text: str, width: int, *, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, max(width, 20), initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    ) or [first.rstrip()]


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 05 s``, ``2 h 30 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
