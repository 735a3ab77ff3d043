"""Where the value beside a name ends: in Python's repr, JSON in JSON, a form's body, or cut off in the middle."""

from __future__ import annotations

import re
from collections.abc import Callable

_OPENING = re.compile(r"(?:[bBrRuUfF]{1,2}(?=['\"]))?(?:(\\*)(['\"])|([{\[(]))")
_IN_BRACKETS = re.compile(r"(\\*)(['\"])|([{\[(])|([}\])])")
_BARE = re.compile(r"[^\s;)}\]<&'\"`]*")
_SCHEME = re.compile(r"(?i)(?:(?:basic|bearer|token|negotiate)\s+)?")
MARKER = re.compile(r"<[a-z-]+>")


def replaced(text: str, names: re.Pattern[str], word: str, *, is_bare_too: bool) -> str:
    """The text with ``word`` in the place of every value that follows a match of ``names``.

    A value is a literal, whatever brackets hold, or, where ``is_bare_too``, all up to the next blank or sign that
    ends it. One that was cut off ends with the text. Each character is looked at once: what was replaced is not
    searched again.
    """
    parts: list[str] = []
    done = 0
    for found in names.finditer(text):
        begin = found.end()
        if begin < done or MARKER.match(text, begin):
            continue
        end = _end(text, begin, is_bare_too=is_bare_too)
        if end > begin:
            parts += (text[done:begin], _quoted(text[begin:end], word))
            done = end
    return "".join((*parts, text[done:])) if parts else text


def _quoted(value: str, word: str) -> str:
    """The word in the quotes that the value had, so that JSON and Python stay what they are."""
    opening = _OPENING.match(value)
    if opening is None or not opening[2]:
        return word
    quote = opening[1] + opening[2]
    return f"{quote}{word}{quote}"


def _end(text: str, begin: int, *, is_bare_too: bool) -> int:
    opening = _OPENING.match(text, begin)
    if opening is None:
        return _bare_end(text, begin) if is_bare_too else begin
    if opening[2]:
        return _literal_end(text, opening.end(), quote=opening[2], escapes=len(opening[1]))
    return _bracket_end(text, opening.end())


def _bare_end(text: str, begin: int) -> int:
    scheme = _SCHEME.match(text, begin)
    found = _BARE.match(text, scheme.end() if scheme else begin)
    end = found.end() if found else begin
    while end > begin and text[end - 1] in ",.":
        end -= 1
    return end


def _literal_end(text: str, begin: int, *, quote: str, escapes: int) -> int:
    """Behind the quote that closes: one escaped as often as the first was, or not at all."""
    if text.startswith(quote * 2, begin) and not escapes:
        closing = text.find(quote * 3, begin + 2)
        return len(text) if closing < 0 else closing + 3
    at = text.find(quote, begin)
    while at >= 0:
        backslashes = len(text[begin:at]) - len(text[begin:at].rstrip("\\")) if text[at - 1] == "\\" else 0
        if (backslashes <= escapes) if escapes else not backslashes % 2:
            return at + 1
        at = text.find(quote, at + 1)
    return len(text)


def _bracket_end(text: str, begin: int) -> int:
    depth, at = 1, begin
    while depth and (found := _IN_BRACKETS.search(text, at)):
        at = found.end()
        if found[2]:
            at = _literal_end(text, at, quote=found[2], escapes=len(found[1]))
        else:
            depth += 1 if found[3] else -1
    return at if not depth else len(text)


def replacer(names: re.Pattern[str], word: str, *, is_bare_too: bool) -> Callable[[str], str]:
    """A function that does it."""
    return lambda text: replaced(text, names, word, is_bare_too=is_bare_too)
