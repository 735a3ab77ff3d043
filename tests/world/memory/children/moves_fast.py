# ruff: noqa: E402, T201  # it is patched first, and says when it is ready
"""A healthy program whose greenlets stand at the same line whenever somebody looks.

    moves_fast.py MODE SECONDS

``sleep`` sleeps again and again, ``hand-over`` has a hundred who hand one semaphore over, ``answer`` has fifty pairs that send
each other as many bytes as before.
"""

import sys

from gevent import monkey

monkey.patch_all()

import socket

import gevent
from gevent.lock import BoundedSemaphore

MODE, SECONDS = sys.argv[1], float(sys.argv[2])
only = BoundedSemaphore(1)


def sleeps():
    while True:
        gevent.sleep(SECONDS)


def hands_over():
    while True:
        with only:
            gevent.sleep(SECONDS)


def answers(one):
    while True:
        one.recv(100)
        one.sendall(b"x" * 100)


def asks(one):
    while True:
        one.sendall(b"y" * 100)
        one.recv(100)


if MODE == "sleep":
    users = [gevent.spawn(sleeps) for _ in range(8)]
elif MODE == "hand-over":
    users = [gevent.spawn(hands_over) for _ in range(100)]
else:
    pairs = [socket.socketpair() for _ in range(50)]
    users = [gevent.spawn(call, one) for pair in pairs for call, one in zip((answers, asks), pair, strict=True)]
print("ready", flush=True)
gevent.joinall(users)
