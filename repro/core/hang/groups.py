"""The stuck users of a hang, grouped by what they wait for and where, and the stacks that matter for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from repro.core.hang.coroutines import OTHER, TASK, waiting_task
from repro.core.hang.dump import Dump, Greenlet, Lock, Thread, awaited, caller
from repro.core.hang.frames import Frame, has_own_frame, is_at_exit, own_frame, shortened, telling
from repro.core.hang.pools import Pool, full_pools, starved
from repro.findings import (
    Awaited,
    Holder,
    Place,
    Spot,
    SpotKind,
    Stack,
    StackOf,
    StuckGroup,
    StuckPool,
    WaitKind,
    Who,
    Whom,
)
from repro.model import HangClass

INNERMOST = 4
"""Telling frames by which stacks are one: enough to tell two waits apart, few enough that two callers of one meet."""

MOST_GROUPS = 3
RUNNING = frozenset({WaitKind.RUNNING, WaitKind.READY})
EVENT = "locust/event.py:fire"
THREAD_RUN = "Thread._bootstrap"
RESOLVING = "getaddrinfo"
_STEPS = dict.fromkeys(("getaddrinfo", "gethostbyname", "gethostbyname_ex"), RESOLVING)
_STEPS |= {name: name for name in ("connect", "do_handshake")}
"""By function what one does in it before a connection stands."""


@dataclass(frozen=True)
class View:
    """A process's stacks and the numbers of its users that are stuck.

    ``is_loop_silent`` says that its loop did not turn while the stacks were read from its memory.
    """

    dump: Dump
    users: Collection[int]
    is_loop_silent: bool = False

    @property
    def stuck(self) -> tuple[Greenlet, ...]:
        """The greenlets of the stuck users."""
        return tuple(item for item in self.dump.greenlets if item.user is not None and item.user in self.users)


@dataclass(frozen=True)
class Group:
    """Users that wait for the same kind of thing at the same place: how many, one of their stacks, what and where."""

    count: int
    kind: WaitKind
    frames: tuple[str, ...]
    example: Greenlet

    @property
    def key(self) -> tuple[WaitKind, tuple[str, ...]]:
        """What makes it a group."""
        return self.kind, self.frames


def grouped(views: Sequence[View]) -> tuple[Group, ...]:
    """The groups of all stuck users, the largest first; of equal ones the first by name."""
    stuck = [item for view in views for item in view.stuck]
    keys = [(item.wait.kind if item.wait else WaitKind.UNKNOWN, innermost(item.stack)) for item in stuck]
    examples = dict(zip(reversed(keys), reversed(stuck), strict=True))
    counts = Counter(keys)
    order = sorted(counts, key=lambda key: (-counts[key], key))
    return tuple(Group(counts[key], key[0], key[1], examples[key]) for key in order)


def innermost(stack: Sequence[Frame], *, most: int = INNERMOST) -> tuple[str, ...]:
    """The stack's innermost telling frames, normalised; equal neighbours, as of a recursion, count once."""
    names: list[str] = []
    for frame in telling(stack, most=len(stack)):
        if not names or names[-1] != frame.normalised:
            names.append(frame.normalised)
    return tuple(names[-most:])


def outermost(stack: Sequence[Frame], *, most: int = INNERMOST) -> tuple[str, ...]:
    """The stack's outermost telling frames, Locust's left out: what stays while the innermost come and go."""
    names = [frame.normalised for frame in telling(stack, most=len(stack))]
    own = [name for name in names if not name.startswith("locust/")]
    return tuple((own or names)[:most])


def blocked_main(views: Sequence[View]) -> tuple[Dump, Thread] | None:
    """The main thread of the first process whose event loop does not turn: its stacks were not written by the loop."""
    for view in views:
        main = view.dump.main
        is_seen = view.dump.mode == "thread" or view.is_loop_silent
        if is_seen and main is not None and not main.is_dumping:
            return view.dump, main
    return None


def stuck_pools(views: Sequence[View], *, is_standing: bool) -> tuple[StuckPool, ...]:
    """The pools whose queued tasks will never begin.

    Of a program that was found to stand because of its pools (``is_standing``) a full one is such a pool where no
    stack proves it of another one.
    """
    return tuple(
        StuckPool(
            type=pool.type,
            workers=len(pool.workers),
            queued=pool.queued,
            place=frame.place if (frame := own_frame(_stack_of_worker(view.dump, pool))) else None,
        )
        for view, pool in _proven(views) or (_full(views) if is_standing else [])
    )


def _proven(views: Sequence[View]) -> list[tuple[View, Pool]]:
    found = [(view, starved(view.dump.pools)) for view in views]
    return [(view, pool) for view, one in found if one is not None for pool in one.pools]


def _full(views: Sequence[View]) -> list[tuple[View, Pool]]:
    return [(view, pool) for view in views for pool in full_pools(view.dump.pools)]


def _stack_of_worker(dump: Dump, pool: Pool) -> tuple[Frame, ...]:
    """The stack of one of a pool's workers, rather of one in the program's own code."""
    stacks = [thread.stack for thread in dump.threads if thread.ident in pool.workers]
    stacks += [greenlet.stack for greenlet in dump.greenlets if greenlet.id in pool.workers]
    return next((stack for stack in stacks if has_own_frame(stack)), stacks[0] if stacks else ())


def turning(views: Sequence[View]) -> Greenlet | None:
    """One of the largest group of the stuck users that run, or are about to; None when none does."""
    return next((group.example for group in grouped(views) if group.kind in RUNNING), None)


def loop_of(stack: Sequence[Frame]) -> Place | None:
    """Where somebody was caught: the innermost frame that is not gevent's."""
    return telling(stack)[-1].place if stack else None


def native_call(dump: Dump, thread: Thread) -> Spot | None:
    """Where a thread stands, the native lock that it waits for where it is one, and who runs in it."""
    if not thread.stack:
        return None
    greenlet = dump.by_id(thread.greenlet)
    lock = _lock(dump, thread)
    return Spot(
        SpotKind.CALL,
        thread.stack[-1].place,
        wait=awaited(thread.wait, lock.name) if lock else None,
        who=caller(greenlet) if greenlet else None,
    )


def waiting_place(views: Sequence[View]) -> Spot | None:
    """Where a program without users stands: in its main thread, where a greenlet of its own is parked, or in a thread.

    Code of the program's own tells most; where none waits in any, a thread that gevent runs, then whatever the main
    thread is in.
    """
    main = blocked_main(views)
    task = _waiting_coroutine(views)
    if task is not None:
        return task
    if main is not None and has_own_frame(main[1].stack):
        return native_call(*main)
    spots = (_waiting_greenlet(views), _own_thread(views), _thread_of_gevent(views))
    found = next((spot for spot in spots if spot is not None), None)
    return found or (native_call(*main) if main is not None else None)


def _waiting_coroutine(views: Sequence[View]) -> Spot | None:
    """A task of asyncio of the program's own that waits; the thread that runs its loop tells nothing."""
    for view in views:
        task = waiting_task(view.dump.loops)
        if task is not None:
            kind = {TASK: WaitKind.GREENLET, OTHER: WaitKind.UNKNOWN}.get(task[1], WaitKind.EVENT)
            return Spot(SpotKind.TASK, task[0], wait=Awaited(kind, type=task[1] if kind is WaitKind.EVENT else ""))
    return None


def _waiting_greenlet(views: Sequence[View]) -> Spot | None:
    """A greenlet of the program's own that waits, rather for others than for its own timer."""
    waiting = [
        item
        for view in views
        for item in view.dump.greenlets
        if item.wait is not None and item.wait.kind not in {*RUNNING, WaitKind.HUB} and has_own_frame(item.stack)
    ]
    if not waiting:
        return None
    first = min(waiting, key=_remoteness)
    return Spot(SpotKind.GREENLET, telling(first.stack)[-1].place, wait=awaited(first.wait))


def left_waiting(views: Sequence[View]) -> Greenlet | None:
    """The one greenlet that waits for others where no code of the program's own waits for anything; None elsewhere.

    Of a program without users: nobody is left who could end its wait, as where a main greenlet joins an empty pool.
    """
    if _waiting_greenlet(views) is not None:
        return None
    others = [item for view in views for item in view.dump.greenlets if item.wait is not None and item.stack]
    waiting = [item for item in others if item.wait is not None and item.wait.kind not in _BY_THEMSELVES]
    return waiting[0] if len(waiting) == 1 else None


_BY_THEMSELVES = {*RUNNING, WaitKind.HUB, WaitKind.TIMER}


def native_threads(dump: Dump) -> list[Thread]:
    """The threads that run beside the main one, without the agent's and those of gevent's own pools."""
    return [
        thread
        for thread in dump.threads
        if thread.stack
        and not thread.is_main
        and not any(frame.normalised.startswith(_NOT_THE_PROGRAMS) for frame in thread.stack)
    ]


_NOT_THE_PROGRAMS = ("repro_agent/", "gevent/threadpool.py:", "gevent/_monitor.py:")


def _remoteness(item: Greenlet) -> tuple[bool, bool]:
    """A listener of Locust's events holds up whoever fires it, the stop above all; then who waits for others."""
    is_listener = any(frame.normalised == EVENT for frame in item.stack)
    return not is_listener, item.wait is not None and item.wait.kind is WaitKind.TIMER


def _own_thread(views: Sequence[View]) -> Spot | None:
    """A native thread in code of the program's own."""
    threads = [thread for view in views for thread in view.dump.threads if not thread.is_main and not thread.is_dumping]
    own = next((thread for thread in threads if has_own_frame(thread.stack)), None)
    if own is None:
        return None
    return Spot(SpotKind.THREAD, telling(own.stack)[-1].place, who=Who(Whom.THREAD, own.ident, own.name))


def _thread_of_gevent(views: Sequence[View]) -> Spot | None:
    """What the program takes for a thread, and gevent runs as a greenlet."""
    threads = [item for view in views for item in view.dump.greenlets if item.run.endswith(THREAD_RUN) and item.stack]
    if not threads:
        return None
    return Spot(SpotKind.GEVENT_THREAD, telling(threads[0].stack)[-1].place, wait=awaited(threads[0].wait))


def catching(views: Sequence[View]) -> tuple[Place, int] | None:
    """The handler of the program that swallows the GreenletExit of most stuck users, and of how many."""
    counts = Counter(item.catch for view in views for item in view.stuck if item.catch is not None)
    return next(iter(counts.most_common(1)), None)


def largest(views: Sequence[View]) -> StuckGroup | None:
    """The largest group of stuck users and where it is; None where that was not seen."""
    groups = grouped(views)
    return _kept(groups[0]) if groups and groups[0].example.stack else None


def native_holder(dump: Dump, thread: Thread) -> Holder | None:
    """Who holds the native lock that a thread waits for; None when that cannot be known."""
    lock = _lock(dump, thread)
    return dump.holder(lock) if lock is not None else None


def telling_stacks(views: Sequence[View], hang_class: HangClass) -> tuple[Stack, ...]:
    """The stacks that matter, the most telling first: who blocks, who holds, who waits."""
    found: list[Stack] = []
    main = blocked_main(views) if hang_class in {HangClass.FROZEN, HangClass.SPINNING} else None
    if main is not None:
        dump, thread = main
        found.append(_stack(StackOf.MAIN_THREAD, thread.stack, spot=native_call(dump, thread)))
        found += _holding(dump, [lock] if (lock := _lock(dump, thread)) else [])
    for view in views:
        found += _holding(view.dump, _awaited(view)) if main is None else []
    groups = [group for group in grouped(views) if main is None or group.example.id != main[1].greenlet]
    for group in groups[: MOST_GROUPS if main is None else 1]:
        found.append(_stack(StackOf.GROUP, group.example.stack, group=_kept(group)))
    if not groups:
        for view, pool in (_proven(views) or _full(views))[:MOST_GROUPS]:
            alike = StuckGroup(len(pool.workers), None)
            found.append(_stack(StackOf.WORKER, _stack_of_worker(view.dump, pool), group=alike))
    return tuple(found)


def unconnected(views: Sequence[View]) -> Counter[str]:
    """How many of the stuck still resolve a name, ``connect``, or are in ``do_handshake``: the innermost counts."""
    steps = (_step(item) for view in views for item in view.stuck)
    return Counter(step for step in steps if step)


def peers_elsewhere(views: Sequence[View], backend_url: str) -> tuple[str, ...]:
    """Whom the stuck that wait on sockets wait for, where none is the backend; empty where some are, or nobody knows.

    Addresses (``host:port``) are told apart by their ports: a name may stand for several hosts, and a backend on
    loopback has its own port.
    """
    waits = [item.wait for view in views for item in view.stuck if item.wait is not None]
    peers = Counter(wait.peer for wait in waits if wait.kind is WaitKind.SOCKET)
    url = urlsplit(backend_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    if not backend_url or any(not peer or peer.rpartition(":")[2] == str(port) for peer in peers):
        return ()
    return tuple(sorted(peers))


def _step(greenlet: Greenlet) -> str:
    names = (frame.function.rpartition(".")[2] for frame in reversed(greenlet.stack))
    return next((_STEPS[name] for name in names if name in _STEPS), "")


def unwoken_frames(views: Sequence[View]) -> frozenset[str]:
    """The normalised frames in which one is parked on nothing that could wake it: a wake-up was lost."""
    stuck = [item for view in views for item in view.stuck if item.wait is not None and item.stack]
    return frozenset(item.stack[-1].normalised for item in stuck if item.wait and item.wait.kind is WaitKind.NOTHING)


def seen_frames(
    views: Sequence[View], *, dropped: Sequence[Sequence[str]] = (), has_main: bool = True
) -> frozenset[str]:
    """All normalised frames that matter: of the stuck, of a main thread that blocks, of those who hold what they want.

    Of a process that exits they are those of all that it waits for.

    ``dropped`` are the frames of exceptions that Python dropped. Without ``has_main`` the main thread's are left out:
    where it happens to be while its loop turns says nothing about those who wait.
    """
    found = {name for frames in dropped for name in frames}
    blocked = blocked_main(views) if has_main else None
    stacks = [blocked[1].stack] if blocked is not None else []
    for view in views:
        main = blocked[1] if blocked is not None and blocked[0] is view.dump else None
        stacks += [item.stack for item in (*view.stuck, *_holders(view, main))]
        if any(is_at_exit(item.stack) for item in view.dump.greenlets):
            stacks += [item.stack for item in view.dump.greenlets]
    return frozenset(found | {frame.normalised for stack in stacks for frame in stack})


def _holders(view: View, main: Thread | None) -> Sequence[Greenlet]:
    """Those who hold what the stuck users, or the main thread, wait for, and who hold what these wait for in turn."""
    found: dict[int, Greenlet] = {}
    waits = [item.wait for item in view.stuck] + ([main.wait] if main is not None else [])
    while waits:
        wait = waits.pop()
        lock = view.dump.locks.get(wait.lock) if wait is not None else None
        holder = holder_of(view.dump, lock) if lock is not None else None
        if holder is not None and holder.id not in found:
            found[holder.id] = holder
            waits.append(holder.wait)
    return list(found.values())


def holder_of(dump: Dump, lock: Lock) -> Greenlet | None:
    """The greenlet that holds a lock, where it is known."""
    return dump.by_id(lock.holder_greenlet)


def _holding(dump: Dump, locks: Sequence[Lock]) -> list[Stack]:
    holders = [(lock, holder_of(dump, lock)) for lock in locks]
    return [
        _stack(StackOf.HOLDER, holder.stack, lock=lock.name, holder=dump.holder(lock))
        for lock, holder in holders[:MOST_GROUPS]
        if holder is not None
    ]


def _stack(
    of: StackOf,
    stack: Sequence[Frame],
    *,
    spot: Spot | None = None,
    lock: str = "",
    holder: Holder | None = None,
    group: StuckGroup | None = None,
) -> Stack:
    shown = shortened(stack)
    return Stack(
        of=of,
        frames=tuple(frame.place for frame in shown),
        is_cut=len(shown) < len(stack),
        spot=spot,
        lock=lock,
        holder=holder,
        group=group,
    )


def _kept(group: Group) -> StuckGroup:
    is_running = group.kind in RUNNING
    wait = None if is_running else awaited(group.example.wait)
    return StuckGroup(group.count, loop_of(group.example.stack), wait=wait, is_running=is_running)


def _awaited(view: View) -> list[Lock]:
    counts = Counter(item.wait.lock for item in view.stuck if item.wait is not None)
    return [view.dump.locks[lock] for lock, _ in counts.most_common() if lock in view.dump.locks]


def _lock(dump: Dump, thread: Thread) -> Lock | None:
    return dump.locks.get(thread.wait.lock) if thread.wait is not None else None
