"""Deadlocked: k of n users wait for a lock whose holder sleeps."""

from planted import QueueUser, own_factor  # isort: skip

import gevent  # isort: skip
from gevent.lock import Semaphore  # isort: skip
from locust import task  # isort: skip

ROUND = 2
K = own_factor("k", 3)
lock = Semaphore()


def hold():
    with lock:
        gevent.sleep(3600)


class Waiting(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.number < K and self.rounds == ROUND:
            if not lock.locked():
                gevent.spawn(hold)
                gevent.sleep(0)
            with lock:
                pass
        self.exchange()
