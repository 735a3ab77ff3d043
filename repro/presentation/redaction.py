"""What must not leave the machine, taken out of every text of a report.

Names of users, homes and hosts are replaced where they stand; keys, tokens, account numbers, signed URLs, environment variables and
message bodies are known by their shape. Better a word too many: what is redacted reads ``<account>``, ``<secret>``, ``<home>``, …
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from repro.core.untrusted import for_terminal

SHORTEST_NAME = 3
SHORTEST_VALUE = 8
_COMMON = frozenset(
    {"root", "user", "localhost", "repro", "runner", "test", "locust", "python", "admin", "home", "app"}
)
"""Names that say nothing about anybody, and stand in stacks and paths for other reasons."""

_SECRET_WORD = r"(?:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PWD|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|AUTHORIZATION|SIGNATURE|COOKIE)"  # noqa: S105  # names of secrets, no secret
SECRET_NAME = rf"[\w.-]*{_SECRET_WORD}[\w.-]*"
_KEPT_VARIABLES = r"(?:REPRO_|PYTHON|GEVENT_|GREENLET_|LOCUST_SKIP_|LC_|LANG\b)"
"""Variables that change what a cell does and hold nothing of anybody."""

_KEPT_HOSTS = (
    r"(?:localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1\]|(?:[\w-]+\.)*(?:amazonaws\.com|github\.com|githubusercontent\.com"
    r"|python\.org|readthedocs\.io|locust\.io|gevent\.org|w3\.org|example\.(?:com|org)))"
)
"""Hosts that everybody knows."""

_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|\\\"(?:[^\"\\\n]|\\[^\"])*\\\""
_LITERAL = re.compile(_QUOTED)


def _without_literals(found: re.Match[str]) -> str:
    """A line of somebody's own file without its string literals: a body may be given as one, and nothing else tells it."""
    return _LITERAL.sub("'<text>'", found[0])


# Each shape goes with words of which one must be there, in small letters: looking for them first is what makes a large run's
# report quick. Every repetition at the beginning of a shape is bounded: a cell may print a megabyte without a blank.
_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    ((".py:",), re.compile(r"(?m)^[\w-]{1,100}\.py:\d+ \S+  .+$"), _without_literals),
    (("`",), re.compile(r"`[^`\n]*['\"][^`\n]*`"), _without_literals),
    (("-----begin",), re.compile(r"-----BEGIN [^-]*-----.*?(?:-----END [^-]*-----|\Z)", re.DOTALL), "<secret>"),
    ((), re.compile(r"(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{12,}"), "<access-key>"),
    (("eyj", "gh", "glpat", "xox", "fwog", "iqoj"), re.compile(r"\b(?:eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|gh[a-z]_\w{20,}|github_pat_\w+|glpat-[\w-]+|xox[a-z]-[\w-]+|(?:FwoG|IQoJ)[\w+/=-]{8,})"), "<secret>"),
    (("authorization",), re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*(?:b?['\"])?)[^\r\n'\"]+"), r"\1<secret>"),
    (("x-amz-", "signature", "awsaccesskeyid", "expires", "key-pair-id", "policy"), re.compile(r"(?i)([?&](?:X-Amz-[\w-]+|Signature|AWSAccessKeyId|Expires|Key-Pair-Id|Policy)=)[^&\s'\"<>]+"), r"\1<secret>"),
    ((), re.compile(rf"(?i)({_SECRET_WORD}[\w.-]{{0,64}}\\?['\"]?\s*[:=]\s*)b?({_QUOTED}|[^\s,;)}}\]<]+)"), r"\1<secret>"),
    (("body", "value"), re.compile(rf"((?i:(?:Message)?Body|StringValue|BinaryValue)\\?['\"]?\s*[:=]\s*)b?(?:{_QUOTED})"), r"\1<body>"),
    (("body",), re.compile(r"((?:Message)?Body(?:\.\w+)?=)[^&\s]+(?=&)"), r"\1<body>"),
    (("body",), re.compile(r"(\b(?:Message)?Body\\?['\"]?\s*[:=]\s*|(?i:\bmessage body)\s*[:=]?\s+)(?!\s*<body>)[^\r\n]+"), r"\1<body>"),
    (("<body>",), re.compile(r"(?s)(<Body>)(?!<body>).*?(</Body>|\Z)"), r"\1<body>\2"),
    (("=",), re.compile(rf"(?<![\w.<-])((?!{_KEPT_VARIABLES})[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*=)({_QUOTED}|[^\s'\",;)}}\]<]+)"), r"\1<value>"),
    (("':", '":'), re.compile(rf"(['\"])((?!{_KEPT_VARIABLES})[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)\1(: ?)(?:{_QUOTED})"), r"\1\2\1\3<value>"),
    (("://",), re.compile(r"://[^/\s:@]+:[^/\s@]+@"), "://<secret>@"),
    (("://",), re.compile(rf"(?i)(\b[a-z][a-z0-9+.-]{{0,20}}://)(?!{_KEPT_HOSTS}(?![\w.-]))(?!<)[\w.\[\]-]+"), r"\1<host>"),
    (("@",), re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "<user>@<host>"),
    (("ip-",), re.compile(r"\bip-\d+-\d+-\d+-\d+\b(?:\.[\w.-]+)?"), "<host>"),
    ((".internal", ".local", ".lan", ".corp", ".intra"), re.compile(r"\b[\w-]{1,63}(?:\.[\w-]{1,63}){0,6}\.(?:internal|local|lan|corp|intra|intranet)\b"), "<host>"),
    ((), re.compile(r"(?<![\w.])(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2}(?!\w|\.\d)"), "<host>"),
    ((), re.compile(r"\d{12}(?<![A-Za-z0-9.]\d{12})(?![A-Za-z0-9]|\.\d)|(?<![\w-])\d{4}-\d{4}-\d{4}(?![\w-])"), "<account>"),
    (("linux-",), re.compile(r"(Linux-\d+(?:\.\d+){1,2})[\w.+-]{1,80}?(-(?:x86_64|aarch64|arm64|i686))"), r"\1\2"),
    (("/home/", "/users/", "\\users\\"), re.compile(r"((?:/(?:home|Users)/|[A-Za-z]:\\Users\\))(?!<)[^/\\\s:'\"]+"), r"\1<user>"),
    ((), re.compile(r"(?<![A-Za-z0-9+/])(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[a-z])(?=[A-Za-z0-9+/]*\d)[A-Za-z0-9+/]{40,}={0,2}(?![A-Za-z0-9+/])"), "<secret>"),
)  # fmt: skip
_IDENTIFIERS = frozenset({"id", "fingerprint", "schema", "cell", "cells", "evidence", "file"})
"""Keys of the document whose values this program made: hashes, which may look like anything."""

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
    known = [(name, word) for name, word in (places or {}).items()] + [(home, "<home>") for home in homes]
    folders = [
        (re.compile(rf"(?<![\w.-]){re.escape(name.rstrip('/'))}(?![\w-])"), word)
        for name, word in known
        if len(name.strip("/")) > 1
    ]
    values = [(re.compile(re.escape(value)), "<secret>") for value in secrets if len(value) >= SHORTEST_VALUE]
    names = [
        (re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), word)
        for some, word in ((users, "<user>"), (hosts, "<host>"))
        for name in some
        if len(name) >= SHORTEST_NAME and name.lower() not in _COMMON
    ]

    @lru_cache(maxsize=20_000)
    def redact(text: str) -> str:
        text = for_terminal(text)
        for pattern, word in (*values, *folders):
            text = pattern.sub(word, text)
        small = text.lower()
        for words, pattern, replacement in _SHAPES:
            if not words or any(word in small for word in words):
                text = pattern.sub(replacement, text)
        for pattern, word in names:
            text = pattern.sub(word, text)
        return text

    return redact


def of_this_machine(*, run: Path | None = None) -> Redact:
    """The redactor that knows who and where this is; ``run`` is the folder of a run, which needs no name."""
    import getpass
    import platform

    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        user = os.environ.get("USER", "")
    host = platform.node()
    folders = {} if run is None else {str(run.resolve()): "<run>", f"--out {run}": "--out <run>", f"--out {run.name}": "--out <run>"}  # fmt: skip
    return redactor(
        users=(user,),
        homes=(str(Path.home()),),
        hosts=(host, host.partition(".")[0]),
        secrets=[value for name, value in os.environ.items() if re.fullmatch(SECRET_NAME, name, re.IGNORECASE)],
        places={**folders, str(Path.cwd()): "<here>"},
    )


def redacted(value: Any, redact: Redact, *, key: str = "") -> Any:
    """A document with every text in it redacted, keys of mappings too; numbers and identifiers of ours stay."""
    if key == "timeline":
        return value
    if isinstance(value, str):
        return value if key in _IDENTIFIERS else redact(value)
    if isinstance(value, Mapping):
        return {redact(str(name)): _entry(str(name), item, redact) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(item, redact, key=key) for item in value]
    return value


def _entry(name: str, item: Any, redact: Redact) -> Any:
    if name.startswith("env.") and isinstance(item, str) and item:
        return "<secret>" if re.fullmatch(SECRET_NAME, name, re.IGNORECASE) else redact(item)
    return redacted(item, redact, key=name)
