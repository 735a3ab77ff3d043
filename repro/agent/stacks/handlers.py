"""Which ``except`` takes a ``GreenletExit`` at a line of source: a user that was told to stop goes on there.

By indentation, as ``sources`` reads ``with`` blocks: ``ast`` would be imported into the scenario. What may raise again
is left out, for only what surely swallows explains a user that is still running.
"""

from repro_agent.stacks import sources

_SKIPPED = ("/locust/", "/gevent/", "/greenlet/", "/repro/agent/")
"""Whose handlers are meant for it: Locust's own end a user."""
_CAUGHT_AS = ("BaseException", "GreenletExit")
_LEAVING = ("raise", "exit(")
_known = {}


def catching(frames):
    """``[file, line, function, code]`` of the innermost handler around these frames that swallows it, else None."""
    for frame in frames:
        code = frame.f_code
        number = _line(code.co_filename, frame.f_lineno or 0, code.co_firstlineno)
        if number:
            function = getattr(code, "co_qualname", code.co_name)
            head = sources.line(code.co_filename, number).partition(":")[0]  # without a comment
            return [code.co_filename, number, function, head + ":"]
    return None


def _line(path, number, first):
    key = (path, number, first)
    if key not in _known:
        is_skipped = any(part in path for part in _SKIPPED)
        _known[key] = 0 if is_skipped else handler_line(sources.lines(path), number, first)
    return _known[key]


def handler_line(found, number, first):
    """The line of the handler that swallows it for who stands at line ``number`` of a function, 0 without."""
    if not 0 < number <= len(found):
        return 0
    indent = _indent(found[number - 1])
    for index in range(number - 2, max(first - 2, -1), -1):
        body = found[index].strip()
        own = _indent(found[index])
        if not body or body.startswith("#") or own >= indent:
            continue
        indent = own
        if body.startswith("try:"):
            line = _below(found, number, own)
        else:  # who stands in the handler itself has been there before
            line = index + 1 if _catches(body) and not _leaves(found, index) else 0
        if line:
            return line
    return 0


def _below(found, number, indent):
    """The handler of the ``try`` of this indentation that a line below its head stands in."""
    for index in range(number, len(found)):
        body = found[index].strip()
        own = _indent(found[index])
        if not body or body.startswith("#") or own > indent:
            continue
        if own < indent or not body.startswith(("except", "else:", "finally:")):
            return 0
        if _catches(body):
            return 0 if _leaves(found, index) else index + 1
    return 0


def _catches(body):
    if not body.startswith("except"):
        return False
    head = body.partition(":")[0]
    return head == "except" or any(name in head for name in _CAUGHT_AS)


def _leaves(found, index):
    """Whether the handler may raise again, or end the program."""
    indent = _indent(found[index])
    bodies = [found[index].partition(":")[2]]
    for text in found[index + 1 :]:
        if text.strip() and _indent(text) <= indent:
            break
        bodies.append(text)
    return any(word in body for body in bodies for word in _LEAVING)


def _indent(text):
    return len(text) - len(text.lstrip())
