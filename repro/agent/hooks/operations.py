"""One *operation* is the outermost of nested calls: botocore over urllib3 counts once, as botocore's.

Whoever calls a client has a slot of the flight record: a user of Locust's, or a greenlet or thread of a script.
"""

import sys

from repro_agent import flight, hearts
from repro_agent import layout as at
from repro_agent.stacks.frames import outwards, path_of

slots = {}
numbers = {}

MOST_SPAWNERS = 8
MOST_FRAMES = 60
_POOLS = ("concurrent/futures/thread.py", "multiprocessing/pool.py")


def forget():
    """Forget the parent's users: they do not run here."""
    for slot in slots.values():
        slot.depth = 0  # its line is the parent's: an operation that was under way at the fork ends there
    slots.clear()
    numbers.clear()


def number_of(greenlet):
    """The number of the user that runs in ``greenlet``, or None."""
    return numbers.get(id(greenlet))


class operation:  # noqa: N801  # reads as a verb in a scenario: `with operation("get"):`
    """A context that counts as one operation of the current greenlet, for clients that are not hooked.

    Up to ``poll_s`` seconds of silence are by design; an attempt gives up by itself after ``attempt_s`` (0: unknown).
    """

    __slots__ = ("_counts", "_limits", "_name", "_slot")

    def __init__(self, name, poll_s=0.0, attempt_s=0.0, ceiling_s=None, *, counts=True):
        self._name = name
        self._limits = (poll_s, attempt_s, attempt_s if ceiling_s is None else ceiling_s)
        self._counts = counts

    def __enter__(self):
        self._slot = slot = current_slot()
        if slot is not None:
            slot.depth += 1
            if slot.depth == 1:
                slot.begin(flight.record.name(self._name), *self._limits, counts=self._counts)
        return self

    def __exit__(self, kind, error, trace):
        slot = self._slot
        if slot is None or slot.depth == 0:
            return
        slot.depth -= 1
        if slot.depth == 0:
            failed = isinstance(error, Exception)  # a GreenletExit is none: the user was told to stop
            if failed:
                flight.record.error(error)
            slot.end(failed=failed, counts=self._counts)


def current_slot():
    """The slot of whoever runs now; None where the flight record has no more."""
    greenlet = sys.modules.get("greenlet")
    if greenlet is None:
        import _thread

        key, current = _thread.get_ident(), None
    else:
        current = greenlet.getcurrent()
        key = id(current)
    slot = slots.get(key)
    return _adopt(key, current) if slot is None else slot


def watch_user(greenlet):
    """Give a user's greenlet a slot until it ends."""
    key = id(greenlet)
    slot = flight.record.take(at.KIND_USER, key)
    if slot is None:
        return
    slots[key] = slot
    numbers[key] = slot.words[slot.base + at.S_NUMBER]
    greenlet.rawlink(lambda _: _release(key))


def _adopt(key, current):
    """A slot for somebody who calls the client and is not a Locust user: a script's greenlet, a thread, a listener."""
    slot = flight.record.take(at.KIND_OTHER, key, _owner(current))
    if slot is None:
        return None
    slots[key] = slot
    numbers[key] = slot.words[slot.base + at.S_NUMBER]
    if hasattr(current, "rawlink"):
        current.rawlink(lambda _: _release(key))
    if sys.modules.get("gevent") is not None and getattr(current, "parent", None) is not None:
        hearts.attach()
    return slot


def _owner(greenlet):
    """The slot of the user that spawned this greenlet, by itself or through others; None where it was nobody's task.

    A worker of a pool of threads is none's helper: it works for all who share the pool, whoever came first.
    """
    for _ in range(MOST_SPAWNERS):
        spawner = getattr(greenlet, "spawning_greenlet", None)  # gevent's: a weak reference
        greenlet = spawner() if callable(spawner) else None
        if greenlet is None:
            return None
        slot = slots.get(id(greenlet))
        if slot is not None:
            owner = slot if slot.number < at.OTHERS_FROM else slot.living_owner()
            return None if owner is None or _serves_a_pool() else owner
    return None


def _serves_a_pool():
    stack = outwards(sys._getframe(), MOST_FRAMES)
    return any(one.f_code.co_name in ("_worker", "worker") and path_of(one).endswith(_POOLS) for one in stack)


def _release(key):
    slot = slots.pop(key, None)
    numbers.pop(key, None)
    if slot is not None:
        flight.record.give_back(slot)
