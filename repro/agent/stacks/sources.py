"""Lines of source files, and which ``with`` blocks a line stands in, without importing anything when asked.

``linecache`` would import ``tokenize``, and a frozen process may hold the import lock.
"""

import os

MOST_BYTES = 2 * 1024 * 1024
MOST_COLUMNS = 160

_BRANCHES = ("if", "elif", "else", "while", "for", "except", "return")

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
    here = found[number - 1].strip()
    # Who stands at a line that ends in a colon is still taking its locks; in `with LOCK: work()` it has them.
    held = [] if here.endswith(":") else _certain(here)
    released = set()
    for body, is_open, is_beside in _lines_above(found, number, first):
        # An open block is left by going on past its end, which who stands further in has not done.
        if is_open:
            held.extend(_certain(body))
        # Read from below, what a line gives back no line above it can hold any more. That of another branch counts,
        # too: a guess is wanted only where nothing speaks against it.
        if ".release(" in body:
            released.update(_owners(body, ".release("))
        # A call that was passed has taken the lock, unless it failed, or gave up after its timeout. Of
        # `if x: lock.acquire()` beside the line nobody knows whether it ran; where it opens a block, it did.
        if ".acquire(" in body and (is_open or (is_beside and not _is_branch(body))):
            held.extend((owner, False) for owner in _owners(body, ".acquire(") if owner not in released)
    return held


def _lines_above(found, number, first):
    """What stands above a line in its function, from below: ``(body, is_open, is_beside)``, comments left out.

    ``is_open``: it begins a block that the line stands in. ``is_beside``: it stands in such a block itself, and not in
    one that has ended.
    """
    indent = _indent(found[number - 1])
    for index in range(number - 2, max(first - 2, -1), -1):
        text = found[index]
        body = text.strip()
        if not body or body.startswith("#"):
            continue
        own = _indent(text)
        yield body, own < indent, own == indent
        # Less far in than everything between was a block's begin: what stands beside that one is beside the line, too.
        indent = min(own, indent)


def _certain(body):
    return [(part, True) for part in with_expressions(body)]


def _owners(body, call):
    """The dotted name whose method is called, ``.acquire(``; none where there is none, or it is not a plain name."""
    at = body.find(call)
    owner = _tail(body[:at]) if at > 0 else ""
    return [owner] if owner else []


def _is_branch(body):
    return body.split(None, 1)[0].rstrip(":") in _BRANCHES


def wanted_expressions(path, number):
    """The locks that the code at this line is taking: of its ``with`` or its ``acquire``."""
    body = line(path, number)
    return with_expressions(body) + _owners(body, ".acquire(")


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
