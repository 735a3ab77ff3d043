# ruff: noqa: E402, PTH123, PLC3002, PLC2401, B018, S102, T201  # patched first; it runs under Python 3.8; the odd calls are the test
"""A program whose greenlets are parked in many ways, and what it then does.

    parked.py MODE TRUTH [COPIES]

The truth, every parked greenlet's frames as it sees them itself, is written by a forked child, whose addresses are the same.
Then it prints "ready" and does as MODE says: ``lock`` takes a native lock twice, ``spin`` computes, ``turn`` lets the loop turn,
``rings`` has two greenlets that wait for each other's lock, ``lost`` one that waits for a lock that is free, ``events`` all that
wait for one that nobody sets.
"""

from gevent import monkey

monkey.patch_all()

import gc
import json
import os
import sys

import gevent
import greenlet
from gevent import event, lock, queue, socket

MODE, TRUTH = sys.argv[1:3]
COPIES = int(sys.argv[3]) if len(sys.argv) > 3 else 1
native_lock = monkey.get_original("_thread", "allocate_lock")()
fork, wait = monkey.get_original("os", "fork"), monkey.get_original("os", "waitpid")
kept = []


def frames(frame):
    found = []
    while frame is not None:
        name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
        found.append([frame.f_code.co_filename, frame.f_lineno, name])
        frame = frame.f_back
    return found[::-1]


def write_truth():
    child = fork()
    if child:
        wait(child, 0)
        return
    found = {
        str(id(one)): frames(one.gr_frame)
        for one in gc.get_objects()
        if isinstance(one, greenlet.greenlet) and one is not greenlet.getcurrent() and one.gr_frame is not None
    }
    with open(TRUTH, "w") as file:
        json.dump(found, file)
    os._exit(0)


def sleeps():
    gevent.sleep(1e6)


def deep(left=40):
    return deep(left - 1) if left else gevent.sleep(1e6)


def generates():
    def inner():
        yield 1
        gevent.sleep(1e6)

    for _ in inner():
        pass


async def awaits():
    (lambda: gevent.sleep(1e6))()


def runs_a_coroutine():
    awaits().send(None)


class Größe:
    def __getattr__(self, name):
        (gevent.sleep(1e6))

    @property
    def länge(self):
        return [self.fehlt for _ in range(1)]


def reads():
    ours, theirs = socket.socketpair()
    kept.append(ours)
    theirs.recv(10)


def after_an_error():
    try:
        1 / 0
    except ZeroDivisionError:
        gevent.sleep(1e6)


def compiled():
    exec(compile("\n" * 300 + "wait()", "<made of text>", "exec"), {"wait": lambda: gevent.sleep(1e6)})


semaphore, thing, answer, items = lock.Semaphore(0), event.Event(), event.AsyncResult(), queue.Queue()
owned = lock.RLock()


def owns():
    owned.acquire()
    gevent.sleep(1e6)


ENDLESS = (semaphore.acquire, thing.wait, answer.get, items.get, lambda: gevent.spawn(sleeps).join(), owned.acquire)
ASLEEP = (sleeps, deep, generates, runs_a_coroutine, lambda: Größe().länge, reads, after_an_error, compiled)


def waits_for(what):
    what()


def takes(first, second):
    first.acquire()
    gevent.sleep(0.05)
    second.acquire()


def main():
    if MODE == "rings":
        one, other = lock.RLock(), lock.RLock()
        kept.extend([gevent.spawn(takes, one, other), gevent.spawn(takes, other, one), gevent.spawn(sleeps)])
    elif MODE == "lost":
        kept.extend([gevent.spawn(waits_for, semaphore.acquire) for _ in range(3)] + [gevent.spawn(sleeps)])
    elif MODE == "events":
        kept.extend([gevent.spawn(waits_for, event.Event().wait) for _ in range(5)])
    else:
        kept.append(gevent.spawn(owns))
        kept.extend([gevent.spawn(waits_for, what) for what in (ENDLESS + ASLEEP) * COPIES])
    gevent.sleep(0.2)
    if MODE == "lost":
        semaphore.counter = 1  # freed, and nobody was told
    write_truth()
    print("ready", flush=True)
    if MODE == "lock":
        native_lock.acquire()
        native_lock.acquire()
    while MODE == "spin":
        pass
    if MODE == "events":
        timer = gevent.get_hub().loop.timer(1e6)  # something that keeps the loop from ending, and wakes nobody
        timer.start(print)
        gevent.joinall(kept)
    while True:
        gevent.sleep(0.01)


main()
