"""A finalizer gives way in the middle of a garbage collection, and nobody wakes it."""

import gc

from planted import QueueUser  # isort: skip

from gevent.lock import Semaphore  # isort: skip
from locust import task  # isort: skip

ROUND = 2
never = Semaphore(0)


class Cycle:
    def __init__(self):
        self.own = self

    def __del__(self):
        never.acquire()


class Collecting(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.number == 0 and self.rounds == ROUND:
            Cycle()
            gc.collect()
        self.exchange()
