"""asyncio's tasks: where each stands, what it waits for, and whether anything but another task could wake it.

Only facts are written; ``core/hang/coroutines.py`` judges. A loop is found by the frame in which it runs, so that one
of another library, which has none, is left out. Nothing is imported.
"""

import gc
import sys

from repro_agent.stacks.frames import path_of
from repro_agent.stacks.names import attribute

MOST_TASKS = 500
MOST_DEEP = 40
_LOOP = "asyncio/base_events.py"
_WAITS = ("asyncio/tasks.py", "asyncio/taskgroups.py")
_PRIMITIVES = ("asyncio.locks", "asyncio.queues")
_HARMLESS = ("aiohttp.client_proto", "aiohttp.connector", "aiohttp.helpers")
"""An idle connection that a client keeps, and its timers, wake no task of the program."""
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM")


def loops(tops, stack_of):
    """A record for each running loop: its tasks, and what may wake them from outside.

    ``tops`` are the threads' innermost frames; ``stack_of`` keeps frames, the innermost first, and gives their index.
    """
    module = sys.modules.get("asyncio.tasks")
    if module is None:
        return []
    found = {}
    for top in tops:
        loop = _loop_in(top)
        if loop is not None:
            found[id(loop)] = loop
    return [_record(loop, list(module.all_tasks(loop))[:MOST_TASKS], stack_of) for loop in found.values()]


def _loop_in(frame):
    while frame is not None:
        if frame.f_code.co_name == "_run_once" and path_of(frame).endswith(_LOOP):
            return frame.f_locals.get("self")
        frame = frame.f_back
    return None


def _record(loop, tasks, stack_of):
    waiters = {id(task): attribute(task, "_fut_waiter") for task in tasks}
    owners = _owners([waiter for waiter in waiters.values() if waiter is not None])
    known = {id(task) for task in tasks}
    return {
        "outside": _outside(loop),
        "tasks": [
            {
                "name": str(task.get_name()),
                "stack": stack_of(frames),
                "waits_for": _kind(waiters[id(task)], _parts(waiters[id(task)], frames), known, owners),
            }
            for task, frames in ((task, _frames(task.get_coro())) for task in tasks)
        ],
    }


def _frames(coroutine):
    """The frames in which a coroutine stands, the innermost first."""
    frames = []
    for _ in range(MOST_DEEP):
        frame = _first(coroutine, "cr_frame", "gi_frame", "ag_frame")
        if frame is None:
            break
        frames.append(frame)
        coroutine = _first(coroutine, "cr_await", "gi_yieldfrom", "ag_await")
    return frames[::-1]


def _first(item, *names):
    """The first of these attributes that it has; None where it has none."""
    return next((value for name in names if (value := attribute(item, name)) is not None), None)


def _parts(waiter, frames):
    """All whose end a task waits for by ``gather``, ``wait`` or a task group; none elsewhere."""
    children = attribute(waiter, "_children")
    if children is not None:
        return list(children)
    if frames and path_of(frames[0]).endswith(_WAITS):
        kept = frames[0].f_locals
        found = kept.get("fs") if "fs" in kept else attribute(kept.get("self"), "_tasks")
        return list(found) if isinstance(found, (list, tuple, set)) else []
    return []


def _kind(waiter, parts, known, owners):
    """What a task waits for: ``task``, the type of a lock or queue of asyncio's, ``other``; "" where it will run."""
    if waiter is None:
        return ""
    if id(waiter) in known or (parts and all(part.done() or id(part) in known for part in parts)):
        return "task"
    return owners.get(id(waiter), "other")


def _owners(futures):
    """The type of the lock or queue in whose line each of these futures stands, by its identity."""
    wanted = {id(future) for future in futures}
    lines = [item for item in gc.get_referrers(*futures) if type(item).__name__ == "deque"] if futures else []
    owners = {}
    for owner in gc.get_referrers(*lines) if lines else ():
        kept = owner if type(owner) is dict else getattr(owner, "__dict__", None) or {}
        for holder in [owner] if type(owner) is not dict else gc.get_referrers(owner):
            if type(holder).__module__ in _PRIMITIVES:
                for line in kept.values():
                    if type(line).__name__ == "deque":
                        owners.update((id(part), type(holder).__name__) for part in list(line) if id(part) in wanted)
    return owners


def _outside(loop):
    """What could wake one of its tasks, each by a word: work that is due, timers, sockets, signals."""
    ready, scheduled = attribute(loop, "_ready"), attribute(loop, "_scheduled")
    selector = attribute(loop, "_selector")
    if scheduled is None or selector is None:
        return ["unknown"]
    found = ["ready"] if ready else []
    found += ["timer" for handle in list(scheduled) if not attribute(handle, "_cancelled") and not _is_harmless(handle)]
    for key in list(selector.get_map().values()):
        handles = [handle for handle in key.data or () if handle is not None]
        found += ["socket" for handle in handles if not _is_harmless(handle)]
    return sorted(set(found + (["signal"] if attribute(loop, "_signal_handlers") or _has_handlers() else [])))


def _is_harmless(handle):
    """Whether what it calls wakes no task: the loop's own pipe, or the idle connection of a client."""
    call = attribute(handle, "_callback")
    if getattr(call, "__name__", "") == "_read_from_self":
        return True
    bound = getattr(call, "__self__", None)
    protocol = attribute(bound, "_protocol")
    protocol = attribute(protocol, "_app_protocol") or protocol  # TLS lies between
    modules = [getattr(call, "__module__", None), type(bound).__module__, type(protocol).__module__]
    modules += [type(part).__module__ for part in attribute(handle, "_args") or ()]
    is_idle = attribute(protocol, "_payload") is None if protocol is not None else True
    return is_idle and any(str(module) in _HARMLESS for module in modules)


def _has_handlers():
    """Whether the program handles a signal itself, which may set what a task waits for."""
    module = sys.modules.get("signal")
    for name in _SIGNALS if module is not None else ():
        handler = module.getsignal(getattr(module, name, 2))
        own = getattr(handler, "func", handler)  # asyncio's own for Ctrl-C is a partial
        if callable(handler) and getattr(own, "__module__", "") not in ("signal", "_signal", "asyncio.runners"):
            return True
    return False
