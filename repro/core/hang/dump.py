"""Greenlets' stacks as records, read from the dumps that the agent writes, and normalised so that equal ones meet.

A normalised frame reads ``urllib3/connectionpool.py:_close_pool_connections``: no address, no line number, and of the
path only what a package calls its own, whatever the version, the interpreter and the place of the environment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from repro.agent.layout import OTHERS_FROM
from repro.core.judge.samples import HeldBy, Holder, Whom

SCHEMA = "repro-greenlets/1"
TELLING_FRAMES = 6

_SITE = re.compile(r"^.*/(?:site|dist)-packages/")
_STDLIB = re.compile(r"^.*/(?:lib|lib64)/python\d+\.\d+t?/")
_AGENT = re.compile(r"^.*/repro/agent/")
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
    def place(self) -> str:
        """For people: ``gevent/_threading.py:put, line 188, `with self._mutex:```."""
        code = f", `{self.code}`" if self.code else ""
        return f"{self.normalised}, line {self.line}{code}"


@dataclass(frozen=True, slots=True)
class ParkedAt:
    """What a greenlet or a thread waits for, in the agent's words; ``kind`` is one of those that ``parked.py`` of the agent names.

    ``fd``, ``local`` and ``peer`` are a socket's, ``lock`` is the identity of a lock, an event or a queue, 0 without. ``left_s``
    are the seconds until a timer or a time-out ends it.
    """

    kind: str
    type: str = ""
    lock: int = 0
    is_native: bool = False
    has_timeout: bool = False
    fd: int = -1
    direction: str = ""
    local: str = ""
    peer: str = ""
    name: str = ""
    left_s: float = float("inf")


@dataclass(frozen=True, slots=True)
class Greenlet:
    """One living greenlet; ``user`` is its user's number, None for those that are none. The innermost frame comes last."""

    id: int
    type: str
    run: str
    state: str
    user: int | None
    is_hub: bool
    stack: tuple[Frame, ...]
    wait: ParkedAt | None


@dataclass(frozen=True, slots=True)
class Thread:
    """One OS thread; ``greenlet`` is the id of the greenlet that runs in it, 0 where that is not known."""

    ident: int
    name: str
    is_main: bool
    is_dumping: bool
    greenlet: int
    stack: tuple[Frame, ...]
    wait: ParkedAt | None


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that somebody waits for: its type, how the program calls it, and who holds it and how that is known.

    ``how`` is None where nobody is known to hold it; ``code`` is what took it, at the line where its holder stands.
    """

    id: int
    type: str
    names: tuple[str, ...]
    waiters: int
    holder_greenlet: int = 0
    holder_thread: int = 0
    how: HeldBy | None = None
    code: str = ""
    file: str = ""
    line: int = 0
    function: str = ""
    is_certain: bool = False

    @property
    def name(self) -> str:
        """The most telling name, or the type."""
        return max(self.names, key=_telling, default=self.type)


@dataclass(frozen=True, slots=True)
class Dump:
    """All stacks of one process at one moment; ``mode`` is ``loop`` or ``thread``, by who wrote it."""

    pid: int
    mode: str
    at: float
    python: str
    gevent: str
    greenlet: str
    notes: tuple[str, ...] = ()
    greenlets: tuple[Greenlet, ...] = ()
    threads: tuple[Thread, ...] = ()
    locks: Mapping[int, Lock] = field(default_factory=dict)

    @property
    def main(self) -> Thread | None:
        """The main thread."""
        return next((thread for thread in self.threads if thread.is_main), None)

    def by_id(self, greenlet: int) -> Greenlet | None:
        """The greenlet of this id."""
        return next((item for item in self.greenlets if item.id == greenlet), None)

    def holder(self, lock: Lock) -> Holder | None:
        """Who holds the lock and how that is known; None when it is not known."""
        if lock.how is None:
            return None
        whom, number, name = self._whom(lock)
        return Holder(
            whom,
            number=number,
            name=name,
            how=lock.how,
            code=lock.code,
            file=lock.file,
            line=lock.line,
            function=lock.function,
            is_certain=lock.is_certain,
        )

    def _whom(self, lock: Lock) -> tuple[Whom, int, str]:
        """What holds it, its number and its name."""
        owner = self.by_id(lock.holder_greenlet)
        if owner is None:
            # A lock that names its owner keeps an identifier, of a greenlet or of a thread.
            thread = next((t for t in self.threads if t.ident in {lock.holder_thread, lock.holder_greenlet}), None)
            return (Whom.THREAD, thread.ident, thread.name) if thread else (Whom.ENDED, 0, "")
        if owner.user is None:
            return Whom.GREENLET, 0, owner.run or owner.type
        return Whom.USER, owner.user, owner.run


def called(greenlet: Greenlet) -> str:
    """``user 3``, or ``greenlet 3 of use_pools`` for one that calls the client and is no user of Locust; empty for others."""
    return _called(greenlet.user, greenlet.run) if greenlet.user is not None else ""


def holder_in_words(holder: Holder) -> str:
    """``user 2 (it stands in `with self.mutex` at queue.py:9 in put)``."""
    who = {
        Whom.USER: _called(holder.number, holder.name),
        Whom.GREENLET: f"the greenlet of {holder.name}",
        Whom.THREAD: f"thread {holder.name or holder.number}",
        Whom.ENDED: "one that has ended",
    }
    how = {
        HeldBy.OWNER: "the lock names it",
        HeldBy.BLOCK: f"it stands in `{holder.code}`",
        HeldBy.ACQUIRE: f"by `{holder.code}`",
    }
    place = f" at {folded(holder.file)}:{holder.line} in {holder.function}" if holder.file else ""
    return f"{who[holder.whom]} ({how[holder.how]}{place})"


def _called(user: int, run: str) -> str:
    if user < OTHERS_FROM:
        return f"user {user}"
    return f"greenlet {user - OTHERS_FROM}{f' of {run}' if run else ''}"


def read_dump(text: str) -> Dump:
    """The dump that the agent wrote.

    Raises:
        ValueError: the text is not such a dump.
    """
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ValueError(f"not a dump of greenlets: expected the schema {SCHEMA}")
    frames = [Frame(*row) for row in data["frames"]]
    stacks = [tuple(frames[index] for index in row) for row in data["stacks"]]
    return Dump(
        pid=data["pid"],
        mode=data["mode"],
        at=data["at"],
        python=data["python"],
        gevent=data["gevent"],
        greenlet=data["greenlet"],
        notes=tuple(data["notes"]),
        greenlets=tuple(_greenlet(row, stacks) for row in data["greenlets"]),
        threads=tuple(_thread(row, stacks) for row in data["threads"]),
        locks={row["id"]: _lock(row) for row in data["locks"]},
    )


def has_own_frame(stack: Sequence[Frame]) -> bool:
    """Whether a stack goes through the program's own code, which is neither a package's nor the standard library's."""
    return any(_is_the_programs(frame) for frame in stack)


def _is_the_programs(frame: Frame) -> bool:
    path = frame.file.replace("\\", "/")
    return "/" in path and not any(pattern.match(path) for pattern in (_SITE, _STDLIB, _AGENT))


def folded(path: str) -> str:
    """A source path without what differs between environments: ``urllib3/connectionpool.py``, ``queue.py``, ``…/mine.py``."""
    path = path.replace("\\", "/")
    for pattern, prefix in ((_SITE, ""), (_AGENT, "repro_agent/"), (_STDLIB, "")):
        if pattern.match(path):
            return pattern.sub(prefix, path)
    if path.startswith("<") or "/" not in path:
        return _ADDRESS.sub("0x…", path)
    return path.rpartition("/")[2]


def normalised(stack: Sequence[Frame]) -> tuple[str, ...]:
    """The stack's normalised frames, the outermost first."""
    return tuple(frame.normalised for frame in stack)


def telling(stack: Sequence[Frame], *, most: int = TELLING_FRAMES) -> tuple[Frame, ...]:
    """The frames that tell most: the innermost ones, gevent's, the queue's and the agent's own left out where others are there."""
    own = [frame for frame in stack if not frame.normalised.startswith(_MACHINERY) and frame.file]
    return tuple((own or list(stack))[-most:])


def shorten(stack: Sequence[Frame], *, most: int = TELLING_FRAMES) -> str:
    """The stack for people, the outermost of its telling frames first, and the innermost frame whatever it is."""
    frames = list(telling(stack, most=most))
    if stack and stack[-1] not in frames:
        frames.append(stack[-1])
    skipped = ["…"] if len(frames) < len(stack) else []
    return "\n".join(skipped + [_row(frame) for frame in frames])


def in_words(wait: ParkedAt | None) -> str:
    """What somebody waits for, for people: ``the socket to 127.0.0.1:5000, to read``."""
    if wait is None:
        return "unknown"
    if wait.kind == "socket":
        peer = f" to {wait.peer}" if wait.peer else ""
        return f"socket {wait.fd}{peer}, to {wait.direction}"
    native = "native " if wait.is_native else ""
    name = f" {wait.name}" if wait.name else ""
    kind = f" {wait.type}" if wait.type and wait.type.lower() != wait.kind else ""
    return f"{native}{wait.kind}{kind}{name}"


def _row(frame: Frame) -> str:
    code = f"  {frame.code}" if frame.code else ""
    return f"{folded(frame.file)}:{frame.line} {frame.function}{code}"


def _telling(name: str) -> tuple[bool, bool, int]:
    """What owns the lock's owner tells most, ``HTTPConnectionPool.pool.mutex``; names in private things tell least."""
    return not name.startswith(("_", "__main__")), name.count(".") == 2, -len(name)


def _greenlet(row: Mapping[str, Any], stacks: Sequence[tuple[Frame, ...]]) -> Greenlet:
    return Greenlet(
        id=row["id"],
        type=row["type"],
        run=row["run"],
        state=row["state"],
        user=row["user"],
        is_hub=row["is_hub"],
        stack=() if row["stack"] is None else stacks[row["stack"]],
        wait=_wait(row["parked_on"]),
    )


def _thread(row: Mapping[str, Any], stacks: Sequence[tuple[Frame, ...]]) -> Thread:
    return Thread(
        ident=row["ident"],
        name=row["name"],
        is_main=row["is_main"],
        is_dumping=row["is_dumping"],
        greenlet=row["greenlet"],
        stack=stacks[row["stack"]],
        wait=_wait(row["parked_on"]),
    )


def _wait(row: Mapping[str, Any] | None) -> ParkedAt | None:
    if row is None:
        return None
    return ParkedAt(
        kind=row["kind"],
        type=row.get("type", ""),
        lock=row.get("id", 0),
        is_native=row.get("native", False),
        has_timeout=row.get("has_timeout", False),
        fd=row.get("fd", -1),
        direction=row.get("for", ""),
        local=row.get("local", ""),
        peer=row.get("peer", ""),
        name=row.get("name", ""),
        left_s=row.get("left_s", float("inf")),
    )


def _lock(row: Mapping[str, Any]) -> Lock:
    holder = row["holder"] or {}
    how, code = _how(holder.get("how", ""))
    place, _, function = holder.get("where", "").rpartition(" in ")
    file, _, line = place.rpartition(":")
    return Lock(
        id=row["id"],
        type=row["type"],
        names=tuple(row["names"]),
        waiters=row["waiters"],
        holder_greenlet=holder.get("greenlet", 0),
        holder_thread=holder.get("thread", 0),
        how=how,
        code=code,
        file=file,
        line=int(line or 0),
        function=function,
        is_certain=holder.get("is_certain", False),
    )


def _how(said: str) -> tuple[HeldBy | None, str]:
    """How a lock is held, and the code that took it, from the agent's ``owner``, ``with NAME`` or ``NAME.acquire()``."""
    if not said:
        return None, ""
    if said == HeldBy.OWNER:
        return HeldBy.OWNER, ""
    return HeldBy.BLOCK if said.startswith("with ") else HeldBy.ACQUIRE, said
