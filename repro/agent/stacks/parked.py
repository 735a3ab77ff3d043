"""What each greenlet is parked on, read from the objects that would wake it.

gevent's own frames are compiled and do not show in a stack, so the stack alone cannot tell. But whatever wakes a
greenlet keeps its ``switch`` (directly, or that of a ``Waiter`` that keeps the greenlet): watchers in ``callback``,
locks and events in their list of links, queues in their waiters.
"""

import gc
import sys

from repro_agent.stacks import sources, wakers
from repro_agent.stacks.names import attribute, names_of

MOST_LOCKS = 40
IDLE_WORKER = "gevent_threadpool_worker_idle"  # a local by which gevent marks a worker that waits for work

_WATCHERS = frozenset(("io", "timer", "async_", "async", "child", "signal", "stat", "idle", "fork", "callback"))
_LOCKS = frozenset(("Lock", "LockType", "RLock", "_RLock", "lock"))
_SEMAPHORES = frozenset(("Semaphore", "BoundedSemaphore", "DummySemaphore"))
_EVENTS = frozenset(("Event", "AsyncResult", "_Event"))
_METHODS = (type([].append), type((lambda: 0).__get__(0)))  # of a compiled class, as a greenlet's ``switch``, or not
_RANK = ("lock", "semaphore", "socket", "queue", "thread", "event", "greenlet", "process", "timer", "ready")
"""The order in which one of several reasons is shown: the first tells most."""


class Lot:
    """One walk over all objects: the greenlets, the hubs, and who waits for what."""

    def __init__(self):
        module = sys.modules.get("greenlet")
        self.greenlets = []
        self.hubs = set()
        self.waits = {}
        self.locks = {}
        self.owners = {}
        self._waiters = {}
        self._events = {}
        self._native_waits = {}
        self._linked = None
        self._type = getattr(module, "greenlet", None)
        if self._type is not None:
            self._walk()

    def _walk(self):
        kinds = {}
        watchers, linkables, queues, waiters = [], [], [], []
        homes = {
            "watcher": watchers,
            "linkable": linkables,
            "queue": queues,
            "waiter": waiters,
            "greenlet": self.greenlets,
        }
        for item in gc.get_objects():
            kind = type(item)
            home = kinds.get(kind, kinds)
            if home is kinds:
                home = kinds[kind] = homes.get(self._kind(kind))
            if home is not None:
                home.append(item)
        self.hubs = {item for item in self.greenlets if type(item).__name__ == "Hub"}
        for item in waiters:
            self._waiters[id(item)] = self._greenlet_in(item)
        for item in watchers:
            self._add_watcher(item)
        for item in linkables:
            self._add_linkable(item)
        for item in self.greenlets:
            if hasattr(item, "rawlink"):
                self._add_linkable(item)
        for item in queues:
            self._add_queue(item)

    def _kind(self, kind):
        """Where the walk puts an object of this type, or None."""
        if issubclass(kind, self._type):
            return "greenlet"
        names = {base.__name__ for base in kind.__mro__}
        modules = [str(base.__module__) for base in kind.__mro__]
        if not any(module.startswith("gevent") for module in modules):
            return None
        found = None
        if "AbstractLinkable" in names or "AsyncResult" in names:
            found = "linkable"
        elif "Waiter" in names:
            found = "waiter"
        elif kind.__name__ in _WATCHERS:
            found = "watcher"
        elif any("queue" in module.lower() for module in modules):
            found = "queue"
        return found

    def _greenlet_in(self, item):
        """The greenlet that this object keeps, hubs aside."""
        if item is None:
            return None
        if isinstance(item, self._type):
            return item
        for kept in gc.get_referents(item):
            if isinstance(kept, self._type) and kept not in self.hubs and type(kept).__name__ != "Hub":
                return kept
        return None

    def _target(self, callback):
        """The greenlet that a callback would wake."""
        bound = getattr(callback, "__self__", None)
        if bound is None:
            return None
        if isinstance(bound, self._type):
            return bound
        return self._waiters.get(id(bound))

    def _note(self, greenlet, wait):
        if greenlet is not None:
            self.waits.setdefault(id(greenlet), []).append(wait)

    def _add_watcher(self, watcher):
        try:
            callback = watcher.callback
            kind = type(watcher).__name__
            if callback is None or not (kind == "callback" or watcher.active):
                return
        except Exception:
            return
        wait = wakers.wait_of(kind, watcher)
        target = self._target(callback)
        if kind == "timer" and getattr(callback, "__name__", "") != "switch":
            wait["kind"] = "timeout"
            target = target or next((part for part in _arguments(watcher) if isinstance(part, self._type)), None)
        if target is None and kind in ("io", "async", "async_"):
            for event in self._linkables_in(callback):  # select and poll wait for an event that watchers set
                self._events.setdefault(id(event), []).append(wait)
        self._note(target, wait)

    def _linkables_in(self, callback):
        """The events that a callback may set: of its object, or of its closure."""
        kept = [cell.cell_contents for cell in getattr(callback, "__closure__", None) or ()]
        bound = getattr(callback, "__self__", None)
        if bound is not None:
            kept += gc.get_referents(bound)
        kept += [value for part in kept if type(part) is dict for value in part.values()]
        return [part for part in kept if self._kind(type(part)) == "linkable"]

    def _add_linkable(self, item):
        for kept in gc.get_referents(item):
            if type(kept) is not list and type(kept).__name__ not in ("set", "OrderedDict", "dict", "deque"):
                continue
            for link in list(kept):
                target = self._target(link)
                if target is not None:
                    for wait in self._linkable_waits(item):
                        self._note(target, wait)

    def _linkable_waits(self, item):
        if id(item) in self._events:
            return self._events[id(item)]
        name = type(item).__name__
        wait = {"id": id(item), "type": name}
        if isinstance(item, self._type):
            wait["kind"] = "greenlet"
        elif name in _EVENTS:
            wait["kind"] = "event"
        elif name in _LOCKS or name in _SEMAPHORES or hasattr(item, "counter"):
            wait["kind"] = "lock" if name in _LOCKS else "semaphore"
            counter = getattr(item, "counter", None)
            if counter is not None:
                wait["counter"] = counter
            self.locks[id(item)] = item
        else:
            wait["kind"] = "event"
        return [wait]

    def _add_queue(self, queue):
        for kept in gc.get_referents(queue):
            if type(kept).__name__ not in ("deque", "list", "set"):
                continue
            for waiter in list(kept):
                target = self._waiters.get(id(waiter))
                if target is not None:
                    self._note(target, {"kind": "queue", "id": id(queue), "type": type(queue).__name__})

    def parked_on(self, greenlet):
        """The reason that tells most, with ``has_timeout``; ``nothing`` when nothing known would wake it."""
        waits = self.waits.get(id(greenlet), ())
        reasons = [wait for wait in waits if wait["kind"] != "timeout"]
        best = dict(min(reasons, key=_rank)) if reasons else {"kind": "nothing"}
        if greenlet in self.hubs or type(greenlet).__name__ == "Hub":
            best = {"kind": "hub"}
        elif not reasons and waits:
            best = {"kind": "timer"}  # only a timeout will wake it
        elif not reasons and getattr(greenlet, "parent", None) is None:
            best = {"kind": "hub"}  # a thread's first greenlet, from which its hub runs
        elif not reasons and self._is_linked(greenlet):
            best = {"kind": "greenlet"}
        if best["kind"] == "lock" and _is_condition(getattr(greenlet, "gr_frame", None)):
            best["kind"], best["type"] = "event", "Condition"
            self.locks.pop(best["id"], None)
        best["has_timeout"] = len(waits) > len(reasons) or best["kind"] == "timer"
        left = [wait["left_s"] for wait in waits if "left_s" in wait]
        if left:
            best["left_s"] = min(left)
        return best

    def _is_linked(self, greenlet):
        """Whether some list keeps its ``switch``, or its waiter's, as of ``joinall``: no other link is seen."""
        if self._linked is None:
            self._linked = self._all_linked()
        return id(greenlet) in self._linked

    def _all_linked(self):
        alone = {id(item) for item in self.greenlets if id(item) not in self.waits and not item.dead}
        found = set()
        for holder in gc.get_objects() if alone else ():
            if type(holder) is list:
                for part in holder:
                    if type(part) in _METHODS and part.__name__ == "switch":
                        target = self._target(part)
                        if target is not None and id(target) in alone:
                            found.add(id(target))
        return found

    def running_in(self, ident):
        """The greenlet that runs in this thread, or None: one without a frame of its own whose hub is this thread's."""
        candidates = [item for item in self.greenlets if item and getattr(item, "gr_frame", None) is None]
        hubs = [hub for hub in self.hubs if getattr(hub, "thread_ident", None) == ident]
        for item in candidates:
            if any(item is hub or item.parent is hub or hub.parent is item for hub in hubs):
                return item
        return None

    def native_wait(self, ident, frame):
        """What a thread's running code waits for, when its line takes a native lock that somebody holds."""
        code = frame.f_code
        if any(IDLE_WORKER in part.f_code.co_varnames for part in (frame, frame.f_back) if part is not None):
            return None
        for expression in sources.wanted_expressions(code.co_filename, frame.f_lineno or 0):
            lock = _native(_evaluate(expression, frame))
            if lock is not None and lock.locked():
                self.locks[id(lock)] = lock
                wait = {"kind": "lock", "native": True, "id": id(lock), "type": type(lock).__name__}
                wait["name"] = expression
                self._native_waits[ident] = id(lock)
                return wait
        return None

    def describe_locks(self, greenlets):
        """A record for each lock that is waited for: type, names, waiters, and its holder where it can be known."""
        locks = list(self.locks.values())[:MOST_LOCKS]
        names = names_of(locks, own=[self.locks, locks])
        counts = {}
        for waits in self.waits.values():
            for wait in waits:
                if wait.get("id") in self.locks:
                    counts[wait["id"]] = counts.get(wait["id"], 0) + 1
        for lock_id in self._native_waits.values():
            counts[lock_id] = counts.get(lock_id, 0) + 1
        holders = self._holders(greenlets)
        return [
            {
                "id": id(lock),
                "type": "%s.%s" % (type(lock).__module__, type(lock).__name__),
                "repr": repr(lock)[:200],
                "names": names.get(id(lock), []),
                "waiters": counts.get(id(lock), 0),
                "holder": holders.get(id(lock)),
            }
            for lock in locks
        ]

    def _holders(self, greenlets):
        """Who holds each lock: by its owner where it keeps one, else by the ``with`` blocks that greenlets stand in."""
        found = {}
        for lock_id, owner in self._owners().items():
            found[lock_id] = {"greenlet": owner, "how": "owner", "is_certain": True}
        for greenlet in greenlets:
            frame = getattr(greenlet, "gr_frame", None)
            waits_for = {wait.get("id") for wait in self.waits.get(id(greenlet), ())}
            self._search(frame, waits_for, {"greenlet": id(greenlet)}, found)
        for ident, frame in sys._current_frames().items():
            self._search(frame, {self._native_waits.get(ident)}, {"thread": ident}, found)
        return found

    def _search(self, frame, waits_for, who, found):
        depth = 0
        while frame is not None and depth < 60:
            code = frame.f_code
            line = frame.f_lineno or 0
            for expression, is_certain in sources.held_expressions(code.co_filename, line, code.co_firstlineno):
                lock = self._known(_evaluate(expression, frame))
                if lock is None or id(lock) in waits_for:
                    continue
                known = found.get(id(lock))
                if known is None or (is_certain and not known["is_certain"]):
                    found[id(lock)] = dict(
                        who,
                        how="block" if is_certain else "acquire",
                        code=("with %s" if is_certain else "%s.acquire()") % expression,
                        file=code.co_filename,
                        line=line,
                        function=code.co_name,
                        is_certain=is_certain,
                    )
            frame = frame.f_back
            depth += 1

    def _known(self, item):
        """The lock that is waited for behind ``item``: itself, or inside an RLock or a condition."""
        for _ in range(4):
            if item is None:
                return None
            if id(item) in self.locks:
                return item
            item = _inside(item)
        return None

    def _owners(self):
        """The owner's greenlet by lock, for locks inside an RLock: they alone keep one."""
        result = {}
        for lock in self.locks.values():
            for holder in gc.get_referrers(lock):
                parts = holder if type(holder) is dict else getattr(holder, "__dict__", None)
                owner = parts.get("_owner") if type(parts) is dict else getattr(holder, "_owner", None)
                if isinstance(owner, self._type):
                    result[id(lock)] = id(owner)
                elif isinstance(owner, int) and owner:
                    result[id(lock)] = owner
        return result


def _rank(wait):
    return _RANK.index(wait["kind"]) if wait["kind"] in _RANK else len(_RANK)


def _is_condition(frame):
    """Whether it waits to be notified: ``Condition.wait`` takes a lock of its own making, which is not a deadlock."""
    depth = 0
    while frame is not None and depth < 4:
        code = frame.f_code
        if code.co_name == "wait" and "waiter" in code.co_varnames and code.co_filename.endswith("threading.py"):
            return True
        frame = frame.f_back
        depth += 1
    return False


def _arguments(watcher):
    return getattr(watcher, "args", None) or ()


def _evaluate(expression, frame):
    """The object behind a dotted name in a frame, by plain look-ups; None when it is not there."""
    first, _, rest = expression.partition(".")
    code = frame.f_code
    if first in code.co_varnames or first in code.co_freevars or first in code.co_cellvars:
        item = frame.f_locals.get(first)
    else:
        item = frame.f_globals.get(first)
    for name in rest.split(".") if rest else ():
        item = attribute(item, name)
    return item


def _inside(item):
    for name in ("_lock", "_block", "mutex", "_mutex"):
        found = attribute(item, name)
        if found is not None and not callable(found):
            return found
    return None


def _native(item):
    """The native lock that taking ``item`` takes, or None."""
    for _ in range(4):
        if item is None:
            return None
        if type(item).__module__ == "_thread" and hasattr(item, "locked"):
            return item
        item = _inside(item)
    return None
