"""The threads' stacks as ``faulthandler`` prints them and as ``py-spy dump --json`` gives them, as records."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repro.core.hang.dump import Frame

_THREAD = re.compile(
    r"^(?P<current>Current thread|Thread) 0x(?P<ident>[0-9a-f]+)(?: \[(?P<name>[^\]]*)\])? ?\(most recent"
)
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+|\?\?\?) in (?P<function>.+)$')


@dataclass(frozen=True)
class Trace:
    """One thread's frames, the innermost last; ``is_current`` where the signal arrived, which is the main thread.

    ``holds_gil`` is None where that is not known.
    """

    ident: int
    frames: tuple[Frame, ...]
    is_current: bool = False
    holds_gil: bool | None = None


def read_faulthandler(text: str) -> tuple[Trace, ...]:
    """The threads of the last dump in a file that ``faulthandler`` appends to."""
    found: list[tuple[re.Match[str], list[Frame]]] = []
    for line in text.splitlines():
        head = _THREAD.match(line)
        frame = _FRAME.match(line)
        if head is not None:
            found = _begin(found, head)
        elif frame is not None and found:
            number = int(frame["line"]) if frame["line"].isdigit() else 0
            found[-1][1].append(Frame(frame["file"], number, frame["function"]))
    return tuple(
        Trace(int(head["ident"], 16), tuple(reversed(frames)), is_current=head["current"].startswith("Current"))
        for head, frames in found
    )


def read_debugger(text: str) -> tuple[Trace, ...]:
    """The threads of ``py-spy dump --json``; C frames are among them when it was asked for native ones.

    Raises:
        ValueError: the text is no such document.
    """
    rows = json.loads(text)
    try:
        return tuple(_trace(row) for row in rows)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a dump of py-spy: {error!r}") from error


def main_frames(traces: Sequence[Trace], pid: int) -> tuple[Frame, ...]:
    """The main thread's frames: its id in the system is the process's; of faulthandler's, the one that got the signal."""
    for trace in traces:
        if trace.ident == pid or trace.is_current:
            return trace.frames
    return traces[-1].frames if traces else ()


def _begin(
    found: list[tuple[re.Match[str], list[Frame]]], head: re.Match[str]
) -> list[tuple[re.Match[str], list[Frame]]]:
    """A thread that was there already begins the next dump of the file."""
    if any(known["ident"] == head["ident"] for known, _ in found):
        found = []
    return [*found, (head, [])]


def _trace(row: Mapping[str, Any]) -> Trace:
    frames = tuple(Frame(item["filename"] or "", item["line"], item["name"]) for item in row["frames"])
    return Trace(int(row["os_thread_id"] or 0), tuple(reversed(frames)), holds_gil=bool(row["owns_gil"]))
