"""What gevent's greenlets wait for: locks with counters, waiters and owners; watchers with sockets and times."""

import os
import struct
import sys
import time

from repro_probe.base import FOUND, KEPT, MEMORY, WORD, common, learn, learn_int, only


def learn_gevent(folder, extension_module):
    """Locks with their counters, waiters and owners; watchers with their sockets and times; a waiter's greenlet."""
    sys.path.append(folder)
    sys.modules.setdefault("greenlet._greenlet", extension_module)
    from gevent import Greenlet, hub, lock

    locks = [lock.Semaphore(value) for value in (7919, 60037, 123)]
    size = type(locks[0]).__basicsize__
    learn_int("lock_counter", [(id(one), value) for one, value in zip(locks, (7919, 60037, 123))], size)
    links = []
    for _ in range(3):
        one, callback = lock.Semaphore(0), [].append
        one.rawlink(callback)
        KEPT.append((one, callback))
        links.append(
            {WORD * index for index, word in enumerate(MEMORY.words(id(one), size)) if _is_list_of(word, callback)}
        )
    FOUND["lock_links"] = only("lock_links", common(links))
    owned = [lock.RLock(), lock.RLock()]
    for one in owned:
        one._owner, one._block = object(), object()
    for name in ("_owner", "_block"):
        learn("rlock" + name, [(id(one), id(getattr(one, name))) for one in owned], 64)
    joined, callback = Greenlet(len), [].append
    joined.rawlink(callback)
    KEPT.append((joined, callback))
    size = type(joined).__basicsize__
    words = MEMORY.words(id(joined), size)
    FOUND["greenlet_links"] = only(
        "greenlet_links", {WORD * index for index, word in enumerate(words) if _is_list_of(word, callback)}
    )
    _learn_watchers(hub)


def _is_list_of(address, item):
    words = MEMORY.words(address, 40)
    if len(words) < 5 or words[FOUND["size"] // WORD] != 1:
        return False
    return MEMORY.word(words[FOUND["list_items"] // WORD]) == id(item)


def _learn_watchers(hub):
    loop, waiters = hub.get_hub().loop, [hub.Waiter(), hub.Waiter()]
    size = type(waiters[0]).__basicsize__
    methods = [waiter.switch for waiter in waiters]
    learn("bound_self", [(id(method), id(waiter)) for method, waiter in zip(methods, waiters)], 64)
    _learn_waiter(hub, size)
    sockets, numbers = [], (741, 983)
    for number in numbers:
        os.dup2(os.pipe()[0], number)
        sockets.append(loop.io(number, 1 + len(sockets)))  # one to read, one to write
        sockets[-1].start(methods[len(sockets) - 1])
    size = type(sockets[0]).__basicsize__
    learn("watcher_callback", [(id(one), id(method)) for one, method in zip(sockets, methods)], size)
    learn_int("watcher_fd", [(id(one), number) for one, number in zip(sockets, numbers)], size)
    FOUND["watcher_events"] = only("watcher_events", _ways(sockets, size))
    pending = [loop.run_callback(method) for method in methods]
    size = type(pending[0]).__basicsize__
    learn("pending_callback", [(id(one), id(method)) for one, method in zip(pending, methods)], size)
    for one in pending:
        one.stop()
    timers = [loop.timer(5000.0), loop.timer(70000.0)]
    sets = []
    for timer, seconds in zip(timers, (5000.0, 70000.0)):
        timer.start(methods[0])
        data = MEMORY.read(id(timer), type(timer).__basicsize__)
        due = time.monotonic() + seconds
        doubles = struct.unpack_from("<%dd" % (len(data) // WORD), data)
        sets.append({WORD * index for index, value in enumerate(doubles) if abs(value - due) < 30.0})
    FOUND["timer_due"] = only("timer_due", common(sets))


def _ways(sockets, size):
    """Where the first one says that it reads, and the second one that it writes."""
    data = [MEMORY.read(id(one), size) for one in sockets]
    pairs = zip(*[struct.unpack_from("<%di" % (size // 4), one) for one in data])
    return {
        4 * index for index, (first, second) in enumerate(pairs) if (first & 3, second & 3) == (1, 2) and first < 256
    }


def _learn_waiter(hub, size):
    """A waiter knows its greenlet only while that waits in it."""
    from gevent import sleep, spawn_raw

    greenlets, waiters = [], []
    for _ in range(2):
        waiter = hub.Waiter()
        child = spawn_raw(waiter.get)
        greenlets.append(child)
        waiters.append(waiter)
    sleep(0.001)
    learn("waiter_greenlet", [(id(waiter), id(child)) for waiter, child in zip(waiters, greenlets)], size)
    KEPT.extend([greenlets, waiters])
