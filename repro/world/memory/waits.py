"""What the parked greenlets of another process wait for, as gevent's own objects tell it.

    lock, event or joined greenlet ─ list of those to wake ─┐
    socket's or timer's watcher ───────────── its callback ─┼▶ bound method ─▶ (waiter ─▶) greenlet
    call that the loop is about to make ───── its callback ─┘

A lock tells its counter too, and a lock of gevent that may be taken twice tells its owner. A counter above 0 with
somebody in the list is a lock that is free and was given to nobody, if it stays so (``confirmation.py``).
"""

from __future__ import annotations

import struct
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from repro.core.hang.dump import Lock, ParkedAt
from repro.findings import HeldBy, WaitKind
from repro.world.memory.greenlets import MOST_REFERENCES, scan
from repro.world.memory.objects import Objects
from repro.world.memory.source.pages import TornError

MOST_WAITERS = 100_000
DOUBLE = struct.Struct("<d").unpack_from
UNKNOWN_S = -1.0
"""The seconds that are left of a timer where nothing tells the time."""
READS, WRITES = 1, 2
"""libev's bits."""
CALLED = frozenset({"method", "builtin_function_or_method", "function", "functools.partial"})
"""Types of callbacks, compiled methods aside, which are bound as those of Python are."""


class Family(StrEnum):
    """What an object of gevent's is, by its type's name, and by those that it derives from."""

    SOCKET = "libev.corecext.io"
    TIMER = "libev.corecext.timer"
    PENDING = "libev.corecext.callback"
    WAITER = "Waiter"
    SEMAPHORE = "Semaphore"
    LINKABLE = "AbstractLinkable"
    JOINED = "Greenlet"
    OWNED = "RLock"


KINDS = {Family.SEMAPHORE: WaitKind.SEMAPHORE, Family.LINKABLE: WaitKind.EVENT, Family.JOINED: WaitKind.GREENLET}
"""By what somebody waits for: how a dump names it."""


@dataclass(frozen=True)
class Waits:
    """By a greenlet's address what it waits for, and by a lock's address the lock.

    ``to_come`` is how many sockets and timers of the loop begin something new: a server's function, a greenlet.
    """

    by_greenlet: Mapping[int, ParkedAt] = field(default_factory=dict)
    locks: Mapping[int, Lock] = field(default_factory=dict)
    to_come: int = 0


class WaitReader:
    """Finds them, for the greenlets that are parked."""

    def __init__(self, objects: Objects, greenlets: Collection[int]) -> None:
        self._objects = objects
        self._memory = objects.memory
        self._layout = objects.layout
        self._greenlets = frozenset(greenlets)
        self._waiter_types: frozenset[int] = frozenset()
        self._types: Mapping[int, Family] = {}
        self._places: Sequence[int] = ()

    def read(self, *, limit_s: float) -> Waits:
        """What memory tells within so many seconds; nothing where gevent's layout could not be learned."""
        if not self._greenlets or not self._layout.has("watcher_callback"):
            return Waits()
        deadline = time.monotonic() + limit_s
        families = self._families(deadline)
        self._waiter_types = frozenset(families[Family.WAITER])
        self._types = {
            kind: family for family, kinds in families.items() for kind in kinds if family is not Family.WAITER
        }
        self._places, _ = scan(self._memory, list(self._types), deadline=deadline)
        return self.again()

    def again(self) -> Waits:
        """What the same places tell now: some milliseconds' reading, where all memory takes a hundred."""
        self._memory.forget()
        instances = self._instances()
        watched = self._watched(instances)
        linked, locks = self._linked(instances)
        return Waits(
            {one: _together(linked.get(one), watched.get(one, ())) for one in linked.keys() | watched.keys()},
            locks,
            sum(self._is_to_come(address) for address in (*instances[Family.SOCKET], *instances[Family.TIMER])),
        )

    # Types and their objects

    def _families(self, deadline: float) -> Mapping[Family, list[int]]:
        """The addresses of the types of each family: all types of the process are looked at by their names."""
        hits, _ = scan(self._memory, [self._objects.types["type"]], deadline=deadline)
        found: dict[Family, list[int]] = defaultdict(list)
        for hit in hits:
            kind = hit - self._layout["ob_type"]
            family = self._family(kind)
            if family is not None:
                found[family].append(kind)
        return found

    def _family(self, kind: int) -> Family | None:
        try:
            names = list(self._names(kind))
        except (TornError, UnicodeDecodeError):
            return None
        if not any(name.startswith("gevent.") for name in names) and names[:1] != [Family.OWNED.value]:
            return None
        return next((one for one in Family if any(_ends_in(name, one.value) for name in names)), None)

    def _names(self, kind: int) -> Iterator[str]:
        """The type's name and those of its bases."""
        for _ in range(8):
            if not kind or self._memory.region(kind) is None:
                return
            yield self._objects.type_name(kind)
            kind = self._memory.word(kind + self._layout["tp_base"])

    def _instances(self) -> Mapping[Family, list[int]]:
        """Those that live now: who moves fast makes its next timer where an earlier one was."""
        found: dict[Family, list[int]] = defaultdict(list)
        for hit in self._places:
            address = hit - self._layout["ob_type"]
            try:
                is_living = address % 16 == 0 and 0 < self._memory.word(address) < MOST_REFERENCES
                kind = self._memory.word(hit)
            except TornError:
                continue
            if is_living and kind in self._types:
                found[self._types[kind]].append(address)
        return found

    # Who is woken by what

    def _woken_by(self, callback: int) -> int | None:
        """The greenlet that this callback switches to, directly or through a waiter."""
        bound = self._bound_to(callback)
        if bound and self._memory.region(bound) and self._objects.type_of(bound) in self._waiter_types:
            bound = self._memory.word(bound + self._layout["waiter_greenlet"])
        return bound if bound in self._greenlets else None

    def _bound_to(self, callback: int) -> int:
        """Whose method a callback is; what is no method stands for itself."""
        kind = self._objects.type_of(callback)
        if kind == self._objects.types["builtin"]:
            return self._memory.word(callback + self._layout["method_self"])
        if kind == self._objects.types["method"]:
            return self._memory.word(callback + self._layout["bound_self"])
        return callback

    def _watched(self, instances: Mapping[Family, Sequence[int]]) -> Mapping[int, list[ParkedAt]]:
        """By greenlet the sockets, timers and calls that would wake it."""
        found: dict[int, list[ParkedAt]] = defaultdict(list)
        for family, read, field_of in (
            (Family.SOCKET, self._socket, "watcher_callback"),
            (Family.TIMER, self._timer, "watcher_callback"),
            (Family.PENDING, lambda _: ParkedAt(WaitKind.READY), "pending_callback"),
        ):
            for address in instances[family]:
                try:
                    callback = self._memory.word(address + self._layout[field_of])
                    greenlet = self._woken_by(callback) if callback else None
                    if greenlet is not None:
                        found[greenlet].append(read(address))
                except TornError:
                    continue
        return found

    def _is_to_come(self, watcher: int) -> bool:
        """Whether this calls a function for a socket, as a server's does, or begins a greenlet when its time comes.

        A function that a timer calls does not count: it is an interval's, which most loops have.
        """
        try:
            callback = self._memory.word(watcher + self._layout["watcher_callback"])
            if not callback or self._woken_by(callback) is not None:
                return False
            if self._types[self._objects.type_of(watcher)] is Family.TIMER:
                return _is_greenlet_in(self._names(self._objects.type_of(self._bound_to(callback))))
            events = self._memory.integer(watcher + self._layout["watcher_events"])
            return bool(events & (READS | WRITES)) and self._is_handler(callback)
        except (TornError, UnicodeDecodeError, KeyError):
            return False

    def _is_handler(self, callback: int) -> bool:
        """Whether this is a function, or a method of what is neither a greenlet, parked or not, nor a waiter."""
        if self._objects.type_name(self._objects.type_of(callback)) not in CALLED:
            return False
        kind = self._objects.type_of(self._bound_to(callback))
        return kind not in self._waiter_types and not _is_greenlet_in(self._names(kind))

    def _socket(self, watcher: int) -> ParkedAt:
        events = self._memory.integer(watcher + self._layout["watcher_events"])
        ways = [name for bit, name in ((READS, "read"), (WRITES, "write")) if events & bit]
        fd = self._memory.integer(watcher + self._layout["watcher_fd"])
        return ParkedAt(WaitKind.SOCKET, fd=fd, direction=" or ".join(ways))

    def _timer(self, watcher: int) -> ParkedAt:
        due = float(DOUBLE(self._memory.read(watcher + self._layout["timer_due"], 8))[0])
        now = self._memory.now()
        return ParkedAt(WaitKind.TIMER, left_s=UNKNOWN_S if now is None else round(max(0.0, due - now), 1))

    def _linked(self, instances: Mapping[Family, Sequence[int]]) -> tuple[Mapping[int, ParkedAt], Mapping[int, Lock]]:
        """By greenlet the lock, the event or the greenlet that would wake it; and those locks."""
        waits: dict[int, ParkedAt] = {}
        locks: dict[int, Lock] = {}
        owners = self._owners(instances[Family.OWNED])
        for family, kind in KINDS.items():
            for address in instances[family]:
                waiters = self._waiters(address, family)
                if not waiters:
                    continue
                name = self._objects.type_name(self._objects.type_of(address)).rpartition(".")[2]
                waits |= {one: ParkedAt(kind, type=name, lock=address) for one in waiters}
                counter = self._counter(address) if family is Family.SEMAPHORE else -1
                is_free = counter > 0
                lock = Lock(id=address, type=name, names=(), waiters=len(waiters), is_free=is_free, counter=counter)
                locks[address] = self._owned(lock, owners.get(address, 0))
        return waits, locks

    def _waiters(self, address: int, family: Family) -> list[int]:
        """The greenlets in the list of those to wake."""
        try:
            links = self._memory.word(
                address + self._layout["greenlet_links" if family is Family.JOINED else "lock_links"]
            )
            if not links or self._objects.type_of(links) != self._objects.types["list"]:
                return []
            callbacks = self._objects.items(links, most=MOST_WAITERS)
            return [one for callback in callbacks if (one := self._woken_by(callback)) is not None]
        except TornError:
            return []

    def _owners(self, locks: Iterable[int]) -> Mapping[int, int]:
        """By the lock inside: the greenlet that owns a lock that may be taken twice."""
        found = {}
        for address in locks:
            try:
                inside = self._memory.word(address + self._layout["rlock_block"])
                found[inside] = self._memory.word(address + self._layout["rlock_owner"])
            except TornError:
                continue
        return found

    def _counter(self, semaphore: int) -> int:
        """How many could take it at once; 0 while it is held."""
        return self._memory.integer(semaphore + self._layout["lock_counter"])

    def _owned(self, lock: Lock, owner: int) -> Lock:
        """The lock with its owner, where that is a greenlet."""
        if owner not in self._greenlets:
            return lock
        return replace(lock, holder_greenlet=owner, how=HeldBy.OWNER, is_certain=True)


def _is_greenlet_in(type_names: Iterable[str]) -> bool:
    return any(name.rpartition(".")[2].lower() == "greenlet" for name in type_names)


def _ends_in(name: str, ending: str) -> bool:
    return (
        name == ending or name.endswith((f".{ending}", f"_{ending}")) or (ending == "Semaphore" and "emaphore" in name)
    )


def _together(linked: ParkedAt | None, watched: Sequence[ParkedAt]) -> ParkedAt:
    """What a greenlet waits for above all: its turn; a lock or a socket, with the time that ends it; the time alone."""
    if any(one.kind is WaitKind.READY for one in watched):
        return ParkedAt(WaitKind.READY)
    left_s = min((one.left_s for one in watched if one.kind is WaitKind.TIMER), default=float("inf"))
    first = linked or next((one for one in watched if one.kind is WaitKind.SOCKET), None)
    if first is None:
        return ParkedAt(WaitKind.TIMER, left_s=left_s)
    return replace(first, has_timeout=left_s != float("inf"), left_s=left_s)
