"""Greenlets make objects in reference cycles whose `__del__` gives way to others, as a close over the network does.

A plain program under gevent (launch mode ``script``). The garbage collector runs `__del__` wherever it happens to run, also
in a greenlet that is about to wait: the finalizer's wait then takes the wake-up of the greenlet's own.
"""

# ruff: noqa: E402  # patching comes first
from gevent import monkey  # isort: skip

monkey.patch_all()

import gc
import os
import sys
import time

import gevent

try:
    from repro_agent import operation  # counts as one user's operation in a cell
except ImportError:
    from contextlib import nullcontext as operation

USERS = int(os.environ.get("REPRO_USERS") or 5)
SECONDS = float(os.environ.get("REPRO_SECONDS") or 8)
GC_THRESHOLD = int(float(os.environ.get("REPRO_GC_THRESHOLD") or 0))
CLOSES_IN_DEL = os.environ.get("REPRO_CLOSES", "in-del") == "in-del"


class Client:
    """A client that only the garbage collector frees."""

    def __init__(self):
        self.itself = self
        self.is_open = True

    def call(self):
        gevent.sleep(0)

    def close(self):
        if self.is_open:
            self.is_open = False
            gevent.sleep(0)  # as a goodbye over the network gives way

    def __del__(self):
        if CLOSES_IN_DEL:
            self.close()


def use_clients(ends):
    while time.monotonic() < ends:
        with operation("call"):
            client = Client()
            client.call()
            if not CLOSES_IN_DEL:
                client.close()


def beat(began):
    while True:
        print(f"alive after {time.monotonic() - began:.1f} s")
        gevent.sleep(0.5)


def main():
    if GC_THRESHOLD:
        gc.set_threshold(GC_THRESHOLD)
    began = time.monotonic()
    heart = gevent.spawn(beat, began)
    gevent.joinall([gevent.spawn(use_clients, began + SECONDS) for _ in range(USERS)])
    heart.kill()
    print("ended by itself")
    sys.stdout.flush()


main()
