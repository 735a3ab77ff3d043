"""Greenlets, threads and locks of one process as records, read from the dumps that the agent writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from repro.core.hang.coroutines import CoroutineLoop, read_loops
from repro.core.hang.frames import Frame, folded
from repro.core.hang.pools import PoolFacts, read_pools
from repro.findings import Awaited, HeldBy, Holder, Place, WaitKind, Who, Whom

SCHEMA = "repro-greenlets/2"


@dataclass(frozen=True, slots=True)
class ParkedAt:
    """What a greenlet or a thread waits for.

    ``fd``, ``local`` and ``peer`` are a socket's, ``lock`` is the identity of a lock, an event or a queue, 0 without.
    ``left_s`` are the seconds until a timer or a timeout ends it, below 0 where it is not known how many.
    """

    kind: WaitKind
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
    """One living greenlet; ``user`` is its user's number, None for those that are none. The innermost frame is last.

    ``catch`` is the innermost handler around it that swallows a GreenletExit.
    """

    id: int
    type: str
    run: str
    state: str
    user: int | None
    is_hub: bool
    stack: tuple[Frame, ...]
    wait: ParkedAt | None
    catch: Place | None = None
    thread: int = 0
    """The identity of the thread to whose loop it belongs, 0 where that is not known."""
    mark: int = 0
    """Of a parked one: as long as its loop is blocked it stays the same, and hardly ever otherwise. 0: not known."""


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
    holds_gil: bool | None = None
    """None where that is not known: the agent, which runs in the process, always holds it itself."""
    native_id: int = 0
    """Its id for the system, 0 where that is not known."""


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
    is_free: bool = False
    """Whether its own counter says that nobody holds it, although somebody waits for it."""
    counter: int = -1
    """How many could take it at once, as it says itself; below 0 where it does not, or where that is not known."""

    @property
    def name(self) -> str:
        """The most telling name, or the type."""
        return max(self.names, key=_telling, default=self.type)


@dataclass(frozen=True, slots=True)
class Dump:
    """All stacks of one process at one moment; ``mode`` is ``loop``, ``thread`` or ``memory``, by who wrote it."""

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
    to_come: int = 0
    """How many sockets and timers of the loop begin something new, as a server's do; 0 where only memory could tell."""
    pools: PoolFacts | None = None
    loops: tuple[CoroutineLoop, ...] = ()

    @property
    def gil_holder(self) -> Thread | None:
        """The thread that holds the GIL."""
        return next((thread for thread in self.threads if thread.holds_gil), None)

    @property
    def main(self) -> Thread | None:
        """The main thread."""
        return next((thread for thread in self.threads if thread.is_main), None)

    def with_users(self, numbers: Mapping[int, int]) -> Dump:
        """The same with each user's number, by the id of its greenlet: memory alone does not tell who is a user."""
        greenlets = tuple(replace(one, user=numbers.get(one.id, one.user)) for one in self.greenlets)
        return replace(self, greenlets=greenlets)

    def with_peers(self, addresses: Mapping[int, tuple[str, str]]) -> Dump:
        """The same with both ends of the sockets that somebody waits for, by descriptor: the kernel knows them."""

        def with_ends(one: Greenlet) -> Greenlet:
            ends = addresses.get(one.wait.fd) if one.wait is not None else None
            if one.wait is None or ends is None:
                return one
            return replace(one, wait=replace(one.wait, local=ends[0], peer=ends[1]))

        return replace(self, greenlets=tuple(with_ends(one) for one in self.greenlets))

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
            file=folded(lock.file),
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


def caller(greenlet: Greenlet) -> Who:
    """Who runs in a thread: a user, the function of a greenlet that is none, or gevent's own."""
    if greenlet.user is not None:
        return Who(Whom.USER, greenlet.user, greenlet.run)
    name = greenlet.run or (greenlet.type if greenlet.is_hub else "")
    return Who(Whom.GREENLET, name=name) if name else Who(Whom.MAIN)


def awaited(wait: ParkedAt | None, lock: str = "") -> Awaited:
    """What somebody waits for, as it is kept; ``lock`` is the name of the lock that it is."""
    if wait is None:
        return Awaited(WaitKind.UNKNOWN, lock=lock)
    type_name = wait.type if wait.type.lower() != wait.kind else ""
    return Awaited(
        wait.kind,
        type=type_name,
        is_native=wait.is_native,
        fd=wait.fd,
        direction=wait.direction,
        peer=wait.peer,
        name=wait.name,
        lock=lock,
    )


def document(dump: Dump) -> Mapping[str, Any]:
    """A dump as it is kept that the agent did not write."""
    return asdict(replace(dump, locks={})) | {"locks": [asdict(lock) for lock in dump.locks.values()]}


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
        greenlets=tuple(_greenlet(row, stacks, data.get("catches", {})) for row in data["greenlets"]),
        threads=tuple(_thread(row, stacks) for row in data["threads"]),
        locks={row["id"]: _lock(row) for row in data["locks"]},
        pools=read_pools(data.get("pools")),
        loops=read_loops(data.get("coroutines", []), stacks),
    )


def _telling(name: str) -> tuple[bool, bool, int]:
    """What owns the lock's owner tells most, ``HTTPConnectionPool.pool.mutex``; names in private things tell least."""
    return not name.startswith(("_", "__main__")), name.count(".") == 2, -len(name)


def _greenlet(row: Mapping[str, Any], stacks: Sequence[tuple[Frame, ...]], catches: Mapping[str, Any]) -> Greenlet:
    catch = catches.get(str(row["stack"]))
    return Greenlet(
        id=row["id"],
        type=row["type"],
        run=row["run"],
        state=row["state"],
        user=row["user"],
        is_hub=row["is_hub"],
        stack=() if row["stack"] is None else stacks[row["stack"]],
        wait=_wait(row["parked_on"]),
        catch=Frame(*catch).place if catch else None,
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
        kind=WaitKind(row["kind"]),
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
    return Lock(
        id=row["id"],
        type=row["type"],
        names=tuple(row["names"]),
        waiters=row["waiters"],
        holder_greenlet=holder.get("greenlet", 0),
        holder_thread=holder.get("thread", 0),
        how=HeldBy(holder["how"]) if holder else None,
        code=holder.get("code", ""),
        file=holder.get("file", ""),
        line=holder.get("line", 0),
        function=holder.get("function", ""),
        is_certain=holder.get("is_certain", False),
    )
