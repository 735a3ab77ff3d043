"""Pools of workers whose tasks wait for other tasks: who runs which, which lie in a queue, who waits for which.

Only facts are written; ``core/hang/pools.py`` judges whether any of it can go on. Futures are read by their attributes,
without a lock, and pools are found from the frames of their workers and of those who wait: no walk over all objects.
"""

import gc
import sys

from repro_agent.stacks.frames import outwards, path_of
from repro_agent.stacks.names import attribute

MOST_FRAMES = 200
MOST_TASKS = 2000
MOST_DEEP = 20

_FUTURES = "concurrent/futures/_base.py"
_EXECUTOR = "concurrent/futures/thread.py"
_POOL = "multiprocessing/pool.py"
_OPEN = ("PENDING", "RUNNING")


class Pools:
    """The pools, the tasks that somebody waits for, and the waits, of ``runners``: pairs of a key and its top frame.

    A key is a thread's identity, or that of a greenlet, which gevent gives out as its thread's.
    """

    def __init__(self, runners):
        self._runners = runners
        self._pools = {}
        self._tasks = {}
        self._run_by = {}
        self._queued_in = {}
        self._asked = []
        self._timers = {}
        if "concurrent.futures.thread" in sys.modules or "multiprocessing.pool" in sys.modules:
            self._read()

    def document(self):
        """The records of all of it; None where there are no pools."""
        if not self._pools:
            return None
        return {
            "pools": list(self._pools.values()),
            "tasks": list(self._tasks.values()),
            "waits": self._asked,
        }

    def _read(self):
        waits = []
        for key, top in self._runners:
            frames = list(outwards(top, MOST_FRAMES))
            for frame in frames:
                self._note_worker(key, frame)
            wait = _wait_of(frames)
            if wait is not None:
                waits.append((key, wait))
        for key, (awaited, joined, has_timeout) in waits:
            tasks = [self._task(task, 0) for task in awaited[:MOST_TASKS]]
            record = {"runner": key, "tasks": [task for task in tasks if task], "joins": joined}
            record["has_timeout"] = has_timeout
            self._asked.append(record)

    # Who works

    def _note_worker(self, key, frame):
        """What this frame tells of a pool: that its thread is one of its workers, or which task it runs."""
        path, name = path_of(frame), frame.f_code.co_name
        if path.endswith(_EXECUTOR) and name == "_worker":
            self._add_executor(key, frame.f_locals)
        elif path.endswith(_EXECUTOR) and name == "run":
            future = attribute(frame.f_locals.get("self"), "future")
            if future is not None:
                self._run_by[id(future)] = key

    def _add_executor(self, key, kept):
        queue, reference = kept.get("work_queue"), kept.get("executor_reference")
        if queue is None or reference is None:
            return
        pool = self._pools.get(id(queue))
        if pool is None:
            executor = reference()
            most = attribute(executor, "_max_workers") or 0  # without its executor it grows no more
            items = [item for item in _items(queue) if _is_open(attribute(item, "future"))]
            for item in items:
                self._queued_in[id(item.future)] = id(queue)
            name = "ThreadPoolExecutor" if executor is None else type(executor).__name__
            pool = {"id": id(queue), "type": name, "most": most, "workers": [], "queued": len(items)}
            self._pools[id(queue)] = pool
        pool["workers"].append(key)

    def _add_pool(self, pool):
        """A pool of ``multiprocessing.pool``, whose workers are threads; nothing where they are processes."""
        members = [attribute(member, "_ident") for member in attribute(pool, "_pool") or ()]
        if type(pool).__name__ != "ThreadPool" or not members:
            return False
        if id(pool) not in self._pools:
            queued = sum(_size(attribute(pool, name)) for name in ("_taskqueue", "_inqueue"))
            most = attribute(pool, "_processes") or 0
            record = {"id": id(pool), "type": "ThreadPool", "most": most, "workers": members, "queued": queued}
            self._pools[id(pool)] = record
        return True

    # What is waited for

    def _task(self, task, depth):
        """Note a task that has not ended, and what it waits for itself; its identity, or 0."""
        if task is None or depth > MOST_DEEP:
            return 0
        if id(task) in self._tasks:
            return id(task)
        record = {"id": id(task), "queued_in": 0, "run_by": 0, "after": [], "is_timed": False}
        self._tasks[id(task)] = record
        pool = attribute(task, "_pool")
        if pool is not None:  # a result of multiprocessing.pool, which forgets its pool once it has come
            record["queued_in"] = id(pool) if self._add_pool(pool) else 0
        elif id(task) in self._queued_in:
            record["queued_in"] = self._queued_in[id(task)]
        elif id(task) in self._run_by:
            record["run_by"] = self._run_by[id(task)]
        else:
            record["after"] = [self._task(part, depth + 1) for part in _sources(task)]
            record["is_timed"] = id(task) in self._timed_by(attribute(task, "_loop"))
        return id(task)

    def _timed_by(self, loop):
        """What a timer of this asyncio loop may end: all that its timers refer to."""
        if loop is None:
            return ()
        if id(loop) not in self._timers:
            scheduled = attribute(loop, "_scheduled")
            self._timers[id(loop)] = _Everything() if scheduled is None else _referred(list(scheduled))
        return self._timers[id(loop)]


class _Everything:
    def __contains__(self, item):
        return True


def _wait_of(frames):
    """``(tasks, runners, has_timeout)`` that the innermost call waits for; None for any other."""
    for frame in frames:
        path, name, kept = path_of(frame), frame.f_code.co_name, frame.f_locals
        if path.endswith("/threading.py"):
            if name == "join":
                ident = attribute(kept.get("self"), "_ident")
                return [], [ident] if ident else [], kept.get("timeout") is not None
            if name in ("wait", "acquire") and _is_limited(kept):
                return _with_limit(frames)
        elif path.endswith((_FUTURES, _POOL)):
            awaited = _awaited(name, kept)
            return None if awaited is None else (awaited, [], kept.get("timeout") is not None)
        elif "/gevent/" not in path:
            return None
    return None


def _is_limited(kept):
    return kept.get("timeout") not in (None, -1)


def _with_limit(frames):
    """The same of a wait that will end by itself: its limit is that of the threading module's call."""
    for frame in frames:
        if path_of(frame).endswith((_FUTURES, _POOL)):
            awaited = _awaited(frame.f_code.co_name, frame.f_locals)
            return None if awaited is None else (awaited, [], True)
        if not path_of(frame).endswith("/threading.py") and "/gevent/" not in path_of(frame):
            return None
    return None


def _awaited(name, kept):
    """The tasks that a call of ``concurrent.futures`` or ``multiprocessing.pool`` waits for; None for other calls."""
    if name in ("result", "exception"):
        return [kept.get("self")]
    if name == "wait":
        found = kept.get("self") if "self" in kept else kept.get("not_done") or kept.get("fs")
        return [part for part in found if _is_open(part)] if isinstance(found, (list, tuple, set)) else [found]
    if name == "as_completed":
        return [part for part in kept.get("pending") or () if _is_open(part)]
    if name == "next" and attribute(kept.get("self"), "_pool") is not None:
        return [kept.get("self")]
    return None


def _is_open(future):
    return attribute(future, "_state") in _OPEN


def _items(queue):
    """What lies in a queue, by what it refers to: the compiled one has no other way to look at it."""
    found = []
    for part in gc.get_referents(queue):
        if type(part).__name__ in ("list", "deque"):
            found += list(part)
        else:
            found.append(part)
    return [item for item in found if item is not None]


def _size(queue):
    try:
        return queue.qsize()
    except Exception:
        return 0


def _sources(task):
    """What must end before this one can, of asyncio's tasks and of the futures that stand for one of them.

    A task waits for one future, a gathering for its children; a future that asyncio has chained to another one keeps
    that one in its callback. A future of which nothing tells who ends it has none.
    """
    waiter = attribute(task, "_fut_waiter")
    if waiter is not None:
        return [waiter]
    children = attribute(task, "_children")
    if children:
        return [part for part in children if not part.done()]
    calls = attribute(task, "_done_callbacks") or attribute(task, "_callbacks") or ()
    found = []
    for entry in calls:
        call = entry[0] if isinstance(entry, tuple) else entry
        if getattr(call, "__name__", "") == "_call_check_cancel":
            cells = dict(zip(call.__code__.co_freevars, call.__closure__ or ()))
            if "source" in cells:
                found.append(cells["source"].cell_contents)
    return found


def _referred(handles):
    """The identities of all that these timers' callbacks refer to, two steps away at most."""
    found = set()
    for handle in handles:
        if attribute(handle, "_cancelled"):
            continue
        call = attribute(handle, "_callback")
        parts = [getattr(call, "__self__", None), getattr(call, "func", None), *(attribute(handle, "_args") or ())]
        parts += getattr(call, "args", None) or ()
        parts += [cell.cell_contents for cell in getattr(call, "__closure__", None) or ()]
        for part in parts:
            if part is not None:
                found.add(id(part))
                found.update(id(value) for value in (getattr(part, "__dict__", None) or {}).values())
    return found
