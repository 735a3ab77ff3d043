"""Frozen: one greenlet waits for a native lock that its own thread holds."""

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip
from gevent import monkey  # isort: skip

ROUND = 2
native = monkey.get_original("_thread", "allocate_lock")()


class Freezing(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.number == 0 and self.rounds == ROUND:
            native.acquire()
            native.acquire()
        self.exchange()
