"""Lines of source files, and which ``with`` blocks a line stands in, without importing anything when asked.

``linecache`` would import ``tokenize``, and a frozen process may hold the import lock.
"""

import os

MOST_BYTES = 2 * 1024 * 1024
MOST_COLUMNS = 160

_files = {}
_held = {}


def line(path, number):
    """The stripped source line, or an empty string."""
    found = lines(path)
    return found[number - 1].strip()[:MOST_COLUMNS] if 0 < number <= len(found) else ""


def read(paths):
    """Read these files now, so that asking for their lines is no more than a look-up."""
    for path in paths:
        lines(path)


def lines(path):
    """The lines of a file; none when it cannot be read."""
    if path not in _files:
        _files[path] = _read(path)
    return _files[path]


def held_expressions(path, number, first):
    """What the code at a line may hold: ``(expression, is_certain)`` of the locks taken above it in the same function.

    Certain are the blocks ``with EXPRESSION:`` that the line stands in; likely an ``EXPRESSION.acquire()`` above it
    without a ``release`` between. ``first`` is the first line of the function.
    """
    key = (path, number, first)
    if key not in _held:  # thousands of users stand at the same few lines
        _held[key] = _held_expressions(path, number, first)
    return _held[key]


def _held_expressions(path, number, first):
    found = lines(path)
    if not 0 < number <= len(found):
        return []
    result = []
    released = set()
    indent = _indent(found[number - 1])
    here = found[number - 1].strip()
    if not here.endswith(":"):  # `with LOCK: work()` on one line
        result.extend((part, True) for part in with_expressions(here))
    for index in range(number - 2, max(first - 2, -1), -1):
        text = found[index]
        body = text.strip()
        if not body or body.startswith("#"):
            continue
        is_outer = _indent(text) < indent
        if is_outer:
            indent = _indent(text)
            result.extend((part, True) for part in with_expressions(body))
        for word in (".release(", ".acquire("):
            at = body.find(word)
            if at > 0:
                owner = _tail(body[:at])
                if word == ".release(":
                    released.add(owner)
                elif owner and owner not in released and _leads_to(text, indent, inside=is_outer):
                    result.append((owner, False))
    return result


def _leads_to(text, indent, *, inside):
    """Whether who stands further down has passed this line: an ``acquire`` in a branch of its own may not have run."""
    first = text.split(None, 1)[0].rstrip(":")
    is_branch = first in ("if", "elif", "else", "while", "for", "except", "return")
    return inside or (_indent(text) == indent and not is_branch)


def wanted_expressions(path, number):
    """The locks that the code at this line is taking: of its ``with`` or its ``acquire``."""
    body = line(path, number)
    result = with_expressions(body)
    at = body.find(".acquire(")
    if at > 0:
        result.append(_tail(body[:at]))
    return [part for part in result if part]


def with_expressions(body):
    """The dotted names that a ``with`` line enters; other expressions are left out."""
    body = body[6:] if body.startswith("async with ") else body
    if not body.startswith("with "):
        return []
    head = body[5:].partition(":")[0]
    parts = [part.split(" as ")[0].strip(" ()") for part in head.split(",")]
    return [part for part in parts if _is_dotted(part)]


def _tail(text):
    """The dotted name at the end of ``text``."""
    start = len(text)
    while start and (text[start - 1].isalnum() or text[start - 1] in "_."):
        start -= 1
    return text[start:] if _is_dotted(text[start:]) else ""


def _is_dotted(text):
    return bool(text) and all(part.isidentifier() for part in text.split("."))


def _indent(text):
    return len(text) - len(text.lstrip())


def _read(path):
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (OSError, ValueError):
        return []
    try:
        data = os.read(descriptor, MOST_BYTES)
    finally:
        os.close(descriptor)
    return data.decode("utf-8", "replace").split("\n")
