"""What a program's output says of its errors: tracebacks, and exceptions that Python dropped.

Python prints those as ``Exception ignored in`` when a finalizer or a callback raises; a ``GreenletExit`` among them is
a user that was told to die and did not. This is other programs' text, and here is its reader: nothing else takes it
apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from repro.core.hang.frames import folded
from repro.findings import Swallowed

_HEAD = re.compile(r"^Exception ignored (?:in|while[^:]*): ?(?P<where>.*)$")
_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line \d+, in (?P<function>\S+)')
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_CHAINED = {
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
}
MOST_OF_A_LINE = 300
_FAILED_TEST = re.compile(r"(?m)^(?:FAILED|ERROR) (\S+(?:::|\.py)\S*)")
_WHY_IT_FAILED = re.compile(r"(?m)^E {3,}(\S.*)$")
_ERROR = re.compile(r"^(?P<error>[A-Za-z_][\w.]*)(?::|$)")


def swallowed(output: str) -> Counter[Swallowed]:
    """The dropped exceptions in a cell's output, counted; addresses are left out so that equal ones meet."""
    return Counter(_blocks(output.splitlines()))


def _blocks(lines: list[str]) -> Iterator[Swallowed]:
    for index, line in enumerate(lines):
        head = _HEAD.match(line)
        if head is not None:
            yield _block(_ADDRESS.sub("", head["where"]), lines[index + 1 :])


def _block(where: str, lines: list[str]) -> Swallowed:
    """Of a chain of exceptions the last one: it is the one that was dropped."""
    frames: list[str] = []
    error = ""
    for line in lines:
        frame = _FRAME.match(line)
        if frame is not None and not error:
            frames.append(f"{folded(frame['file'])}:{frame['function'].rpartition('.')[2]}")
        elif line in _CHAINED:
            frames, error = [], ""
        elif _HEAD.match(line) or (error and line):
            break
        elif (found := _ERROR.match(line)) is not None and not line.startswith("Traceback"):
            error = found["error"]
    return Swallowed(where, error or "unknown", tuple(frames))


def last_words(output: str) -> str:
    """What a program that ended said of it: the last error of a traceback, else its last line that names an error.

    What Python ignored, as in a finalizer at the very end, did not end it: it counts where there is nothing else.
    """
    said = (line.strip() for line in output.splitlines())
    named = [line for line in said if ": error: " in line or line.startswith("Error: ")]  # as argparse and click say it
    own = _of_pytest(output) or last_error(output)
    return own or (named[-1] if named else "") or last_error(output, is_ignored=True)


def last_line(output: str) -> str:
    """The last line that says anything: what a program that ended at once may have said in words of its own."""
    lines = [line.strip() for line in output.splitlines() if any(letter.isalpha() for letter in line)]
    return lines[-1][:MOST_OF_A_LINE] if lines else ""


def _of_pytest(output: str) -> str:
    """The last test that failed, and why: pytest prints no traceback of Python's own."""
    tests, errors = _FAILED_TEST.findall(output), _WHY_IT_FAILED.findall(output)
    if not tests:
        return ""
    raised = [error for error in errors if _ERROR.match(error)] or errors
    return f"{tests[-1]} failed: {raised[-1]}" if raised else f"{tests[-1]} failed"


def last_error(output: str, *, is_ignored: bool = False) -> str:
    """The last line of the last traceback in the output, which says what went wrong; empty when there is none.

    With ``is_ignored`` it is the last of those that Python ignored, which do not count otherwise.
    """
    found, before = "", ""
    is_inside = False
    for line in output.splitlines():
        if line.startswith("Traceback (most recent call last)"):
            is_inside = before.startswith("Exception ignored in") is is_ignored
        elif is_inside and line and not line.startswith((" ", "\t")) and _ERROR.match(line):
            found, is_inside = line, False
        before = line
    return found
