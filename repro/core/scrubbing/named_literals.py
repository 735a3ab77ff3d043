"""Which literals of a program stand beside a name that says what they hold: a secret, or the body of a message."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from repro.core.scrubbing.markers import Marker
from repro.core.scrubbing.names import BODY_KEYS, SECRET_NAME

LONGEST_HARMLESS = 8
"""A literal beside a secret's name that is no longer is a dummy's (``x``, ``testing``), not a key."""

SYSTEM_PATHS = ("/dev/", "/proc/", "/usr/", "/bin/")
"""Files of every machine: ``signature = run(["cksum", "/dev/null"])`` holds no secret, and would fail without."""

_BODY = re.compile(BODY_KEYS)
_SECRET = re.compile(SECRET_NAME, re.IGNORECASE)
_LOOK_UP = frozenset({"get", "getenv", "open", "Path", "getattr", "import_module", "pop"})
"""Calls whose literals choose what is read, and are not what is sent."""
_TYPE_KEYS = frozenset({"DataType", "AttributeType", "ContentType", "Charset"})
_TYPED_NUMBER = "N"

Place = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Named:
    """A literal by its place (line, column in bytes), and the word for it; an f-string keeps its expressions.

    What ``%`` formats keeps its conversions: without them the program would fail.
    """

    begin: Place
    end: Place
    word: str
    is_f_string: bool = False
    is_format: bool = False


def named_literals(tree: ast.AST) -> Iterator[Named]:
    """All of them."""
    for node in ast.walk(tree):
        for name, value in _pairs(node):
            word = _word(name)
            if word:
                yield from _literals(value, word)


def _word(name: str) -> str:
    if _SECRET.fullmatch(name):
        return Marker.SECRET
    return Marker.BODY if _BODY.fullmatch(name) else ""


def _pairs(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names with the values that stand beside them in this node."""
    if isinstance(node, ast.Call):
        yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)
        yield from _neighbours(node.args)
    elif isinstance(node, (ast.Tuple, ast.List)):
        yield from _neighbours(node.elts)
    elif isinstance(node, ast.Dict):
        yield from ((_text(key), value) for key, value in zip(node.keys, node.values, strict=True))
    elif isinstance(node, ast.Assign):
        yield from ((_text(target), node.value) for target in node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr, ast.AugAssign)) and node.value is not None:
        yield _text(node.target), node.value
    elif isinstance(node, ast.Compare):
        yield from ((_text(node.left), other) for other in node.comparators)
    elif isinstance(node, ast.arguments):
        positional = [*node.posonlyargs, *node.args]
        yield from (
            (argument.arg, value)
            for argument, value in zip(reversed(positional), reversed(node.defaults), strict=False)
        )
        yield from (
            (argument.arg, value) for argument, value in zip(node.kwonlyargs, node.kw_defaults, strict=True) if value
        )


def _neighbours(some: list[ast.expr]) -> Iterator[tuple[str, ast.expr]]:
    """A secret's name and what follows it: ``setenv("API_TOKEN", "…")``, ``("Authorization", "…")``."""
    for one, other in pairwise(some):
        if isinstance(one, ast.Constant) and _SECRET.fullmatch(_text(one)):
            yield _text(one), other


def _text(node: ast.AST | None) -> str:
    """The name that a target, a key or a word is."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return _text(node.slice) if isinstance(node, ast.Subscript) else ""


def _literals(value: ast.AST, word: str) -> Iterator[Named]:
    """The literals that make up a value, wherever it nests them; keys of dictionaries and what is looked up stay."""
    if isinstance(value, ast.Constant):
        yield from _constant(value, word)
    elif isinstance(value, ast.JoinedStr):
        yield _named(value, word, is_f_string=True)
    elif isinstance(value, ast.Dict):
        for key, item in zip(value.keys, value.values, strict=True):
            if _text(key) not in _TYPE_KEYS:
                yield from _literals(item, "0" if _text(key) == _TYPED_NUMBER else word)
    elif isinstance(value, ast.Call):
        yield from (found for part in _sent(value) for found in _literals(part, word))
    elif isinstance(value, ast.BinOp) and isinstance(value.op, (ast.Mod, ast.Div, ast.FloorDiv)):
        yield from (replace(one, is_format=True) for one in _literals(value.left, word))
        if not _is_number(value.right):  # a divisor is not sent, and must not become 0
            yield from _literals(value.right, word)
    elif not isinstance(value, (ast.Subscript, ast.Compare, ast.Lambda)):
        yield from (found for part in ast.iter_child_nodes(value) for found in _literals(part, word))


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in {int, float}


def _sent(call: ast.Call) -> list[ast.expr]:
    """The parts of a call that go into what it returns: ``dumps({…})``, ``"…".encode()``."""
    if _text(call.func) in _LOOK_UP:
        return []
    of = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    return [*of, *call.args, *(keyword.value for keyword in call.keywords)]


def _constant(value: ast.Constant, word: str) -> Iterator[Named]:
    if isinstance(value.value, (str, bytes)) and _is_telling(value.value, word):
        yield _named(value, word)
    elif word == Marker.BODY and type(value.value) in {int, float}:
        yield _named(value, "0")


def _is_telling(text: str | bytes, word: str) -> bool:
    if word == Marker.SECRET:
        return len(text) > LONGEST_HARMLESS and not (isinstance(text, str) and text.startswith(SYSTEM_PATHS))
    return len(text) > 0 and text not in {"utf-8", "utf8"}


def _named(node: ast.expr, word: str, *, is_f_string: bool = False) -> Named:
    begin, end = (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
    return Named(begin=begin, end=end, word=word, is_f_string=is_f_string)
