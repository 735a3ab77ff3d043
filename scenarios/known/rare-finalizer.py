"""A finalizer gives way while its thread holds a native lock: one chance in hundreds, and only where a collection begins.

Every exchange takes the lock for a moment. Now and then a user drops a cycle just before it, and makes two lists while it holds
the lock: a garbage collection that begins at one of them runs the cycle's finalizer there. Where that sleeps, the next
user that wants the lock blocks the whole thread.
"""

import itertools

from planted import QueueUser, own_factor  # isort: skip

import gevent  # isort: skip
from gevent.monkey import get_original  # isort: skip
from locust import task  # isort: skip

EVERY = 250
GIVES_WAY = own_factor("gives_way", "true") == "true"
guard = get_original("_thread", "allocate_lock")()
exchanges = itertools.count(1)


class Connection:
    def __init__(self):
        self.own = self

    def __del__(self):
        if GIVES_WAY:
            gevent.sleep(0.5)  # says goodbye to the other side


class Rare(QueueUser):
    @task
    def work(self):
        if next(exchanges) % EVERY == 0:
            Connection()
            with guard:
                self.kept = [[], []]
        else:
            with guard:
                pass
        self.exchange()
