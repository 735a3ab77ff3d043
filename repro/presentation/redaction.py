"""What must not leave the machine, taken out of every text of a report.

Names of users, homes and hosts are replaced where they stand; keys, tokens, account numbers, signed URLs and message bodies are known
by their shape. Better a word too many: what is redacted reads ``<account>``, ``<secret>``, ``<home>``, ``<user>``, ``<host>``, ``<body>``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

SHORTEST_NAME = 3
_COMMON = frozenset(
    {"root", "user", "localhost", "repro", "runner", "test", "locust", "python", "admin", "home", "app"}
)
"""Names that say nothing about anybody, and stand in stacks and paths for other reasons."""

_SECRET_NAME = r"[\w.-]*(?:SECRET|TOKEN|PASSWORD|PASSWD|PWD|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|AUTHORIZATION|SIGNATURE|COOKIE)[\w.-]*"  # noqa: S105  # names of secrets, no secret
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [^-]*-----.*?(?:-----END [^-]*-----|\Z)", re.DOTALL), "<secret>"),
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{12,}"), "<access-key>"),
    (re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?)[^\r\n'\"]+"), r"\1<secret>"),
    (re.compile(r"(?i)([?&](?:X-Amz-[\w-]+|Signature|AWSAccessKeyId|Expires|Key-Pair-Id|Policy)=)[^&\s'\"<>]+"), r"\1<secret>"),
    (re.compile(rf"(?i)(['\"]?\b{_SECRET_NAME}['\"]?\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;)}}\]]+)"), r"\1<secret>"),
    (re.compile(r"(?i)((?:Message)?Body['\"]?\s*[:=]\s*)(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s,;)}\]&]+)"), r"\1<body>"),
    (re.compile(r"(?is)(<Body>).*?(</Body>|\Z)"), r"\1<body>\2"),
    (re.compile(r"://[^/\s:@]+:[^/\s@]+@"), "://<secret>@"),
    (re.compile(r"(?<![\w.])\d{12}(?![\w.]|\d)"), "<account>"),
    (re.compile(r"(/(?:home|Users)/)[^/\s:'\"]+"), r"\1<user>"),
    (re.compile(r"(?<![A-Za-z0-9+/=])(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[a-z])(?=[A-Za-z0-9+/]*\d)[A-Za-z0-9+/]{40,}={0,2}(?![A-Za-z0-9+/=])"), "<secret>"),
)  # fmt: skip
_IDENTIFIERS = frozenset({"id", "run_id", "fingerprint", "schema", "cell", "cells"})
"""Keys of the document whose values this program made: hashes, which may look like anything."""

Redact = Callable[[str], str]


def redactor(*, users: Sequence[str] = (), homes: Sequence[str] = (), hosts: Sequence[str] = ()) -> Redact:
    """A function that redacts a text, knowing these names."""
    places = [
        (re.compile(rf"{re.escape(home.rstrip('/'))}(?![\w-])"), "<home>") for home in homes if len(home.strip("/")) > 1
    ]
    names = [*[(name, "<user>") for name in users], *[(name, "<host>") for name in hosts]]
    known = [
        (re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), word)
        for name, word in names
        if len(name) >= SHORTEST_NAME and name.lower() not in _COMMON
    ]
    rules = (*places, *_SHAPES, *known)

    def redact(text: str) -> str:
        for pattern, replacement in rules:
            text = pattern.sub(replacement, text)
        return text

    return redact


def of_this_machine() -> Redact:
    """The redactor that knows who and where this is."""
    import getpass
    import os
    import platform
    from pathlib import Path

    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        user = os.environ.get("USER", "")
    host = platform.node()
    return redactor(users=(user,), homes=(str(Path.home()),), hosts=(host, host.partition(".")[0]))


def redacted(value: Any, redact: Redact, *, key: str = "") -> Any:
    """A document with every text in it redacted, keys of mappings too; numbers and identifiers of ours stay."""
    if isinstance(value, str):
        return value if key in _IDENTIFIERS else redact(value)
    if isinstance(value, Mapping):
        return {redact(str(name)): _entry(str(name), item, redact) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(item, redact, key=key) for item in value]
    return value


def _entry(name: str, item: Any, redact: Redact) -> Any:
    if name.startswith("env.") and isinstance(item, str) and item:
        return "<secret>" if re.fullmatch(_SECRET_NAME, name, re.IGNORECASE) else redact(item)
    return redacted(item, redact, key=name)
