"""What each user of a dump waits for, as the judge wants it: its own wait, and who could end it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from repro.core.hang.dump import Dump, Greenlet, ParkedAt, awaited
from repro.core.hang.frames import has_own_frame
from repro.core.judge.samples import Parked, ParkedOn
from repro.findings import HeldBy, WaitKind

_ON = {
    WaitKind.SOCKET: ParkedOn.SOCKET,
    WaitKind.TIMER: ParkedOn.TIMER,
    WaitKind.LOCK: ParkedOn.LOCK,
    WaitKind.SEMAPHORE: ParkedOn.LOCK,
    WaitKind.EVENT: ParkedOn.EVENT,
    WaitKind.QUEUE: ParkedOn.EVENT,
    WaitKind.GREENLET: ParkedOn.EVENT,
    WaitKind.NOTHING: ParkedOn.NOTHING,
    WaitKind.THREAD: ParkedOn.ELSEWHERE,
    WaitKind.PROCESS: ParkedOn.ELSEWHERE,
    WaitKind.RUNNING: ParkedOn.RUNNING,
    WaitKind.READY: ParkedOn.RUNNING,
}


@dataclass(frozen=True)
class SocketState:
    """A socket by the kernel: bytes that lie unread in it, and whether the backend has not taken what it sent."""

    unread: int = 0
    is_unserved: bool = False


def parked(dump: Dump, sockets: Mapping[int, SocketState] = MappingProxyType({})) -> Mapping[int, Parked]:
    """What each user of the dump is parked on, by its number, as the judge wants it; ``sockets`` by descriptor."""
    return {item.user: _parked(item, dump, sockets) for item in dump.greenlets if item.user is not None}


def is_stirring(dump: Dump, *, within_s: float) -> bool:
    """Whether a user, or another greenlet of the program, wakes up within this many seconds: it might wake others."""
    return any(
        item.wait is not None
        and item.wait.kind is WaitKind.TIMER
        and item.wait.left_s <= within_s
        and (item.user is not None or has_own_frame(item.stack))
        for item in dump.greenlets
    )


def _parked(greenlet: Greenlet, dump: Dump, sockets: Mapping[int, SocketState]) -> Parked:
    wait = greenlet.wait or ParkedAt(WaitKind.UNKNOWN)
    is_reading = wait.kind is WaitKind.SOCKET and "read" in wait.direction
    state = sockets.get(wait.fd, SocketState()) if is_reading else SocketState()
    lock = dump.locks.get(wait.lock)
    name = lock.name if lock else ""
    root = _root(greenlet, dump)
    root_wait = (root.wait if root else None) or ParkedAt(WaitKind.UNKNOWN)
    inside = dump.by_id(lock.holder_greenlet) if lock and lock.how is HeldBy.BLOCK else None
    return Parked(
        on=_ON.get(wait.kind, ParkedOn.UNKNOWN),
        wait=awaited(wait, name),
        lock=f"{dump.pid}:{wait.lock}" if wait.lock else "",
        holder=dump.holder(lock) if lock else None,
        unread=state.unread,
        is_unserved=state.is_unserved,
        has_timeout=wait.has_timeout,
        left_s=wait.left_s,
        root=_ON.get(root_wait.kind, ParkedOn.UNKNOWN) if root else None,
        root_user=root.user if root else None,
        root_left_s=root_wait.left_s,
        inside=inside.user if inside else None,
    )


def _root(greenlet: Greenlet, dump: Dump) -> Greenlet | None:
    """The last one in the chain of those who hold what the one before waits for; None when it leads nowhere.

    A holder that is a guess counts only where it sleeps, which is soon over.
    """
    met = {greenlet.id}
    last: Greenlet | None = greenlet
    is_certain = True
    while last is not None and last.wait is not None and last.wait.lock in dump.locks:
        lock = dump.locks[last.wait.lock]
        last = dump.by_id(lock.holder_greenlet)
        if last is None or last.id in met:
            return None
        met.add(last.id)
        is_certain = is_certain and lock.is_certain
    if (
        last is greenlet
        or last is None
        or (not is_certain and last.wait is not None and last.wait.kind is not WaitKind.TIMER)
    ):
        return None
    return last
