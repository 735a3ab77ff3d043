"""Stacks in words: where somebody stands, what is waited for, who holds it."""

from __future__ import annotations

from repro.agent.layout import OTHERS_FROM
from repro.findings import (
    Awaited,
    GilOwner,
    HeldBy,
    Holder,
    Place,
    Spot,
    SpotKind,
    Stack,
    StackOf,
    StuckGroup,
    Swallowed,
    WaitKind,
    Whom,
)

MOST_FRAMES = 4


def place_text(place: Place) -> str:
    """``gevent/_threading.py:put, line 188, `with self._mutex:```."""
    code = f", `{place.code}`" if place.code else ""
    return f"{place.file}:{place.function.rpartition('.')[2]}, line {place.line}{code}"


def spot_text(spot: Spot) -> str:
    """``gevent/_threading.py:put, line 188, `with self._mutex:`, called by user 7``."""
    place = place_text(spot.place)
    if spot.kind is SpotKind.THREAD:
        return f"{_name(spot)} in {place}"
    if spot.kind is SpotKind.TASK:
        return place
    if spot.kind is SpotKind.GREENLET:
        return f"{place}, waiting for {awaited_text(spot.wait)}"
    if spot.kind is SpotKind.GEVENT_THREAD:
        return f"a thread that gevent runs, {place}, waiting for {awaited_text(spot.wait)}"
    wait = f", waiting for the native lock `{spot.wait.lock}`" if spot.wait else ""
    return f"{place}{wait}{f', called by {_name(spot)}' if spot.who else ''}"


def standing_text(spot: Spot) -> str:
    """A sentence without its full stop: ``The main thread is at gevent/_threading.py:put, line 188``."""
    if spot.kind is SpotKind.THREAD:
        name = _name(spot)
        return f"{name[:1].upper()}{name[1:]} is at {place_text(spot.place)}"
    if spot.kind is SpotKind.GREENLET:
        return f"A greenlet is at {spot_text(spot)}"
    if spot.kind is SpotKind.TASK:
        what = f", waiting for an asyncio.{spot.wait.type}" if spot.wait is not None and spot.wait.type else ""
        return f"A task of asyncio is at {place_text(spot.place)}{what}"
    if spot.kind is SpotKind.GEVENT_THREAD:
        wait = f", waiting for {awaited_text(spot.wait)}"
        return f"A thread that gevent runs as a greenlet is at {place_text(spot.place)}{wait}"
    return f"The main thread is at {spot_text(spot)}"


def gil_owner_text(owner: GilOwner) -> str:
    """``the main thread, in sre_ucs1_match of libpython3.11.so.1.0, called at mine.py:work, line 7``."""
    thread = "the main thread" if owner.is_main else f"thread {owner.thread}" if owner.thread else "another thread"
    call = f", in {owner.function} of {owner.library}" if owner.function else ""
    place = f", {'called at' if call else 'at'} {place_text(owner.place)}" if owner.place else ""
    return f"{thread}{call}{place}"


def _name(spot: Spot) -> str:
    return who_text(spot.who.whom, spot.who.number, spot.who.name) if spot.who else ""


def who_text(whom: Whom, number: int, name: str) -> str:
    """``user 3``, or ``greenlet 3 of use_pools`` for one that calls the client and is not a user of Locust."""
    if whom is Whom.USER and number < OTHERS_FROM:
        return f"user {number}"
    if whom is Whom.USER:
        return f"greenlet {number - OTHERS_FROM}{f' of {name}' if name else ''}"
    others = {
        Whom.GREENLET: name,
        Whom.MAIN: "the main greenlet",
        Whom.THREAD: f"thread {name or number}",
        Whom.ENDED: "a greenlet that has ended",
    }
    return others[whom]


def awaited_text(wait: Awaited | None) -> str:
    """``socket 8 to 127.0.0.1:5000, to read``; the name of a lock is another's to say."""
    if wait is None:
        return "unknown"
    if wait.kind is WaitKind.SOCKET:
        peer = f" to {wait.peer}" if wait.peer else ""
        return f"socket {wait.fd}{peer}, to {wait.direction}"
    native = "native " if wait.is_native else ""
    name = f" {wait.name}" if wait.name else ""
    kind = f" {wait.type}" if wait.type else ""
    return f"{native}{wait.kind}{kind}{name}"


def holder_text(holder: Holder) -> str:
    """``user 2 (it stands in `with self.mutex` at queue.py:9 in put)``."""
    who = who_text(holder.whom, holder.number, holder.name)
    who = f"the greenlet of {who}" if holder.whom is Whom.GREENLET else who
    how = {
        HeldBy.OWNER: "the lock names it as its owner",
        HeldBy.BLOCK: f"it is inside `{holder.code}`",
        HeldBy.ACQUIRE: f"by `{holder.code}`",
    }
    place = f" at {holder.file}:{holder.line} in {holder.function}" if holder.file else ""
    return f"{who} ({how[holder.how]}{place})"


def held_by(holder: Holder) -> str:
    """``held by user 2 (…)``, or ``probably held by user 2 (…)`` where that is a guess."""
    return f"{'' if holder.is_certain else 'probably '}held by {holder_text(holder)}"


def largest_text(group: StuckGroup) -> str:
    """``3 in mine.py:work, line 9, `lock.acquire()`, waiting for lock``."""
    doing = "running" if group.is_running else f"waiting for {awaited_text(group.wait)}"
    return f"{group.count} in {place_text(group.place) if group.place else ''}, {doing}"


def stack_text(stack: Stack) -> str:
    """A line that says whose stack it is, and its frames, the outermost first."""
    return f"{_head(stack)}\n{frames_text(stack)}"


def frames_text(stack: Stack) -> str:
    """A frame a line: ``queue.py:9 Queue.get  self.mutex.acquire()``."""
    return "\n".join([*(["…"] if stack.is_cut else []), *(_row(frame) for frame in stack.frames)])


def _head(stack: Stack) -> str:
    if stack.of is StackOf.MAIN_THREAD:
        return f"main thread: {spot_text(stack.spot) if stack.spot else ''}"
    if stack.of is StackOf.HOLDER:
        doubt = "" if stack.holder is None or stack.holder.is_certain else "probably "
        return f"{stack.lock} is held by {doubt}{holder_text(stack.holder) if stack.holder else ''}"
    group = stack.group or StuckGroup(0, None)
    if stack.of is StackOf.WORKER:
        return f"{group.count} {'worker' if group.count == 1 else 'workers'} of a pool"
    doing = "running" if group.is_running else f"parked on {awaited_text(group.wait)}"
    return f"{group.count} {'user' if group.count == 1 else 'users'} {doing}"


def _row(place: Place) -> str:
    code = f"  {place.code}" if place.code else ""
    return f"{place.file}:{place.line} {place.function}{code}"


def swallowed_text(dropped: Swallowed) -> str:
    """One line: ``Exception ignored in <finalize object>: … urllib3/connectionpool.py:_close_pool_connections …``."""
    own = [name for name in dropped.frames if not name.startswith("weakref.py:")]
    path = " → ".join(own if len(own) <= MOST_FRAMES else (*own[: MOST_FRAMES - 1], "…", own[-1]))
    return f"Exception ignored in {dropped.where}: {dropped.error}, through {path}"
