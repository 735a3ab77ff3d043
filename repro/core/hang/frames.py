"""Frames and stacks, normalised so that equal ones meet; threads' stacks as ``faulthandler`` and ``py-spy`` give them.

A normalised frame reads ``urllib3/connectionpool.py:_close_pool_connections``: no address, no line number, and of the
path only what a package calls its own, whatever the version, the interpreter and the place of the environment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repro.findings import GilOwner, Place

TELLING_FRAMES = 6

_SITE = re.compile(r"^.*/(?:site|dist)-packages/")
_STDLIB = re.compile(r"^.*/(?:lib|lib64)/python\d+\.\d+t?/")
_AGENT = re.compile(r"^.*/repro/agent/")
_COPY = re.compile(r"^.*/[0-9a-f]{12}-\d+-[^/]+/folder/")
"""A trial's own copy of the folder in which a command was typed."""
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_MACHINERY = ("gevent/", "greenlet/", "threading.py:", "queue.py:", "repro_agent/", "_weakrefset.py:", "weakref.py:")


@dataclass(frozen=True, slots=True)
class Frame:
    """One call: file, line number, function (qualified from Python 3.11 on), and the source line where it was read."""

    file: str
    line: int
    function: str
    code: str = ""

    @property
    def normalised(self) -> str:
        """``package/module.py:function``, the same in every environment."""
        return f"{folded(self.file)}:{self.function.rpartition('.')[2]}"

    @property
    def place(self) -> Place:
        """The frame as it is kept: its file named as in every environment."""
        return Place(folded(self.file), self.line, self.function, self.code)


def has_own_frame(stack: Sequence[Frame]) -> bool:
    """Whether a stack goes through the program's own code, which is neither a package's nor the standard library's."""
    return any(_is_the_programs(frame) for frame in stack)


def own_frame(stack: Sequence[Frame]) -> Frame | None:
    """The innermost frame of the program's own code, None where there is none."""
    return next((frame for frame in reversed(stack) if _is_the_programs(frame)), None)


def is_at_exit(stack: Sequence[Frame]) -> bool:
    """Whether an interpreter that exits waits for its threads here, by ``threading`` or by gevent's own code for it."""
    return any(_AT_EXIT.match(frame.normalised) for frame in stack)


_AT_EXIT = re.compile(r"(?:threading|gevent/monkey/\w+|gevent/monkey)\.py:_shutdown$")


def _is_the_programs(frame: Frame) -> bool:
    path = frame.file.replace("\\", "/")
    return "/" in path and not any(pattern.match(path) for pattern in (_SITE, _STDLIB, _AGENT))


def folded(path: str) -> str:
    """A source path without what differs between environments: ``gevent/hub.py``, ``queue.py``, ``…/mine.py``.

    Of a command's own files it is the path from the folder that was copied: ``loadtest/setup.py``.
    """
    path = path.replace("\\", "/")
    for pattern, prefix in ((_SITE, ""), (_AGENT, "repro_agent/"), (_STDLIB, ""), (_COPY, "")):
        if pattern.match(path):
            return pattern.sub(prefix, path)
    if path.startswith("<") or "/" not in path:
        return _ADDRESS.sub("0x…", path)
    return path.rpartition("/")[2]


def top_module(frame: str) -> str:
    """The top-level module of a normalised frame, or of its file alone: ``gevent`` of ``gevent/hub.py:run``."""
    return frame.partition(":")[0].partition("/")[0].removesuffix(".py")


def telling(stack: Sequence[Frame], *, most: int = TELLING_FRAMES) -> tuple[Frame, ...]:
    """The frames that tell most: the innermost ones, gevent's, queues' and the agent's where there are no others."""
    own = [frame for frame in stack if not frame.normalised.startswith(_MACHINERY) and frame.file]
    return tuple((own or list(stack))[-most:])


def shortened(stack: Sequence[Frame], *, most: int = TELLING_FRAMES) -> tuple[Frame, ...]:
    """The stack for people, the outermost of its telling frames first, and the innermost frame whatever it is."""
    frames = telling(stack, most=most)
    return (*frames, stack[-1]) if stack and stack[-1] not in frames else frames


# What other programs print of threads

_THREAD = re.compile(
    r"^(?P<current>Current thread|Thread) 0x(?P<ident>[0-9a-f]+)(?: \[(?P<name>[^\]]*)\])? ?\(most recent"
)
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+|\?\?\?) in (?P<function>.+)$')


@dataclass(frozen=True)
class Trace:
    """One thread's frames, the innermost last; ``is_current`` where the signal arrived, which is the main thread.

    ``holds_gil`` is None where that is not known. A frame without a line is one of C, its file a library.
    """

    ident: int
    frames: tuple[Frame, ...]
    is_current: bool = False
    holds_gil: bool | None = None
    name: str = ""


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
        ValueError: the text is not such a document.
    """
    rows = json.loads(text)
    try:
        return tuple(_trace(row) for row in rows)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a dump of py-spy: {error!r}") from error


def main_frames(traces: Sequence[Trace], pid: int) -> tuple[Frame, ...]:
    """The main thread's frames: its system id is the process's; of faulthandler's, the one that got the signal."""
    for trace in traces:
        if trace.ident == pid or trace.is_current:
            return trace.frames
    return traces[-1].frames if traces else ()


def gil_owner(traces: Sequence[Trace], pid: int) -> GilOwner | None:
    """Who holds the GIL by a debugger's traces of a process; None where nobody does, or the agent: it runs then."""
    owner = next((trace for trace in traces if trace.holds_gil), None)
    if owner is None:
        return None
    python = [frame for frame in owner.frames if frame.line]
    if python and _AGENT.match(python[-1].file):
        return None
    # The innermost that has a name: below it are a library's own parts, which it does not tell.
    c = next((f for f in reversed(owner.frames) if not f.line and not _ADDRESS.fullmatch(f.function)), None)
    return GilOwner(
        is_main=owner.ident == pid,
        thread=owner.name,
        place=python[-1].place if python else None,
        function=c.function if c else "",
        library=folded(c.file) if c else "",
    )


def _begin(
    found: list[tuple[re.Match[str], list[Frame]]], head: re.Match[str]
) -> list[tuple[re.Match[str], list[Frame]]]:
    """A thread that was there already begins the next dump of the file."""
    if any(known["ident"] == head["ident"] for known, _ in found):
        found = []
    return [*found, (head, [])]


def _trace(row: Mapping[str, Any]) -> Trace:
    frames = tuple(_frame_of(item) for item in row["frames"])
    return Trace(
        int(row["os_thread_id"] or 0),
        tuple(reversed(frames)),
        holds_gil=bool(row["owns_gil"]),
        name=row.get("thread_name") or "",
    )


def _frame_of(item: Mapping[str, Any]) -> Frame:
    """A frame of Python, or of C, which names its library and may even have a line of C's source."""
    if library := item.get("module"):
        return Frame(library, 0, item["name"])
    return Frame(item["filename"] or "", item["line"], item["name"])
