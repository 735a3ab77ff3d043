"""Python source with what must not leave the machine taken out of its literals and comments; the rest stays code."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator

from repro.core.scrubbing.markers import Marker
from repro.core.scrubbing.named_literals import Named, Place, named_literals
from repro.core.scrubbing.redaction import Redact
from repro.core.scrubbing.terminal import for_terminal

_LITERAL = re.compile(r"(?s)([A-Za-z]*)('''|\"\"\"|'|\")(.*)\2")
_CONVERSION = re.compile(r"%(?:\(\w+\))?[#0 +-]*(?:\*|\d+)?(?:\.(?:\*|\d+))?[diouxXeEfFgGcrsa]")
_F_STRING_PART = getattr(tokenize, "FSTRING_MIDDLE", -1)
_TEXTS = {tokenize.STRING, tokenize.COMMENT, _F_STRING_PART}

Change = tuple[Place, Place, str]


def redact_source(source: str, redact: Redact) -> str:
    """The source with its literals and comments redacted.

    Raises:
        ValueError: it is not Python, or no longer is.
    """
    try:
        lines = source.splitlines(keepends=True)
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line))
        for (row, column), (end_row, end_column), text in reversed(list(_changes(source, lines, redact))):
            begin, end = starts[row - 1] + column, starts[end_row - 1] + end_column
            source = source[:begin] + text + source[end:]
        ast.parse(source)
    except (SyntaxError, tokenize.TokenError) as error:
        raise ValueError(f"it is not Python: {error}") from error
    return source


def _changes(source: str, lines: list[str], redact: Redact) -> Iterator[Change]:
    """Where which text takes the place of a token's; the names beside a literal tell what it holds."""
    tree = ast.parse(source)
    words = _Words([*_parted(tree, redact), *named_literals(tree)], lines)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        named = words.of(token)
        if token.type in _TEXTS:
            text = _redacted(token.string, named, redact)
        elif token.type == tokenize.NUMBER and named == "0":
            text = "0"
        else:
            continue
        if text != token.string:
            yield token.start, token.end, text


class _Words:
    """The word for a token that belongs to a named literal: of several in a row each is a token."""

    def __init__(self, named: Iterable[Named], lines: list[str]) -> None:
        self._lines = [line.encode() for line in lines]
        self._spans = [(self._place(one.begin), self._place(one.end), one) for one in named]
        self._rows: dict[int, list[tuple[Place, Place, Named]]] = {}
        for span in self._spans:
            for row in range(span[0][0], span[1][0] + 1):
                self._rows.setdefault(row, []).append(span)

    def of(self, token: tokenize.TokenInfo) -> str:
        for begin, end, named in self._rows.get(token.start[0], []):
            is_inside = begin <= token.start and token.end <= end
            if is_inside and (token.type == _F_STRING_PART or _F_STRING_PART < 0 or not named.is_f_string):
                return named.word + ("".join(_CONVERSION.findall(token.string)) if named.is_format else "")
        return ""

    def _place(self, place: Place) -> Place:
        """A place in characters, as tokens have it: the tree counts bytes."""
        row, column = place
        return row, len(self._lines[row - 1][:column].decode())


def _parted(tree: ast.AST, redact: Redact) -> Iterator[Named]:
    """Literals that show a secret only when they are put together, as ``"AKIA" + "…"`` and ``"AKIA" "…"``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts = list(_addends(node))
            texts = [part.value if isinstance(part, ast.Constant) else None for part in parts]
            if not all(isinstance(text, str) for text in texts):
                continue
            if _is_telling("".join(map(str, texts)), redact) and not any(
                _is_telling(str(text), redact) for text in texts
            ):
                yield _span(node)
        elif (
            isinstance(node, ast.Constant)
            and _is_telling(_decoded(node.value), redact)
            and node.lineno != node.end_lineno
        ):
            yield from () if _is_one_literal(node) else (_span(node),)


def _is_one_literal(node: ast.Constant) -> bool:
    """Whether it spans lines by itself, as a text in three quotes does, which is redacted as one."""
    return isinstance(node.value, str) and "\n" in node.value


def _span(node: ast.expr) -> Named:
    return Named(
        begin=(node.lineno, node.col_offset), end=(node.end_lineno or 0, node.end_col_offset or 0), word=Marker.SECRET
    )


def _addends(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _addends(node.left)
        yield from _addends(node.right)
    else:
        yield node


def _redacted(text: str, word: str, redact: Redact) -> str:
    literal = _LITERAL.fullmatch(text)
    if literal is None:
        return word or _inside(text, redact)
    prefix, quote, inner = literal.groups()
    if word:
        return f"{prefix}{quote}{word}{quote}" if inner else text
    inside = redact(inner) if "\\" not in inner else _inside(inner, redact)
    made = f"{prefix}{quote}{inside}{quote}" if inside != for_terminal(inner) else text
    if "f" in prefix.lower():
        return made if _is_python(made) else f"{prefix}{quote}{Marker.TEXT}{quote}"
    return _as_a_whole(text, made, redact)


def _as_a_whole(literal: str, made: str, redact: Redact) -> str:
    """What was made of a literal, if that is one and shows nothing: a secret may have escapes, or go over lines."""
    if _is_python(made) and not _is_telling(_decoded(ast.literal_eval(made)), redact):
        return made
    value = ast.literal_eval(literal)
    text = redact(_decoded(value))
    return repr(text.encode()) if isinstance(value, bytes) else repr(text)


def _is_python(literal: str) -> bool:
    """Whether it is one literal still: a redaction may bring quotes of its own."""
    try:
        return isinstance(ast.parse(literal, mode="eval").body, (ast.Constant, ast.JoinedStr))
    except SyntaxError:
        return False


def _decoded(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _is_telling(text: str, redact: Redact) -> bool:
    return bool(text) and redact(text) != for_terminal(text)


def _inside(text: str, redact: Redact) -> str:
    """A literal's inside. Its escapes stay as they are written: what is redacted goes line by line."""
    return "".join(
        redact(line.rstrip("\n")) + line[len(line.rstrip("\n")) :] for line in text.splitlines(keepends=True)
    )
