"""A program with two event loops, one in its main thread and one in another; nothing is patched.

    two_loops.py MAIN OTHER

Each of the two is: ``turn`` users sleep at two places by turns, ``wait`` users wait for an answer, ``block`` one of them has taken
a native lock twice, ``sleep`` one has blocked the loop by a native sleep, ``spin`` one computes for ever; of MAIN there is also
``join``: it has no loop, and waits for the other thread to end. ``pool`` is a loop that turns, while its thread pool's worker
sleeps after it has made a loop of its own.
"""

import sys
import threading
import time

import gevent
from gevent import socket

kept = []
MAIN, OTHER = sys.argv[1:3]


def turns():
    while True:
        gevent.sleep(0.01)
        gevent.sleep(0.02)


def reads():
    ours, theirs = socket.socketpair()
    kept.append(ours)
    theirs.recv(10)


def blocks():
    gevent.sleep(0.05)
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def sleeps():
    gevent.sleep(0.05)
    time.sleep(1e6)


def spins():
    gevent.sleep(0.05)
    while True:
        pass


def works():
    gevent.sleep(0)
    time.sleep(1e6)


def pools():
    gevent.get_hub().threadpool.spawn(works)
    turns()


KINDS = {"turn": turns, "wait": reads, "block": blocks, "sleep": sleeps, "spin": spins, "pool": pools}


def loop(kind):
    users = [gevent.spawn(turns if kind == "turn" else reads) for _ in range(3)]
    users.append(gevent.spawn(KINDS[kind]))
    gevent.joinall(users)


other = threading.Thread(target=loop, args=(OTHER,), daemon=True)
other.start()
threading.Timer(0.5, print, ("ready",), {"flush": True}).start()
if MAIN == "join":
    other.join()
loop(MAIN)
