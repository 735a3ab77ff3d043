"""Python source with what must not leave the machine taken out of its strings and comments; the rest stays code."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from repro.presentation.redaction import SECRET_NAME, Redact

LONGEST_HARMLESS = 8
"""A literal beside a secret's name that is no longer is a dummy's (``x``, ``testing``), not a key."""

_LITERAL = re.compile(r"(?s)([A-Za-z]*)('''|\"\"\"|'|\")(.*)\2")
_BODY = re.compile(r"(?i)(?:message_?)?body")
_TEXTS = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1)}
_SPACE = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT}

Change = tuple[tuple[int, int], tuple[int, int], str]


def redact_source(source: str, redact: Redact) -> str:
    """The source with its strings and comments redacted.

    Raises:
        ValueError: it is no Python, or no longer is.
    """
    try:
        lines = source.splitlines(keepends=True)
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line))
        for (row, column), (end_row, end_column), text in reversed(list(_changes(source, redact))):
            begin, end = starts[row - 1] + column, starts[end_row - 1] + end_column
            source = source[:begin] + text + source[end:]
        ast.parse(source)
    except (SyntaxError, tokenize.TokenError) as error:
        raise ValueError(f"it is no Python: {error}") from error
    return source


def _changes(source: str, redact: Redact) -> Iterator[Change]:
    """Where which text takes the place of a token's; the names before a token tell what it holds."""
    before: list[str] = ["", ""]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _TEXTS:
            name = before[-2] if before[-1] in {"=", ":"} else ""
            text = _redacted(token.string, name.strip("'\""), redact)
            if text != token.string:
                yield token.start, token.end, text
        if token.type not in _SPACE:
            before = [before[-1], token.string]


def _redacted(text: str, name: str, redact: Redact) -> str:
    literal = _LITERAL.fullmatch(text)
    if literal is None:
        return _inside(text, redact)
    prefix, quote, inner = literal.groups()
    word = "<secret>" if re.fullmatch(SECRET_NAME, name, re.IGNORECASE) else "<body>" if _BODY.fullmatch(name) else ""
    inner = word if word and len(inner) > LONGEST_HARMLESS else _inside(inner, redact)
    return f"{prefix}{quote}{inner}{quote}"


def _inside(text: str, redact: Redact) -> str:
    """A literal's inside. Its escapes stay as they are written: what is redacted goes line by line."""
    return "".join(
        redact(line.rstrip("\n")) + line[len(line.rstrip("\n")) :] for line in text.splitlines(keepends=True)
    )
