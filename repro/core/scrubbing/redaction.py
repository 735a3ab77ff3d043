"""What must not leave the machine, taken out of every text of a report.

Names of users, homes and hosts are replaced where they stand; keys, tokens, account numbers, signed URLs, environment
variables and message bodies are known by their shape (``shapes.py``). Better a word too many: what is redacted reads
``<account>``, ``<secret>``, ``<home>``, …
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from repro.core.scrubbing.markers import Marker
from repro.core.scrubbing.names import SECRET_NAME
from repro.core.scrubbing.shapes import SHAPES
from repro.core.scrubbing.terminal import for_terminal
from repro.model import Level

SHORTEST_NAME = 2
SHORTEST_VALUE = 8
SHORTEST_LEVEL = 4
_OURS = frozenset(
    # Users and hosts of images and services
    "root user localhost repro runner test tests locust python admin home app ubuntu debian docker vagrant ci build"
    " worker main"
    # Words of reports, stacks and commands
    " run runs report hang hangs clean fail fails crash crashed frozen spinning deadlocked starved"
    " unstoppable unanswered untestable inconclusive cell cells trial trials seed set env json html junit"
    " md client server queue host name users stack stacks task tasks version release file line thread"
    " greenlet gevent urllib3 boto3 botocore requests moto aws sqs pip uv linux shared cli library"
    " process spawn work default http https true false none null self send get put time wait stop start"
    # Words of two letters
    " am an as at be by do go he if in is it me my no of on or so to up us we vs id io ip os py pc db js ms mb kb gb se"
    " de fd ok".split()
)
"""Ordinary words: a user or host of such a name is redacted only where it can be nothing else, as in ``name@host``."""

_IDENTIFIERS = frozenset(
    {"id", "fingerprint", "schema", "cell", "cells", "evidence", "file", "verdict", "hang_class", "kind", "cause"}
)
"""Fields of a report, and keys of a hunt's answer, with values of this program's making: hashes look like anything."""

_ESCAPED = re.compile(r"(?<!\\)\\+(?:x|u00)(3\d|[46][1-9A-Fa-f]|[57][0-9Aa])")

_PLAIN_KEY = re.compile(r"[a-z_]+")
"""Keys of ours, which programs read."""

Redact = Callable[[str], str]


def redactor(
    *,
    users: Sequence[str] = (),
    homes: Sequence[str] = (),
    hosts: Sequence[str] = (),
    secrets: Sequence[str] = (),
    places: Mapping[str, str] | None = None,
) -> Redact:
    """A function that redacts a text, knowing these names, these values, and places with the word for each.

    Control sequences go first: a key that one parts would come together again when a reader takes it out.
    """
    known = [(name, word) for name, word in (places or {}).items()] + [(home, Marker.HOME) for home in homes]
    folders = [
        (re.compile(rf"(?<![\w.-]){re.escape(name.rstrip('/'))}(?![\w-])"), word)
        for name, word in known
        if len(name.strip("/")) > 1
    ]
    values = [(re.compile(re.escape(value)), Marker.SECRET.value) for value in secrets if len(value) >= SHORTEST_VALUE]
    names = [
        (_whole(name), word)
        for some, word in ((users, Marker.USER), (hosts, Marker.HOST))
        for name in dict.fromkeys(some)
        if name
    ]

    @lru_cache(maxsize=20_000)
    def redact(text: str) -> str:
        text = _unescaped(for_terminal(text))
        for pattern, word in (*values, *folders):
            text = pattern.sub(word, text)
        small = text.lower()
        for shape in SHAPES:
            text = shape.applied(text, small)
        for pattern, word in names:
            text = pattern.sub(word, text)
        return text

    return redact


def _unescaped(text: str) -> str:
    """Letters and digits that a repr or JSON wrote as escapes, as themselves: a key may be written so, too."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "\\" in text else text


def _whole(name: str) -> re.Pattern[str]:
    """Where a name stands as a word; an ordinary word or a letter only beside an ``@``, ``user=`` or ``host=``."""
    word = re.escape(name)
    if len(name) >= SHORTEST_NAME and name.lower() not in _OURS:
        before = r"(?<![\w-])" if len(name) > SHORTEST_NAME else r"(?<![\w.-])"
        return re.compile(rf"{before}{word}(?![\w-])")
    at_host = rf"(?<![\w.@-]){word}(?=@[\w<])|(?<=[\w>]@){word}(?![\w-])"
    named = "".join(
        rf"|(?<=\b{key}{sign}){word}(?![\w-])"
        for key in ("user", "host", "USER", "HOSTNAME", "LOGNAME")
        for sign in "=:"
    )
    return re.compile(at_host + named)


def redacted(value: Any, redact: Redact, *, key: str = "") -> Any:
    """A record with every text in it redacted, names of factors too; numbers, enums, our keys and identifiers stay."""
    if key == "timeline":
        return value
    if type(value) is str:  # the members of an enum are words of ours
        return value if key in _IDENTIFIERS else redact(value)
    if isinstance(value, Mapping):
        return {_named(name, redact): _entry(name, item, redact) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(redacted(item, redact, key=key) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return dataclasses.replace(value, **{name: redacted(getattr(value, name), redact, key=name) for name in names})
    return value


def without_levels(redact: Redact, cells: Iterable[Mapping[str, Level]]) -> Redact:
    """The redactor that knows, besides, the levels that secret variables have in these cells, wherever they stand."""
    levels = {
        level
        for factors in cells
        for name, level in factors.items()
        if _is_secret(name) and isinstance(level, str) and len(level) >= SHORTEST_LEVEL
    }
    if not levels:
        return redact
    longest_first = sorted(levels, key=len, reverse=True)
    planted = re.compile("|".join(rf"(?<!\w){re.escape(level)}(?!\w)" for level in longest_first))
    return lambda text: redact(planted.sub(Marker.SECRET, text))


def _named(name: str, redact: Redact) -> str:
    return name if type(name) is not str or _PLAIN_KEY.fullmatch(name) else redact(name)


def _is_secret(name: str) -> bool:
    return name.startswith("env.") and re.fullmatch(SECRET_NAME, name, re.IGNORECASE) is not None


def _entry(name: str, item: Any, redact: Redact) -> Any:
    return Marker.SECRET.value if item and _is_secret(name) else redacted(item, redact, key=name)
