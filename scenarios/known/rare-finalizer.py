"""A finalizer gives way while its thread holds a native lock: one chance in hundreds, and only where a collection begins.

Every exchange takes the lock for a moment. Once in 2 s a user who has a page of rows drops a cycle just before it, and makes two
objects while it holds the lock: a garbage collection that begins at one of them runs the cycle's finalizer there. Where that
sleeps, the next user that wants the lock blocks the whole thread. Both must be: no lists, for the interpreter keeps a stock of
those, and the page, for a collection begins where most objects are alive.
"""

import time

from planted import QueueUser, own_factor  # isort: skip

import gevent  # isort: skip
from gevent.monkey import get_original  # isort: skip
from locust import task  # isort: skip

EVERY_S = 2.0
PAGE = 300
GIVES_WAY = own_factor("defect", "true") == "true"
guard = get_original("_thread", "allocate_lock")()
dropped_at = [time.monotonic()]


class Entry:
    pass


class Connection:
    def __init__(self):
        self.own = self

    def __del__(self):
        if GIVES_WAY and guard.locked():
            gevent.sleep(0.5)  # waits until nobody uses the pool: elsewhere it would only make the stop hang, oftener


class Rare(QueueUser):
    @task
    def work(self):
        if time.monotonic() - dropped_at[0] > EVERY_S:
            dropped_at[0] = time.monotonic()
            rows = [Entry() for _ in range(PAGE)]
            Connection()
            with guard:
                self.kept = Entry(), Entry()
            rows.clear()
        else:
            with guard:
                pass
        self.exchange()
