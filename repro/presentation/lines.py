"""The lines of an answer, the same on the terminal, in Markdown and on the page; wraps text to a width.

HANGS    when stack=2024-03 and client=per-iteration                        4 of 4 cells
Clean:   6 cells, at least 3 trials and 6,700 operations each.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

HEAD = 8
BULLET = "- "
MEASURE = 88
"""Where a count ends at most: it still stands near its text on a wide terminal."""


_TOGETHER = re.compile(
    r"\b(and|or|in) (?=\S)"  # a line does not end with these
    r"|(?<=\d) (?=%|(?:s|ms|min|h)\b)"  # a number stands with its unit
    r"|(?<=\w) (?=[<>=]=? )|(?<=[<>=]) (?=\w)"  # a requirement is one word
    r"| (?=\(\S+ clean\)|clean\))"  # so is a condition with its clean neighbour
)
_GLUE = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class AnswerLine:
    """What a line is about (``HANGS``, ``Clean:``), what it says, and of how many; ``count`` is empty where none is.

    ``items`` are what stands below the text, a line each, such as alternatives of which each is enough.
    ``rest`` are further parts of the text; each begins a line where all of it does not fit on one.
    """

    head: str
    text: str
    count: str = ""
    items: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """The text with the rest of it."""
        return " ".join([self.text, *self.rest])

    @property
    def plain(self) -> str:
        """The line in running text: ``HANGS when client=shared (4 of 4 cells)``."""
        count = f" ({self.count})" if self.count else ""
        items = f": {'; or '.join(self.items)}" if self.items else ""
        return f"{self.head} {self.whole}".strip() + count + items


def laid_out(line: AnswerLine, *, width: int | None) -> str:
    """The line with its text beside its head, wrapped at ``width``; None wraps nothing, for no terminal."""
    head = f"{line.head:<{HEAD}} "
    first, *more = _texts(line, head, width)
    if line.count:
        first = f"{first:<{min(width or MEASURE, MEASURE) - len(line.count) - 2}}  {line.count}"
    return "\n".join([first, *more, *(row for item in line.items for row in _item(item, width))])


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
    colon = ":" if line.items else ""
    if width is None:
        return [f"{head}{line.whole}{colon}"]
    room = min(width, MEASURE if line.count else width) - (len(line.count) + 2 if line.count else 0)
    fits = len(head) + len(line.whole) + len(colon) <= room
    first, *more = [line.whole] if fits else [line.text, *line.rest]
    margin = " " * (HEAD + 1)
    rows = _wrapped(first, room, first=head, rest=margin)
    rows += [row for part in more for row in _wrapped(part, room, first=margin, rest=margin)]
    return [*rows[:-1], rows[-1] + colon]


def _item(text: str, width: int | None) -> list[str]:
    first = " " * (HEAD + 1) + BULLET
    return [first + text] if width is None else _wrapped(text, width, first=first, rest=" " * len(first))


def _begin(line: str, indent: str) -> str:
    return indent + line[: len(line) - len(line.lstrip())]


def _wrapped(text: str, width: int, *, first: str, rest: str) -> list[str]:
    """The text in lines; what belongs together, such as a number and its unit, is not parted."""
    rows = textwrap.wrap(
        _TOGETHER.sub(_glued, text),
        max(width, 20),
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )
    return [row.replace(_GLUE, " ") for row in rows] or [first.rstrip()]


def _glued(found: re.Match[str]) -> str:
    return found[0].replace(" ", _GLUE)


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 05 s``, ``2 h 30 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
