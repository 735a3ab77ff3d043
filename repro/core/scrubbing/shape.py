"""A kind of text that must not leave the machine, and how it is taken out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from repro.core.scrubbing.markers import Marker

Replace = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A kind of text that must not leave the machine.

    One of ``hints``, in small letters, is in every text that has it: looking for them first is what makes a large
    report quick. ``secret`` is the part of ``example`` that must go; ``stays`` looks like one and is none.
    """

    name: str
    replace: Replace
    example: str
    secret: str
    stays: str
    hints: tuple[str, ...] = ()

    def applied(self, text: str, small: str) -> str:
        """The text without it; ``small`` is the text in small letters."""
        return self.replace(text) if not self.hints or any(hint in small for hint in self.hints) else text


def sub(pattern: str, word: str | Callable[[re.Match[str]], str]) -> Replace:
    """A replacement by a regular expression.

    Its repetitions at the beginning are bounded: a cell may print a megabyte without a blank.
    """
    compiled = re.compile(pattern)
    return lambda text: compiled.sub(word, text)


def key(pattern: str, *, word: str = Marker.SECRET) -> Replace:
    """A replacement of a key that stands alone, not in the middle of a longer word."""
    return sub(rf"(?<![A-Za-z0-9]){pattern}", word)
